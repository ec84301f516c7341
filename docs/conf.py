"""Configuration of the documentation. `make docs` builds it from the folder that docs/prepare.py writes."""

import sys
from configparser import ConfigParser
from pathlib import Path

import ttm_notebooks

ROOT = next(path for path in Path(ttm_notebooks.__file__).parents if (path / "settings.ini").is_file())
sys.path.insert(0, str(Path(__file__).parent))
parser = ConfigParser(delimiters=["="], interpolation=None)
parser.read(ROOT / "settings.ini", encoding="utf-8")

project = "ttm_notebooks"
author = parser["DEFAULT"]["author"]
copyright = parser["DEFAULT"]["copyright"]
version = release = ttm_notebooks.__version__
language = "en"

extensions = ["myst_nb", "sphinx_design", "sphinx_copybutton", "sphinx.ext.autodoc", "sphinx.ext.autosummary",
              "sphinx.ext.viewcode"]
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["custom.css"]
exclude_patterns = ["_build", "_templates"]
myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline", "attrs_block"]
myst_heading_anchors = 3
# Notebooks are executed before the build, by docs/prepare.py; the build itself executes nothing.
nb_execution_mode = "off"
# A page must open without a network: no script from a content delivery network, no mathematics by MathJax.
nb_ipywidgets_js = {}
nb_merge_streams = True
myst_dmath_double_inline = False
suppress_warnings = ["mystnb.unknown_mime_type"]

autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
default_role = "code"
add_module_names = False
viewcode_follow_imported_members = False

html_theme = "pydata_sphinx_theme"
html_title = f"ttm_notebooks {version}"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 8,
    "show_toc_level": 2,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "default",
    "pygments_dark_style": "github-dark",
    "logo": {"text": "ttm_notebooks"},
}
html_sidebars = {"index": [], "planner/index": [], "glossary": []}


def setup(app) -> None:
    """Read docstrings, which are plain text with `code`, as reStructuredText."""
    from docstrings import as_restructured_text

    app.connect("autodoc-process-docstring", as_restructured_text)
