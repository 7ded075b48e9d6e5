"""Hosts that are closed when their test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moonward.actors.host.calls import HostCalls


@pytest.fixture
def open_host(tmp_path: Path) -> Iterator[Callable[..., HostCalls]]:
    """Opens another host over a data directory, by default the test's own."""
    opened: list[HostCalls] = []

    def open_one(data_dir: Path = tmp_path, **options: Any) -> HostCalls:
        opened.append(HostCalls(data_dir, **options))
        return opened[-1]

    yield open_one
    for calls in opened:
        calls.close()


@pytest.fixture
def host(open_host: Callable[..., HostCalls]) -> HostCalls:
    """A host over the test's own directory."""
    return open_host()
