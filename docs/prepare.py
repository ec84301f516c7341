"""Write the source of the documentation: pages, reference, guides and the literate source, ready for Sphinx.

The pages of docs/ are copied. The reference is generated from the models of dataset.yaml, from the commands of ttm and
from the routes of the service, so it cannot differ from them. Guides are executed (each in its own kernel, two at a
time) and keep their outputs; the literate source is shown without execution, without nbdev's directives, and its
assertion cells are folded.

Usage: python docs/prepare.py TARGET [--no-execute]
"""

import argparse
import ast
import base64
import json
import os
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from reference import write_reference  # noqa: E402
from run_guides import executed_guides  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK_NAME = re.compile(r"(?<!\!)\[(\d\d_[a-z_0-9]+)\](?!\()")
EMBEDDED_SVG = re.compile(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)")
PRODUCT_FOLDER = re.compile(r"\d\d_\w+")


def cells_of(notebook: Path) -> list[dict]:
    """The cells of a notebook."""
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def title_and_subtitle(notebook: Path) -> tuple[str, str]:
    """The H1 of a notebook and the line below it."""
    lines = [line.strip() for line in "".join(cells_of(notebook)[0]["source"]).splitlines() if line.strip()]
    return lines[0].lstrip("# "), lines[1].lstrip("> ") if len(lines) > 1 else ""


def only_assertions(source: str) -> bool:
    """Whether a cell holds assertions and nothing else."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False
    return bool(body) and all(isinstance(node, ast.Assert) for node in body)


def shown_cell(cell: dict) -> dict | None:
    """A cell of the literate source as the page shows it; None for a hidden one."""
    source = "".join(cell["source"])
    if cell["cell_type"] != "code":
        return cell
    if re.search(r"^#\| *hide", source, re.M):
        return None
    shown = "\n".join(line for line in source.splitlines() if not line.startswith("#|")).strip("\n")
    if not shown:
        return None
    tags = ["hide-input"] if only_assertions(shown) else []
    return {**cell, "source": shown, "metadata": {"tags": tags}}


def linked(text: str, page: Path, notebooks: dict[str, Path]) -> str:
    """Link each `[NN_name]` that names exactly one notebook."""

    def link(match: re.Match) -> str:
        target = notebooks.get(match.group(1))
        return f"[{match.group(1)}]({Path(os.path.relpath(target, page.parent)).as_posix()})" if target else f"`{match.group(1)}`"

    return NOTEBOOK_NAME.sub(link, text)


def write_literate(target: Path) -> None:
    """Copy the numbered notebooks to `target`/source, with an index by folder."""
    paths = [path.relative_to(ROOT / "nbs") for path in sorted((ROOT / "nbs").rglob("*.ipynb"))]
    paths = [path for path in paths if ".ipynb_checkpoints" not in path.parts
             and (PRODUCT_FOLDER.fullmatch(path.parts[0]) or re.match(r"\d\d_", path.name) and len(path.parts) == 1)]
    stems: dict[str, Path] = {}
    for path in paths:
        stems[path.stem] = None if path.stem in stems else path
    stems = {stem: path for stem, path in stems.items() if path}
    index = ["# The literate source", "",
             "Every module is written as a notebook. The number of a notebook gives the order of imports: a module "
             "imports only modules with lower numbers. Cells that only check are folded.", ""]
    for path in paths:
        notebook = json.loads((ROOT / "nbs" / path).read_text(encoding="utf-8"))
        shown = [cell for cell in map(shown_cell, notebook["cells"]) if cell]
        for cell in shown:
            if cell["cell_type"] == "markdown":
                cell["source"] = linked("".join(cell["source"]), path, stems)
        notebook["cells"] = shown
        file = target / "source" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(notebook, ensure_ascii=False), encoding="utf-8")
    folder = None
    for path in paths:
        if str(path.parent) != folder:
            folder = str(path.parent)
            index += [*([] if index[-1] == "" else ["", ":::", ""]),
                      f"## {'Public names' if folder == '.' else folder}", "", ":::{list-table}", ":widths: 30 70", ""]
        title, subtitle = title_and_subtitle(ROOT / "nbs" / path)
        index += [f"* - [{path.stem}]({path.as_posix()})", f"  - **{title}.** {subtitle}"]
    index += [":::", "", "```{toctree}", ":hidden:", "", *(path.with_suffix("").as_posix() for path in paths), "```", ""]
    (target / "source" / "index.md").write_text("\n".join(index), encoding="utf-8")


def thumbnail(notebook: dict) -> tuple[str, bytes] | None:
    """File ending and content of the picture of the cell with the tag `thumbnail`, else of the first picture."""
    cells = notebook["cells"]
    marked = [cell for cell in cells if "thumbnail" in cell.get("metadata", {}).get("tags", [])]
    for cell in [*marked, *cells]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                return "png", base64.b64decode(data["image/png"])
            if embedded := EMBEDDED_SVG.search("".join(data.get("text/html", ""))):
                return "svg", base64.b64decode(embedded.group(1))
    return None


def write_guides(target: Path, execute: bool) -> None:
    """Put the guides into `target`/guides, with a gallery."""
    guides = executed_guides(ROOT) if execute else sorted((ROOT / "nbs" / "guides").glob("*.ipynb"))
    folder = target / "guides"
    (folder / "thumbnails").mkdir(parents=True, exist_ok=True)
    cards, names = [], []
    for guide in guides:
        notebook = json.loads(guide.read_text(encoding="utf-8"))
        picture = thumbnail(notebook)
        for cell in notebook["cells"]:
            cell["metadata"] = {"tags": [tag for tag in cell.get("metadata", {}).get("tags", []) if tag != "thumbnail"]}
            if "injected-parameters" in cell["metadata"]["tags"]:
                cell["metadata"]["tags"] = ["remove-cell"]
            for output in cell.get("outputs", []):
                output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
        notebook["metadata"].pop("widgets", None)
        (folder / guide.name).write_text(json.dumps(notebook, ensure_ascii=False), encoding="utf-8")
        title, subtitle = title_and_subtitle(guide)
        if picture:
            (folder / "thumbnails" / f"{guide.stem}.{picture[0]}").write_bytes(picture[1])
        cards += [f":::{{grid-item-card}} {title}", f":link: {guide.stem}", ":link-type: doc",
                  *([f":img-top: thumbnails/{guide.stem}.{picture[0]}", f":img-alt: a figure of the guide: {title}"] if picture else []),
                  "", subtitle, ":::", ""]
        names.append(guide.stem)
    text = (ROOT / "docs" / "guides" / "index.md").read_text(encoding="utf-8")
    gallery = ["::::{grid} 1 2 3 3", ":gutter: 3", ":class-container: gallery", "", *cards, "::::", "", "```{toctree}",
               ":hidden:", "", *names, "```"]
    (folder / "index.md").write_text(text.replace("<!-- gallery -->", "\n".join(gallery)), encoding="utf-8")


def main(target: Path, execute: bool) -> None:
    """Write everything below `target`, which is emptied first."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "docs", target, ignore=shutil.ignore_patterns("__pycache__", "prepare.py", "check_site.py", "pictures.py", "run_guides.py"))
    for name in ("CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copyfile(ROOT / name, target / "developer" / name.lower())
    write_reference(target / "reference")
    write_literate(target)
    write_guides(target, execute)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("target", type=Path)
    options.add_argument("--no-execute", action="store_true")
    chosen_options = options.parse_args()
    main(chosen_options.target.resolve(), not chosen_options.no_execute)
