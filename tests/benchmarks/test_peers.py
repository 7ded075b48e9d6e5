"""The comparison: what a peer's program tells, what is made of it, and that nothing of it stays."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.floors import Floors
from benchmarks.peers import __main__ as command
from benchmarks.peers import table
from benchmarks.peers.outcome import Comparison, Latency, Loss, Outcome, load
from benchmarks.peers.peer import number_of, question
from benchmarks.peers.programs import BY_KEY, PROGRAMS
from benchmarks.peers.trial import expect, samples
from moonward.load.progress import Progress
from moonward.testing.leftovers import descendants

HERE = Path(sys.prefix)


def measured(key: str, folder: Path) -> Outcome:
    program = BY_KEY[key]
    outcome = Outcome(program.key, program.title)
    command.one(program, outcome, folder, HERE, Progress(io.StringIO()), quick=True)
    return outcome


def killed(key: str, folder: Path) -> list[tuple[str, bool]]:
    program = BY_KEY[key]
    outcome = Outcome(program.key, program.title)
    command.kill(program, outcome, folder, Path(sys.executable), Progress(io.StringIO()))
    return [(loss.what, loss.kept) for loss in outcome.losses]


def test_a_question_says_which_it_is_and_has_64_bytes() -> None:
    assert len(question(12345)) == 64
    assert number_of(question(12345)) == 12345
    with pytest.raises(ValueError, match="not a question"):
        number_of("What else?")
    with pytest.raises(ValueError, match="asked question 2, not 3"):
        expect(3, question(2))


def test_every_peer_has_a_file_and_every_package_a_pin(tree: Path) -> None:
    programs = tree / "benchmarks" / "peers" / "programs"
    assert {program.module for program in PROGRAMS} == {
        path.stem for path in programs.glob("*.py") if path.stem != "__init__"
    }
    lines = (tree / "benchmarks" / "peers" / "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in lines if not line.startswith("#"))


def test_slow_samples_are_few_but_some() -> None:
    assert len(samples(lambda: 1.0, 100, 0.0)) == 3
    assert len(samples(lambda: 1.0, 2, 10.0)) == 2


def test_a_peer_is_measured_in_a_process_of_its_own_of_which_nothing_stays(tmp_path: Path) -> None:
    before = descendants(os.getpid())
    outcome = measured("pool", tmp_path)
    assert outcome.versions.keys() == {"lupa"}
    assert outcome.start is not None
    assert outcome.answer is not None
    assert 0 < outcome.answer.median_s <= outcome.answer.p99_s
    assert outcome.rate
    assert outcome.memory_units
    assert not descendants(os.getpid()) - before


def test_what_goes_on_after_a_kill_is_shown_by_killing(tmp_path: Path) -> None:
    assert killed("moonward-sqlite", tmp_path / "ours") == [("process", True), ("program", True)]
    assert killed("pool", tmp_path / "by-hand") == [("process", False), ("program", False)]


def test_what_is_not_installed_is_a_line_of_the_table(tmp_path: Path) -> None:
    comparison = Comparison(machine.here(), is_quick=True, started_s=1.0)
    command.measure([BY_KEY["ray"]], comparison, tmp_path / "nowhere", Progress(io.StringIO()), tmp_path)
    (outcome,) = comparison.outcomes
    assert "is not there" in outcome.failure
    assert "could not be measured" in table.text(comparison)
    assert "could not be measured" in table.markdown(comparison)


def test_a_peer_that_fails_is_told_with_its_error(tmp_path: Path) -> None:
    comparison = Comparison(machine.here(), is_quick=True, started_s=1.0)
    command.measure([BY_KEY["ray"]], comparison, HERE, Progress(io.StringIO()), tmp_path)
    assert comparison.outcomes[0].failure == "RuntimeError: ModuleNotFoundError: No module named 'ray'"


def test_a_line_of_the_table_says_what_was_measured_and_what_was_lost() -> None:
    latency = Latency(1e-3, 5e-4, 2e-3, 3e-3, 100)
    losses = [Loss("process", kept=False, how="EOFError"), Loss("program", kept=True, how="asked")]
    outcome = Outcome("x", "X", "a thing", {}, latency, latency, 2048.0, 8, "PSS", 1234.0, 64, losses)
    assert table.cells(outcome) == ("X", "1.00 ms", "1.00 ms", "1,234", "2.00 KiB", "lost", "goes on")
    assert table.losses([outcome]) == ["X, kill -9 of its process: EOFError"]


def test_what_was_compared_can_be_read_again(tmp_path: Path) -> None:
    floors = Floors(50e-6, 100e-6, 5e-6)
    comparison = Comparison(machine.here(), True, 1.0, 2.0, [floors], [Outcome("x", "X", floors=floors)])
    comparison.save(tmp_path / "peers.json")
    assert load(tmp_path / "peers.json") == comparison


def test_peers_are_chosen_by_their_keys() -> None:
    assert [program.key for program in command.choose("ray, pool")] == ["ray", "pool"]
    with pytest.raises(SystemExit, match="no peer erlang"):
        command.choose("erlang")
