"""Check the countable rules of the code style. Exit 1 prints each fault; CONTRIBUTING.md explains the limits.

Rules: code lines of at most 120 columns; modules of at most 450 lines; no public name defined in two modules; no
variable or parameter without a meaning (`found`, `place`, `one`, ...); no words of a private language in code or prose;
test names that state unit, condition and result.

Usage: python tools/style.py
"""

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path("ttm_notebooks")
MOST_COLUMNS, LONG_LINES_ALLOWED = 120, 0.01
MOST_LINES, LONG_MODULES_ALLOWED = 450, {"forecast/cold_start.py"}
EMPTY_NAMES = {"found", "place", "one", "told", "house", "whoever", "thing"}
PRIVATE_WORDS = re.compile(r"\b(told|whoever|nobody|somebody|anew)\b", re.I)
MOST_PRIVATE_WORDS = 20
TEST_NAME = re.compile(r"test(_[a-z0-9]+){3,}$")


def modules(tests: bool = False) -> list[Path]:
    """Exported modules, those of tests on request."""
    return [path for path in sorted(PACKAGE.rglob("*.py"))
            if path.name not in {"_modidx.py", "__init__.py"} and ("tests" in path.parts) <= tests]


def scripts() -> list[Path]:
    """Modules, tools and benchmarks, the files whose lines are counted."""
    return [*modules(tests=True), *sorted(Path("tools").glob("*.py")), *sorted(Path("benchmarks").glob("*.py"))]


def texts() -> Iterator[tuple[Path, str]]:
    """Path and text of every notebook (code and prose), tool and benchmark."""
    for folder in ("nbs", "reports"):
        for path in sorted(Path(folder).rglob("*.ipynb")):
            if not {".ipynb_checkpoints", "output"} & set(path.parts):
                cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
                yield path, "\n".join("".join(cell["source"]) for cell in cells)
    for path in [*sorted(Path("tools").glob("*.py")), *sorted(Path("benchmarks").glob("*.py"))]:
        if path.name != "style.py":
            yield path, path.read_text(encoding="utf-8")


def long_lines() -> list[str]:
    """A fault if more than one line in a hundred is over 120 columns."""
    lines = [
        line
        for path in scripts()
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.startswith("# %%")
    ]
    long = sum(len(line) > MOST_COLUMNS for line in lines)
    return (
        [f"{long} of {len(lines)} code lines are over {MOST_COLUMNS} columns"]
        if long > LONG_LINES_ALLOWED * len(lines)
        else []
    )


def long_modules() -> list[str]:
    """Modules of more than 450 lines."""
    counts = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()
    }
    return [f"{name}: {count} lines, at most {MOST_LINES}" for name, count in counts.items()
            if count > MOST_LINES and name not in LONG_MODULES_ALLOWED]


def public_names(path: Path) -> Iterator[str]:
    """Names that a module defines at its top and that do not begin with an underscore."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def shared_names() -> list[str]:
    """Public names that two modules define."""
    owners: dict[str, set[str]] = defaultdict(set)
    for path in modules():
        for name in public_names(path):
            if not name.startswith("_"):
                owners[name].add(path.relative_to(PACKAGE).as_posix())
    return [
        f"{name} is defined in {', '.join(sorted(where))}" for name, where in sorted(owners.items()) if len(where) > 1
    ]


def empty_names() -> list[str]:
    """Variables and parameters whose name does not say what they hold."""
    faults = []
    for path in scripts():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = (
                node.id
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
                else getattr(node, "arg", None)
            )
            if name in EMPTY_NAMES and isinstance(node, (ast.Name, ast.arg)):
                faults.append(f"{path}:{node.lineno}: a variable named {name}")
    return faults


def private_words() -> list[str]:
    """Words of a private language, if there are more than twenty in total."""
    counts = {path: len(PRIVATE_WORDS.findall(text)) for path, text in texts()}
    listed = [f"{path}: {count} words of a private language" for path, count in counts.items() if count]
    return listed if sum(counts.values()) > MOST_PRIVATE_WORDS else []


def test_names() -> list[str]:
    """Test functions whose names do not state unit, condition and result."""
    return [
        f"{path}:{node.lineno}: {node.name} is not test_<unit>_<condition>_<result>"
        for path in modules(tests=True)
        if "tests" in path.parts
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not TEST_NAME.match(node.name)
    ]


def main() -> int:
    """Print every fault."""
    faults = [*long_lines(), *long_modules(), *shared_names(), *empty_names(), *private_words(), *test_names()]
    print("\n".join(faults) or "style: lines, modules, names and words are within their limits")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
