"""The arena that all attacks of a module share, and the table that is printed of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .arena import Arena
from .attack import Report

REPORTS: pytest.StashKey[list[Report]] = pytest.StashKey()


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with Arena(tmp_path_factory.mktemp("arena")) as arena:
        yield arena


@pytest.fixture
def report(request: pytest.FixtureRequest) -> list[Report]:
    """Where reports go that the table shows."""
    return request.config.stash.setdefault(REPORTS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = config.stash.get(REPORTS, [])
    if reports and "hostile" in (config.getoption("-m") or ""):
        terminalreporter.section("attacks")
        terminalreporter.write_line(Report.heading())
        for each in reports:
            terminalreporter.write_line(each.row())
