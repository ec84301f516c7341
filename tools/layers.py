"""Check that imports run one way, in the order of the notebooks' numbers. Exit 1 prints each fault with file and line.

Faults: two notebooks in a folder with the same number; an import of a module that comes later; a circle of imports (at
module level or inside functions, inside a package or across packages); an import of an own module inside a function,
unless that module loads a heavy optional package; torch at the top of a module outside model/; development tools in
product code.

Usage: python tools/layers.py [ROOT]     (ROOT holds nbs/ and ttm_notebooks/; default: the working directory)
"""

import ast
import json
import re
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

NAME = "ttm_notebooks"
DEVELOPMENT = {"nbdev", "fastcore", "execnb", "pytest", "hypothesis"}
TRAINING = {"torch", "tsfm_public", "transformers"}
HEAVY = {
    *TRAINING,
    "duckdb",
    "mlflow",
    "onnxruntime",
    "matplotlib",
    "statsforecast",
    "hierarchicalforecast",
    "lightgbm",
    "papermill",
    "nbconvert",
    "fastapi",
    "starlette",
    "uvicorn",
    "httpx",
    "pyodata",
    "simple_salesforce",
    "sqlalchemy",
    "psycopg",
    "boto3",
}
MOST_LAZY = 20
EXPORT = re.compile(r"^#\|\s*default_exp (\S+)", re.M)


class Import(NamedTuple):
    """An import statement: the modules or packages it may load, its line, and whether it is at module level."""

    names: tuple[str, ...]
    line: int
    at_top: bool


def exported(notebook: Path) -> str | None:
    """The module that a notebook exports, None if it exports nothing."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if match := EXPORT.search("".join(cell["source"])):
            return match.group(1)
    return None


def numbered(folder: Path) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The position of each exported module (the numbers on its path), and the faults of the numbering."""
    positions: dict[str, tuple[str, ...]] = {}
    faults: list[str] = []
    taken: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.rglob("*.ipynb")):
        parts = path.relative_to(folder).parts
        if ".ipynb_checkpoints" in parts or parts[0] in {"guides", "index.ipynb"}:
            continue
        if not re.match(r"\d\d_", path.name):
            faults.append(f"{path}: a notebook's name starts with two digits")
        for depth in range(len(parts)):
            here, number = folder.joinpath(*parts[: depth + 1]), parts[depth][:2]
            if number.isdigit() and taken.setdefault((str(here.parent), number), here) != here:
                faults.append(f"{here}: number {number} is taken by {taken[str(here.parent), number].name}")
        if module := exported(path):
            positions[module] = parts
    return positions, sorted(set(faults))


def imports_of(path: Path, root: Path) -> list[Import]:
    """Every import statement of a module, relative names resolved, type-checking blocks included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {
        id(node)
        for scope in ast.walk(tree)
        if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(scope)
    }
    statements = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = tuple(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(root).parts[:-1]
            base = (
                ".".join((*package[: len(package) - node.level + 1], *filter(None, [node.module])))
                if node.level
                else str(node.module)
            )
            names = tuple(f"{base}.{alias.name}" for alias in node.names)
        else:
            continue
        statements.append(Import(names, node.lineno, id(node) not in inner))
    return statements


def own_module(name: str, modules: set[str]) -> str | None:
    """The own module that an imported dotted name loads, None for packages and for modules of other projects."""
    parts = name.removeprefix(f"{NAME}.").split(".") if name.startswith(f"{NAME}.") else []
    return next((".".join(parts[:end]) for end in range(len(parts), 0, -1) if ".".join(parts[:end]) in modules), None)


def heavy_modules(imports: dict[str, list[Import]], edges: dict[str, set[str]]) -> set[str]:
    """Modules that load a heavy optional package when they are imported, directly or through another module."""
    heavy = {module for module, statements in imports.items()
             if any(item.at_top and name.split(".")[0] in HEAVY for item in statements for name in item.names)}
    while more := {module for module, needs in edges.items() if needs & heavy} - heavy:
        heavy |= more
    return heavy


def circle(edges: dict[str, set[str]]) -> list[str]:
    """The first circle of imports, as a list of modules whose first and last are equal; empty without a circle."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def faults_of(root: Path) -> tuple[list[str], int]:
    """Every fault of a checkout as a sentence, and the number of own imports inside functions."""
    package = root / NAME
    positions, faults = numbered(root / "nbs")
    files = {".".join(path.relative_to(package).with_suffix("").parts): path for path in sorted(package.rglob("*.py"))
             if path.name not in {"__init__.py", "_modidx.py"}}
    imports = {module: imports_of(path, root) for module, path in files.items()}
    product = [module for module in files if module.split(".")[0] not in {"tests", "testing"}]
    own = {module: [(item, target) for item in imports[module] for name in item.names
                    if (target := own_module(name, set(files))) not in {None, module}] for module in files}
    top = {module: {target for item, target in own[module] if item.at_top} for module in files}
    heavy, lazy = heavy_modules(imports, top), set()
    for module in product:
        for item, target in own[module]:
            where = f"{files[module]}:{item.line}"
            if target.split(".")[0] in {"tests", "testing"}:
                faults.append(f"{where}: product code imports {target}")
            elif module in positions and target in positions and positions[target] > positions[module]:
                faults.append(
                    f"{where}: {target} ({'/'.join(positions[target])}) comes after {'/'.join(positions[module])}"
                )
            if not item.at_top:
                lazy.add((module, item.line))
                if target not in heavy:
                    faults.append(
                        f"{where}: {target} is imported inside a function, though it loads no heavy optional package"
                    )
        for item in imports[module]:
            roots = {name.split(".")[0] for name in item.names}
            if roots & DEVELOPMENT:
                faults.append(
                    f"{files[module]}:{item.line}: {', '.join(sorted(roots & DEVELOPMENT))} is for development only"
                )
            if roots & TRAINING and item.at_top and module.split(".")[0] != "model":
                faults.append(
                    f"{files[module]}:{item.line}: {', '.join(sorted(roots & TRAINING))} "
                    "at the top of a module outside model/"
                )
    if ring := circle({module: {target for _, target in own[module]} for module in files}):
        faults.append(f"circle of imports: {' -> '.join(ring)}")
    if len(lazy) > MOST_LAZY:
        faults.append(f"{len(lazy)} imports of own modules inside functions; at most {MOST_LAZY} are allowed")
    return list(dict.fromkeys(faults)), len(lazy)


def main(root: Path) -> int:
    """Check a checkout; print its faults, or one line that says what was checked."""
    faults, lazy = faults_of(root)
    print("\n".join(faults) or f"imports run one way; no circle; {lazy} imports of own modules inside functions")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
