"""What holds for every test."""

from collections.abc import Iterator

import pytest

from ..core import errors


@pytest.fixture(autouse=True)
def secrets_of_other_tests_are_forgotten() -> Iterator[None]:
    """Forget the secrets that a test looked up: an error of the next test must not hide its words."""
    before = set(errors._SPELLINGS)
    yield
    errors._SPELLINGS.clear()
    errors._SPELLINGS.update(before)
    errors._pattern.cache_clear()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case of bytes by its argument: archives hold the time, so their bytes differ between two test processes."""
    return argname if isinstance(val, bytes) else None
