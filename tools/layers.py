"""Imports run one way: core <- data <- model <- forecast <- report, serve <- the command line. Exit 1 names each that runs back.

Also refused: torch or statsforecast at the top of a module that reports load, and nbdev or fastcore anywhere in exported code.
Usage: python tools/layers.py
"""

import ast
import sys
from pathlib import Path

FLOORS = {"core": 0, "data": 1, "model": 2, "forecast": 3, "report": 4, "serve": 4, "road": 5, "upkeep": 5,
          "commands": 6, "serving": 6, "cli": 6, "tests": 9, "templates": 9}
DEVELOPMENT = {"nbdev", "fastcore", "execnb"}
TORCH_ALLOWED = {"model", "tests"}
PACKAGE = Path("ttm_notebooks")


def floor_of(parts: tuple[str, ...]) -> int:
    """The floor of a module given by its path inside the package."""
    return FLOORS[parts[0].removesuffix(".py")]


def imported(node: ast.AST, path: Path) -> list[tuple[str, ...]]:
    """Dotted names that an import statement names, relative ones resolved."""
    if isinstance(node, ast.Import):
        return [tuple(alias.name.split(".")) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = path.parent.parts[: len(path.parent.parts) - node.level + 1] if node.level else ()
        return [(*base, *(node.module.split(".") if node.module else ()))]
    return []


def faults(path: Path) -> list[str]:
    """Sentences about what a module imports against the rules."""
    inside = path.relative_to(PACKAGE).parts
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        for name in imported(node, path):
            if name[0] == "ttm_notebooks" and len(name) > 1 and name[1] in FLOORS and floor_of(name[1:]) > floor_of(inside):
                found.append(f"{path}:{node.lineno}: {'.'.join(name)} is on a higher floor")
            if name[0] in DEVELOPMENT and inside[0] != "tests":
                found.append(f"{path}:{node.lineno}: {name[0]} is for development only")
            if name[0] in {"torch", "tsfm_public", "transformers"} and id(node) in top and inside[0] not in TORCH_ALLOWED:
                found.append(f"{path}:{node.lineno}: {name[0]} at the top of a module outside model/")
    return found


def main() -> int:
    """Check every exported module."""
    modules = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name not in {"__init__.py", "_modidx.py"}]
    found = [line for path in modules for line in faults(path)]
    print("\n".join(found) or f"{len(modules)} modules import one way")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
