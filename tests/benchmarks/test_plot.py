"""Plots of a record; where matplotlib is not installed, that is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import machine, plot
from benchmarks.figure import Curve, Figure
from benchmarks.floors import Floors
from benchmarks.record import Record

FLOORS = Floors(50e-6, 100e-6, 5e-6)


@pytest.fixture
def record() -> Record:
    percentiles = [(float(rank), 1e-4 * (1 + rank)) for rank in range(101)]
    return Record(
        machine.here(),
        ["1", "5"],
        is_quick=False,
        started_s=1.0,
        figures=[Figure("1", "feed, memory journal", 1e-4, "s", FLOORS, None, 100, 50, percentiles)],
        curves=[Curve("5", "throughput", "asyncio", "sessions", "feeds/s", [(1, 5000), (64, 15000)])],
    )


def test_what_was_measured_is_drawn_and_nothing_else(record: Record, tmp_path: Path) -> None:
    assert [path.name for path in plot.draw(record, tmp_path)] == ["latency.svg", "throughput.svg"]
    drawn = (tmp_path / "latency.svg").read_text()
    assert "feed, memory journal" in drawn
    assert "milliseconds" in drawn
    assert "feeds/s" in (tmp_path / "throughput.svg").read_text()


def test_the_same_record_gives_the_same_picture(record: Record, tmp_path: Path) -> None:
    (first,) = [path.read_bytes() for path in plot.draw(record, tmp_path) if path.stem == "latency"]
    (again,) = [path.read_bytes() for path in plot.draw(record, tmp_path) if path.stem == "latency"]
    assert first == again


def test_without_matplotlib_the_run_goes_on_and_says_so(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    command.draw(record, tmp_path)
    assert "extra `bench`" in capsys.readouterr().err
