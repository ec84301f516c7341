"""Remove the outputs of every notebook and keep its tags; with --check list the notebooks that are not clean (exit 1).

nbdev_clean keeps outputs, and its option --clear_all removes the tags by which papermill locates the parameters cell.
Usage: python tools/clean.py [--check]
"""

import hashlib
import json
import sys
from pathlib import Path

from execnb.nbio import nb2str, read_nb
from nbdev.clean import clean_nb

FOLDERS = ("nbs", "reports")
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def cleaned(path: Path) -> str:
    """The text of a notebook without outputs and execution counts, with tags and stable cell ids."""
    notebook = read_nb(path)
    clean_nb(notebook, allowed_cell_metadata_keys={"tags"})
    notebook["metadata"], notebook["nbformat"], notebook["nbformat_minor"] = KERNEL, 4, 5
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        source = "".join(cell.source)
        seen[source] = seen.get(source, 0) + 1
        cell["id"] = cell.get("id") or hashlib.sha256(f"{seen[source]}{source}".encode()).hexdigest()[:8]
        if cell.cell_type == "code":
            cell["outputs"], cell["execution_count"] = [], None
    plain = json.loads(nb2str(notebook))
    return json.dumps(plain, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def main(check: bool) -> int:
    """Clean all notebooks, or list those that are not clean."""
    paths = [path for folder in FOLDERS for path in sorted(Path(folder).rglob("*.ipynb"))
             if ".ipynb_checkpoints" not in path.parts and "output" not in path.parts]
    dirty = [path for path in paths if cleaned(path) != path.read_text(encoding="utf-8")]
    for path in dirty:
        print(f"{path}: {'not clean (run: make clean-notebooks)' if check else 'cleaned'}")
        if not check:
            path.write_text(cleaned(path), encoding="utf-8")
    return int(check and bool(dirty))


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
