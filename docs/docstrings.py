"""Docstrings of the package are plain text with `code` in single backticks. Sphinx reads reStructuredText.

The conversion keeps paragraphs, lists and indented examples, and escapes the characters that reStructuredText would
interpret.
"""

import re

CODE = re.compile(r"(`[^`\n]+`)")
SPECIAL = re.compile(r"([*|\\])|(?<=\w)_(?=\W|$)")
BULLET = re.compile(r"^\s*[-*] ")


def _escaped(text: str) -> str:
    """Escape the markup characters outside `code`."""
    parts = CODE.split(text)
    for index, part in enumerate(parts):
        if not CODE.fullmatch(part):
            parts[index] = SPECIAL.sub(lambda match: "\\" + match.group(0), part).replace("`", "\\`")
            continue
        parts[index] = part.replace("\\", "\\\\")
        if parts[index + 1][:1].isalnum() or parts[index + 1][:1] == "_":
            parts[index + 1] = "\\ " + parts[index + 1]  # markup must not touch a word
    return "".join(parts)


def as_restructured_text(app, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Rewrite `lines` in place; paragraphs stay paragraphs, indented lines become literal blocks.

    A docstring that a method inherits from another package is left out.
    """
    if what == "method" and not (getattr(obj, "__doc__", None) or "").strip() and name.endswith(".forward"):
        lines[:] = []
    blocks, block = [], []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line.rstrip())
        elif block:
            blocks.append(block)
            block = []
    result: list[str] = []
    for block in blocks:
        if all(line.startswith("    ") for line in block):
            result += ["::", "", *block, ""]
        elif any(BULLET.match(line) for line in block):
            for line in block:
                item = BULLET.match(line)
                text = _escaped(line[item.end():] if item else line.strip())
                if item and result and result[-1] and not result[-1].startswith(("- ", "  ")):
                    result.append("")
                result.append(f"- {text}" if item else (f"  {text}" if result and result[-1].startswith(("- ", "  ")) else text))
            result.append("")
        else:
            result += [*(_escaped(line.strip()) for line in block), ""]
    lines[:] = result
