"""Write README.md from nbs/index.ipynb: markdown as it is, code cells fenced, directives and hidden cells left out.

Usage: python tools/readme.py
"""

import json
from pathlib import Path

NOTE = "<!-- Written by tools/readme.py from nbs/index.ipynb: edit the notebook. -->\n\n"


def rendered(cell: dict) -> str | None:
    """One cell as markdown, None if it is hidden."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    lines = source.splitlines()
    if any(line.startswith("#| hide") for line in lines):
        return None
    code = "\n".join(line for line in lines if not line.startswith("#|"))
    return f"```python\n{code}\n```" if code.strip() else None


def main() -> None:
    """Render the whole notebook."""
    cells = json.loads(Path("nbs/index.ipynb").read_text(encoding="utf-8"))["cells"]
    parts = [text for cell in cells if (text := rendered(cell))]
    Path("README.md").write_text(NOTE + "\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
