"""Installs ttm_notebooks as settings.ini describes it.

nbdev's own template imports pkg_resources, which today's setuptools no longer has; configparser does all it did.
"""

import shutil
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
parser = ConfigParser(delimiters=["="], interpolation=None)
parser.read(HERE / "settings.ini", encoding="utf-8")
settings = parser["DEFAULT"]


def lines(key: str) -> list[str]:
    """The non-empty lines of a multi-line setting."""
    return [line.strip() for line in settings.get(key, "").splitlines() if line.strip()]


class BuildWithTemplates(build_py):
    """Puts the report templates into the wheel; a checkout reads them from reports/."""

    def run(self) -> None:
        super().run()
        target = Path(self.build_lib) / "ttm_notebooks" / "templates"
        target.mkdir(parents=True, exist_ok=True)
        for template in sorted((HERE / "reports").glob("*.ipynb")):
            shutil.copyfile(template, target / template.name)


extras = {key.removesuffix("_requirements"): lines(key) for key in settings if key.endswith("_requirements")}

setup(
    name=settings["lib_name"],
    version=settings["version"],
    description=settings["description"],
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author=settings["author"],
    license="Apache-2.0",
    keywords=settings["keywords"].split(),
    packages=find_packages(include=["ttm_notebooks", "ttm_notebooks.*"], exclude=["ttm_notebooks.tests", "ttm_notebooks.tests.*"]),
    package_data={"ttm_notebooks": ["weights/*/*", "report/texts.yaml", "report/templates/*"]},
    python_requires=f">={settings['min_python']}",
    install_requires=lines("requirements"),
    extras_require=extras,
    entry_points={"console_scripts": lines("console_scripts"),
                  "nbdev": [f"{settings['lib_name']}={settings['lib_path']}._modidx:d"]},
    cmdclass={"build_py": BuildWithTemplates},
    zip_safe=False,
)
