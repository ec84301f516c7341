"""Check the built documentation: no dead link, nothing loaded from another host, every public name and option described.

Links between pages, anchors and pictures are checked in the built HTML. Links to other sites are only listed; with
--external each is requested, where a network is.

Usage: python docs/check_site.py SITE [--external]
"""

import argparse
import importlib
import inspect
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import sphinx.util.inventory
import typer

sys.path.insert(0, str(Path(__file__).parent))
from reference import public_modules  # noqa: E402

LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
PASSIVE_LINKS = {"canonical", "next", "prev", "index", "search", "help", "author", "copyright", "top", "up"}


class Page(HTMLParser):
    """The links, loaded files and anchors of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what a tag links, loads and names."""
        values = dict(attrs)
        self.anchors.update(filter(None, (values.get("id"), values.get("name"))))
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag in LOADING and values.get(LOADING[tag]) and not (tag == "link" and values.get("rel") in PASSIVE_LINKS):
            self.loaded.append(values[LOADING[tag]])


def read_pages(site: Path) -> dict[Path, Page]:
    """Every page of the site."""
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))
            if "_static" not in path.parts}


def is_external(link: str) -> bool:
    """Whether a link leads to another host."""
    return bool(urlsplit(link).scheme or urlsplit(link).netloc)


def dead_links(site: Path, pages: dict[Path, Page]) -> list[str]:
    """Links between pages, anchors and files that do not exist."""
    faults = []
    for path, page in pages.items():
        for link in {*page.links, *page.loaded}:
            if is_external(link) or link.startswith(("data:", "#top")) or link in ("#", "#!"):
                continue
            address, fragment = urldefrag(link)
            target = (path.parent / unquote(urlsplit(address).path)).resolve() if address else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                faults.append(f"{path.relative_to(site)}: no file {link}")
            elif fragment and target in pages and unquote(fragment) not in pages[target].anchors:
                faults.append(f"{path.relative_to(site)}: no anchor {link}")
    return faults


def loads_from_elsewhere(site: Path, pages: dict[Path, Page]) -> list[str]:
    """Scripts, styles and pictures that another host would deliver."""
    return [f"{path.relative_to(site)}: loads {link}" for path, page in pages.items() for link in page.loaded
            if is_external(link) and not link.startswith("data:")]


def undescribed_names(site: Path) -> list[str]:
    """Public names that the reference does not hold."""
    with (site / "objects.inv").open("rb") as stream:
        inventory = sphinx.util.inventory.InventoryFile.load(stream, "", lambda base, name: name)
    described = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    faults = []
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        definitions = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
        faults += [f"reference/api: no {module_name}.{name}" for name, item in definitions.items()
                   if (inspect.isfunction(item) or inspect.isclass(item)) and item.__module__ == module_name
                   and f"{module_name}.{name}" not in described]
    return faults


def undescribed_options(site: Path) -> list[str]:
    """Commands and options that the page about `ttm` does not hold."""
    text = re.sub(r"<[^>]+>", "", (site / "reference" / "ttm.html").read_text(encoding="utf-8"))
    root = typer.main.get_command(importlib.import_module("ttm_notebooks.cli.main").app)
    faults, queue = [], [("ttm", root)]
    while queue:
        name, command = queue.pop()
        children = getattr(command, "commands", {})
        queue += [(f"{name} {child}", item) for child, item in children.items() if not item.hidden]
        if name != "ttm" and name not in text:
            faults.append(f"reference/ttm: no command {name}")
        faults += [f"reference/ttm: no option {option} of {name}" for parameter in command.params for option in parameter.opts
                   if name != "ttm" and option.startswith("--") and option != "--help"
                   and not getattr(parameter, "hidden", False) and option not in text]
    return faults


def external_links(pages: dict[Path, Page]) -> list[str]:
    """Addresses of other sites, without those of documentation examples."""
    links = {urldefrag(link)[0] for page in pages.values() for link in page.links if is_external(link)}
    return sorted(link for link in links if link.startswith("http") and ".example" not in link and "example." not in link
                  and "127.0.0.1" not in link)


def unreachable(links: list[str]) -> list[str]:
    """Links that do not answer."""
    import requests

    faults = []
    for link in links:
        try:
            status = requests.get(link, timeout=20, headers={"User-Agent": "Mozilla/5.0"}, stream=True).status_code
            faults += [f"{link}: status {status}"] if status >= 400 and status not in (403, 429) else []
        except requests.RequestException as error:
            faults.append(f"{link}: {type(error).__name__}")
    return faults


def main(site: Path, external: bool) -> int:
    """Print each fault; return the exit code."""
    pages = read_pages(site)
    links = external_links(pages)
    faults = [*dead_links(site, pages), *loads_from_elsewhere(site, pages), *undescribed_names(site), *undescribed_options(site)]
    if external:
        faults += unreachable(links)
    print("\n".join(faults) or f"{len(pages)} pages: no dead link, nothing loaded from elsewhere, every public name and "
          f"option described; {len(links)} links to other sites{'' if external else ' (not requested)'}")
    return int(bool(faults))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--external", action="store_true")
    options = parser.parse_args()
    sys.exit(main(options.site.resolve(), options.external))
