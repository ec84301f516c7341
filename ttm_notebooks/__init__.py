"""Weekly demand forecasting that planners trust: the public names, each imported when it is first used."""

__version__ = "0.4.0"

from ttm_notebooks.facade import PUBLIC_NAMES, load_public_name as __getattr__  # noqa: F401 (read by the import system)


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted([*globals(), *PUBLIC_NAMES])
