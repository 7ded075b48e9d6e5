"""Nothing is observable before it is durable."""

from __future__ import annotations

from typing import Any

import pytest

from moonward.actors.errors import JournalError
from moonward.actors.journal.entries import Answered
from moonward.actors.outbox import Outbox


class SlowStore:
    """A store whose commits are made by the test."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.hurried = 0

    def append(self, session_id: str, entry: Any, phase: str, when_durable: Any, *, more: bool) -> None:
        self.waiting.append(when_durable)

    def hurry(self) -> None:
        self.hurried += 1

    def follow(self, session_id: str, told: Any) -> None:
        self.waiting.append(told)

    def commit(self, error: BaseException | None = None) -> None:
        self.waiting.pop(0)(error)


ENTRY = Answered("q-0", "4", 0)


def made() -> tuple[SlowStore, Outbox, list[str]]:
    store, seen = SlowStore(), []
    return store, Outbox(store, "s", lambda error: seen.append(f"failed: {error}")), seen  # type: ignore[arg-type]


def test_an_action_runs_at_once_when_everything_is_durable() -> None:
    _, outbox, seen = made()
    outbox.then(lambda: seen.append("now"))
    assert seen == ["now"]


def test_an_action_waits_for_the_entries_before_it() -> None:
    store, outbox, seen = made()
    outbox.append(ENTRY, "paused")
    outbox.then(lambda: seen.append("first"))
    outbox.append(ENTRY, "running")
    outbox.then(lambda: seen.append("second"))
    assert not seen
    assert not outbox.is_clear
    store.commit()
    assert seen == ["first"]
    store.commit()
    assert seen == ["first", "second"]
    assert outbox.is_clear


def test_a_failed_commit_is_told_to_every_action_and_once_to_the_session() -> None:
    store, outbox, seen = made()
    outbox.append(ENTRY, "paused")
    outbox.then(lambda: seen.append("never"), lambda error: seen.append("told"))
    outbox.append(ENTRY, "paused")
    outbox.then(lambda: seen.append("never"), lambda error: seen.append("told too"))
    store.commit(JournalError("disk full"))
    store.commit(JournalError("disk full"))
    assert seen == ["failed: disk full", "told", "told too"]


def test_after_a_failure_the_outbox_goes_on() -> None:
    store, outbox, seen = made()
    outbox.append(ENTRY, "paused")
    store.commit(JournalError("disk full"))
    outbox.append(ENTRY, "paused")
    outbox.then(lambda: seen.append("again"))
    store.commit()
    assert seen == ["failed: disk full", "again"]


def test_the_store_is_hurried_only_when_somebody_waits() -> None:
    store, outbox, seen = made()
    outbox.then(lambda: seen.append("now"), hurry=True)
    outbox.append(ENTRY, "running", more=True)
    outbox.then(lambda: seen.append("an event"))
    assert store.hurried == 0
    outbox.then(lambda: seen.append("a reply"), hurry=True)
    assert store.hurried == 1
    store.commit()
    assert seen == ["now", "an event", "a reply"]


def test_nothing_is_shown_before_what_was_there_at_first_is_durable() -> None:
    store, outbox, seen = made()
    assert outbox.is_begun
    outbox.follow()
    outbox.then(lambda: seen.append("first"))
    assert not outbox.is_begun
    assert not seen
    store.commit()
    assert outbox.is_begun
    assert seen == ["first"]


def test_an_action_that_raises_keeps_no_other_from_being_run() -> None:
    store, outbox, seen = made()
    outbox.append(ENTRY, "paused")
    outbox.then(lambda: seen.append(1 // 0))  # type: ignore[arg-type]
    outbox.then(lambda: seen.append("after it"))
    with pytest.raises(ZeroDivisionError):
        store.commit()
    assert seen == ["after it"]
    outbox.then(lambda: seen.append("later"))
    assert seen == ["after it", "later"]


def test_what_is_added_while_others_are_told_waits_for_its_turn() -> None:
    store, outbox, seen = made()
    outbox.append(ENTRY, "paused")

    def first() -> None:
        seen.append("first")
        assert not outbox.is_clear
        outbox.then(lambda: seen.append("third"))

    outbox.then(first)
    outbox.then(lambda: seen.append("second"))
    store.commit()
    assert seen == ["first", "second", "third"]
    assert outbox.is_clear
