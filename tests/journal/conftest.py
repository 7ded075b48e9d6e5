"""Fixtures of the journal's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .desk import Office


@pytest.fixture
def office() -> Iterator[Office]:
    """A loop, and the stores on it."""
    office = Office()
    yield office
    office.close()
    assert not office.errors, office.errors
