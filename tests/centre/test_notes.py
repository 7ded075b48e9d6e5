from __future__ import annotations

from moonward.actors.journal.entries import View
from moonward.actors.notes import Notes


def test_the_ring_keeps_the_last_twenty_lines_oldest_first() -> None:
    notes = Notes()
    for n in range(25):
        notes.log("warn", "alc.log", f"line {n}", n)
    assert [line["message"] for line in notes.logs()] == [f"line {n}" for n in range(5, 25)]
    assert notes.logs()[0] == {"ts": 5, "level": "warn", "source": "alc.log", "message": "line 5"}


def test_an_unknown_level_counts_as_info() -> None:
    notes = Notes()
    for level in ("error", "warn", "info", "debug", "fatal", ""):
        notes.log(level, "alc.log", "", 0)
    assert [line["level"] for line in notes.logs()] == ["error", "warn", "info", "debug", "info", "info"]


def test_the_last_write_of_a_statistic_and_the_last_progress_win() -> None:
    notes = Notes()
    assert notes.progress() is None
    notes.record("a", 1)
    notes.record("a", {"b": [2]})
    notes.set_progress(1, 3, "first")
    notes.set_progress(2, 3, None)
    assert notes.custom() == {"a": {"b": [2]}}
    assert notes.progress() == {"step": 2, "total": 3, "message": None}


def test_what_is_shown_is_the_callers_own() -> None:
    notes = Notes()
    notes.log("info", "engine", "kept", 0)
    notes.record("a", {"b": [2]})
    notes.set_progress(1, 2, None)
    notes.logs()[0]["message"] = "changed"
    notes.custom()["a"]["b"].append(3)
    (notes.progress() or {})["step"] = 9
    assert notes.logs()[0]["message"] == "kept"
    assert notes.custom() == {"a": {"b": [2]}}
    assert notes.progress() == {"step": 1, "total": 2, "message": None}


def test_a_view_holds_all_that_restores_the_notes() -> None:
    notes, other = Notes(), Notes()
    notes.log("info", "engine", "one", 1)
    notes.set_progress(1, 2, "m")
    notes.record("a", 1)
    view = notes.view()
    assert view == View(
        [{"ts": 1, "level": "info", "source": "engine", "message": "one"}],
        {"step": 1, "total": 2, "message": "m"},
        {"a": 1},
    )
    other.log("info", "engine", "forgotten", 0)
    other.record("b", 1)
    other.restore(view)
    notes.log("info", "engine", "two", 2)
    notes.record("c", 1)
    assert other.view() == view
    for n in range(30):
        other.log("info", "engine", str(n), n)
    assert len(other.logs()) == 20


def test_statistics_beyond_the_limit_change_nothing() -> None:
    notes = Notes()
    assert notes.record("a", "x" * 10, 20)
    assert not notes.record("b", 1, 20)
    assert not notes.record("a", "x" * 20, 20)
    assert notes.custom() == {"a": "x" * 10}
    assert notes.record("a", 1, 20), "what is written over makes room"
    assert notes.record("b", 1, 20)
