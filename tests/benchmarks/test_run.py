"""The command: which rows, what it keeps when a row fails or a user interrupts, and that each row runs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import machine
from benchmarks.figure import Curve, Figure
from benchmarks.floors import Floors, measure
from benchmarks.record import Record, load
from benchmarks.row import Row, Run
from benchmarks.rows import ROWS
from moonward.load.progress import Progress


@pytest.fixture
def record() -> Record:
    return Record(machine.here(), ["a", "b"], is_quick=True, started_s=1.0)


def one_figure(run: Run) -> Iterator[Figure | Curve]:
    """Yields a figure and a curve."""
    yield run.spread("times", [0.1, 0.2, 0.3])
    yield run.curve("plot", "line", "x", "y", [(1, 2), (3, 4)])


def a_figure_then_an_error(run: Run) -> Iterator[Figure | Curve]:
    """Yields a figure, then fails."""
    yield run.figure("first", 1.0, "s")
    raise OSError("disk on fire")


def a_figure_then_an_interruption(run: Run) -> Iterator[Figure | Curve]:
    """Yields a figure, then is interrupted."""
    yield run.figure("first", 1.0, "s")
    raise KeyboardInterrupt


def test_every_row_has_a_key_of_its_own_and_says_how_it_is_measured() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert len(row.method) > 80, row.key


def test_rows_are_chosen_by_their_keys() -> None:
    assert [row.key for row in command.choose("3, 1")] == ["3", "1"]
    assert command.choose(None) == list(ROWS)
    with pytest.raises(SystemExit, match="no row 99"):
        command.choose("1 99")


def test_what_was_measured_can_be_read_again(record: Record, tmp_path: Path) -> None:
    assert command.measure([Row("a", "A", one_figure)], record, tmp_path) == 0
    again = load(tmp_path / "bench.json")
    assert (again.figures, again.curves) == (record.figures, record.curves)
    assert again.figures[0].value == 0.2
    assert again.figures[0].percentiles[-1] == (100, 0.3)
    assert again.machine == record.machine


def test_a_row_that_fails_is_told_and_the_others_are_measured(record: Record, tmp_path: Path) -> None:
    rows = [Row("a", "A", a_figure_then_an_error), Row("b", "B", one_figure)]
    assert command.measure(rows, record, tmp_path) == 1
    assert [(each.row, each.error) for each in record.failures] == [("a", "OSError: disk on fire")]
    assert [each.name for each in record.figures] == ["first", "times"]
    assert not record.is_complete


def test_an_interrupted_run_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "ROWS", [Row("a", "A", a_figure_then_an_interruption), ROWS[0]])
    assert command.main(["--quick", "--out", str(tmp_path)]) == command.INTERRUPTED
    kept = load(tmp_path / "bench.json")
    assert [each.name for each in kept.figures] == ["first"]
    assert not kept.is_complete
    assert "interrupted" in capsys.readouterr().out
    assert [each.name for each in tmp_path.iterdir()] == ["bench.json"]


def test_the_methods_are_shown_without_measuring(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--explain", "--rows", "1"]) == 0
    assert "10,000 samples" in capsys.readouterr().out


def test_progress_without_a_terminal_is_a_line_now_and_then() -> None:
    screen = io.StringIO()
    progress = Progress(screen)
    progress.step("row 1")
    for done in range(1000):
        progress.count(done, 1000)
    assert screen.getvalue() == "row 1\n"


def test_the_floors_are_times(tmp_path: Path) -> None:
    floors = measure(tmp_path)
    assert 0 < floors.pipe_s < 1
    assert 0 < floors.same_processor_s < 1
    assert 0 < floors.sync_s < 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"row-{row.key}")
def test_each_row_runs_in_its_quick_form(row: Row, tmp_path: Path) -> None:
    floors = Floors(50e-6, 100e-6, 5e-6)
    run = Run(row.key, tmp_path, Progress(io.StringIO()), quick=True, measure_floors=lambda _: floors)
    found = list(row.measure(run))
    figures = [each for each in found if isinstance(each, Figure)]
    assert figures
    assert all(each.row == row.key for each in figures)
    # what others do shows in MemAvailable
    assert all(each.value > 0 for each in figures if "MemAvailable" not in each.name)
    assert all(len(each.points) > 1 for each in found if isinstance(each, Curve))
