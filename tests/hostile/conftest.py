"""The arena that all attacks of a module share, and the table that is printed of them."""

from __future__ import annotations

import os
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
        terminalreporter.section(f"attacks, as {'root' if os.getuid() == 0 else f'user {os.getuid()}'}")
        terminalreporter.write_line(Report.heading())
        for each in reports:
            terminalreporter.write_line(each.row())
        terminalreporter.write_line(summary(reports))


def summary(reports: list[Report]) -> str:
    """The table's last line."""
    wrong = sum(bool(each.objection) for each in reports)
    left = sum(bool(each.left) for each in reports)
    worst_ms = max(each.victim_ms for each in reports)
    return (
        f"{len(reports)} inputs: {wrong or 'none'} not allowed, {left or 'none'} left anything behind;"
        f" the neighbour's slowest answer took {worst_ms:.0f} ms"
    )
