"""Storms in their short form, and what a report says. The long form: `make chaos`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from .outcome import Outcome
from .report import Report, percentile
from .scripts import KINDS, Part, answer_to
from .workers import Storm


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("journal", ["memory", "sqlite"])
def test_sessions_in_a_storm_end_as_they_do_without_faults(tmp_path: Path, journal: str) -> None:
    url = "memory:" if journal == "memory" else f"sqlite:///{tmp_path / 'journal.db'}"
    sessions = 100 if os.environ.get("MOONWARD_TEST_LONG") else 10
    report = Storm(tmp_path, sessions=sessions, least=5, seed=1, journal=url).blow()
    assert report.passed, "\n".join(report.lines())
    assert report.queries == 20 * sessions
    assert report.fewest_faults >= 5
    assert report.restarts > 0
    assert {"kill", "stop", "garble"} <= set(report.faults)


def test_every_kind_of_session_has_its_turn() -> None:
    assert {Part.of(number).kind for number in range(len(KINDS))} == set(KINDS)
    assert answer_to("a") == answer_to("a") != answer_to("b")


@pytest.mark.timeout(120)
def test_an_interrupted_storm_is_reported_and_leaves_nothing(tree: Path) -> None:
    storm = subprocess.Popen(
        [sys.executable, "-m", "chaos", "workers", "--sessions", "30", "--seed", "1"],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert storm.stderr is not None
    assert "answers" in storm.stderr.readline()
    storm.send_signal(signal.SIGINT)
    told, _ = storm.communicate(timeout=60)
    assert storm.returncode == 130
    assert "SEED=1" in told
    assert told.endswith("  interrupted\n")
    assert "leaked     nothing" in told


def test_a_report_passes_only_when_all_is_as_it_has_to_be() -> None:
    def report(**fields: object) -> Report:
        return Report("a storm", 7, **{"sessions": 2, "completed": 2, **fields})  # type: ignore[arg-type]

    assert report().passed
    assert report(leaked={"descriptors": 0}).passed
    assert not report(completed=1).passed
    assert not report(leaked={"descriptors": 1}).passed
    assert not report(problems=["q-0 was lost"]).passed
    assert not report(interrupted=True).passed


def test_a_report_is_told_in_lines_and_as_json() -> None:
    report = Report("a storm", 7, sessions=2, queries=40, completed=1, seconds=1.5)
    report.faults = Counter(kill=3, garble=2)
    report.recovery_s = [0.001 * number for number in range(1, 101)]
    report.leaked = {"descriptors": 1}
    report.problems = ["q-0 was lost"]
    told = "\n".join(report.lines())
    assert "a storm, SEED=7, 1.5 s" in told
    assert "5: garble 2, kill 3" in told
    assert "p50 50 ms, p90 90 ms, p99 99 ms, p100 100 ms" in told
    assert "PROBLEM    q-0 was lost" in told
    assert told.endswith("FAILED")
    shown = report.to_json()
    assert (shown["passed"], shown["recovery_ms"]["p90"], shown["faults"]) == (
        False,
        90.0,
        {"kill": 3, "garble": 2},
    )


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([], 50) == 0.0
    assert percentile([3.0], 1) == 3.0
    assert percentile([4.0, 1.0, 3.0, 2.0], 50) == 2.0
    assert percentile([4.0, 1.0, 3.0, 2.0], 51) == 3.0
    assert percentile([4.0, 1.0, 3.0, 2.0], 100) == 4.0


def test_whatever_differs_from_the_calm_run_is_a_problem() -> None:
    calm = Outcome("Completed(1)", [["q-0", "?", "yes"]], {"llm_calls": 1}, {}, ["alc.log info one"])
    assert calm.differences(calm) == []
    doubled = Outcome(calm.state, calm.transcript, calm.auto, {}, calm.logs * 2)
    assert doubled.differences(calm) == [
        "logs is ['alc.log info one', 'alc.log info one'], without faults ['alc.log info one']"
    ]
