"""The storm over hosts in its short form, what it draws from its seed, and that it finds what must not be."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from moonward.actors.journal.sqlite_file import INDEX_BITS

from . import kept_state
from .host_report import new_report
from .hosts import HostStorm
from .kill_plan import plan
from .scripts import KINDS, Part, kept, number_in


@pytest.mark.chaos
def test_sessions_whose_hosts_are_killed_end_as_they_do_without(tmp_path: Path) -> None:
    sessions = len(KINDS)
    report = HostStorm(tmp_path, sessions=sessions, kills=4, seed=3).blow()
    told = "\n".join(report.lines())
    assert report.passed, told
    assert (report.queries, report.lost, report.completed) == (20 * sessions, 0, sessions)
    assert sum(count for name, count in report.faults.items() if name.startswith("kill")) >= 4
    assert report.faults["no space left"] + report.faults["files may not grow"] >= 1
    assert report.replays > 0
    assert report.repeated > 0


def forget_and_count_twice(folder: Path) -> None:
    """Do what must not be: the journal loses its last entries, an effect is applied once more."""
    db = sqlite3.connect(folder / "journal.db")
    for (num,) in db.execute("SELECT num FROM sessions WHERE entries > 5").fetchall():
        db.execute("DELETE FROM entries WHERE id >> ? = ? AND id & 0xFFFFFF > 2", (INDEX_BITS, num))
        db.execute("UPDATE sessions SET entries = 3, phase = 'paused' WHERE num = ?", (num,))
    db.commit()
    db.close()
    db = sqlite3.connect(folder / "data" / "state.db")
    db.execute("UPDATE state SET value = value + 1 WHERE key = 'all'")
    db.commit()
    db.close()


def test_a_host_that_forgets_and_counts_twice_does_not_pass(tmp_path: Path) -> None:
    storm = HostStorm(tmp_path, sessions=6, kills=1, seed=6, meddle=forget_and_count_twice, calm=False)
    report = storm.blow()
    assert not report.passed
    assert report.lost > 0
    told = "\n".join(report.problems)
    assert "was acknowledged, the session holds None" in told
    assert "alc.state storm all is" in told


def test_values_and_cards_that_should_not_be_there_are_found(tmp_path: Path) -> None:
    part = Part.of(list(KINDS).index("packages"))
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "one.json").touch()
    db = sqlite3.connect(tmp_path / "state.db")
    db.execute("CREATE TABLE state(ns, key, value)")
    db.execute("INSERT INTO state VALUES (?, 'rounds', '5')", (part.ctx["_ns"],))
    db.commit()
    assert kept_state.problems(tmp_path, [part]) == []
    db.execute("UPDATE state SET value = '6'")
    db.execute("INSERT INTO state VALUES ('storm-9', 'steps', '1')")
    db.commit()
    db.close()
    (tmp_path / "cards" / "two.json").touch()
    assert kept_state.problems(tmp_path, [part]) == [
        f"alc.state {part.ctx['_ns']} rounds is 6, should be 5",
        "alc.state storm-9 steps is 1, should be None",
        "there are 2 cards, should be 1",
    ]


def test_the_same_seed_kills_at_the_same_moments() -> None:
    assert plan(7, 50, 4000) == plan(7, 50, 4000) != plan(8, 50, 4000)
    kills = plan(7, 50, 4000)
    assert [kill.answers for kill in kills] == sorted(kill.answers for kill in kills)
    assert {kill.full for kill in kills} == {"", "space", "size"}
    assert any(kill.early for kill in kills)
    assert {kill.mended for kill in kills if kill.full} == {True, False}


def test_what_should_be_kept_is_known_for_every_kind() -> None:
    parts = [Part.of(number) for number in range(2 * len(KINDS))]
    expected = kept(parts)
    assert {ns for ns, _ in expected} == {str(part.ctx["_ns"]) for part in parts}
    assert expected["storm", "all"] == 2 * 20
    assert number_in("chain 17 step 1 after nothing") == 17


def test_a_report_on_hosts_is_told_in_lines_and_as_json() -> None:
    report = new_report(7, 2)
    report.completed, report.queries, report.repeated, report.started = 2, 40, 3, 5
    report.readable_s = [0.2, 0.1]
    told = "\n".join(report.lines())
    assert "answers    40 acknowledged, 3 offered again, 0 lost" in told
    assert "readable   2: p50 100 ms" in told
    assert told.endswith("passed")
    shown = report.to_json()
    assert (shown["started"], shown["lost"], shown["readable_ms"]["p100"]) == (5, 0, 200.0)


def test_an_interrupted_storm_over_hosts_is_reported_and_leaves_nothing() -> None:
    storm = subprocess.Popen(
        [sys.executable, "-m", "chaos", "hosts", "--sessions", "6", "--seed", "1"],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert storm.stderr is not None
    assert "host 1 of 51" in storm.stderr.readline()
    storm.send_signal(signal.SIGINT)
    told, _ = storm.communicate(timeout=50)
    assert storm.returncode == 130
    assert "SEED=1" in told
    assert told.endswith("  interrupted\n")
    assert "leaked     nothing" in told
