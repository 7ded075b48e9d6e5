"""A call is applied once, however often, from wherever and through whatever deaths it comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moonward.actors.errors import CallDiverged, HostStorageError
from moonward.actors.host import card_files
from moonward.actors.host.calls import HostCalls
from moonward.actors.host.card_files import CardFiles
from moonward.actors.host.ledger import CallOutcome

PROCESSES, THREADS = 3, 4
TOTAL = 1000
"""Increments in all: the threads take numbers from one list."""

COUNT_UP = """
import sys, threading
from pathlib import Path
from moonward.actors.host import card_files
from moonward.actors.host.calls import HostCalls

calls = HostCalls(Path(sys.argv[1]))
numbers = range(int(sys.argv[2]), int(sys.argv[3]))

def count(offset):
    for number in numbers[offset::4]:
        outcome = calls.perform("s", str(number), "d", "state.incr", b'["ns","n"]')
        assert outcome.error is None, outcome

threads = [threading.Thread(target=count, args=(offset,)) for offset in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


Open = Callable[..., HostCalls]


def perform(
    calls: HostCalls, seq: str, name: str, *args: Any, session: str = "s", digest: str = "d"
) -> CallOutcome:
    return calls.perform(session, seq, digest, name, json.dumps(args).encode())


def test_a_thousand_increments_from_threads_of_three_processes_are_a_thousand(
    open_host: Open, tmp_path: Path
) -> None:
    bounds = [(0, 334), (334, 667), (667, TOTAL)]
    command = [sys.executable, "-c", COUNT_UP, str(tmp_path)]
    processes = [subprocess.Popen([*command, str(low), str(high)]) for low, high in bounds]
    assert [process.wait(50) for process in processes] == [0, 0, 0]
    assert perform(open_host(tmp_path), "end", "state.get", "ns", "n").result == str(TOTAL)


def test_the_same_increments_from_three_processes_are_applied_once(open_host: Open, tmp_path: Path) -> None:
    command = [sys.executable, "-c", COUNT_UP, str(tmp_path), "0", "100"]
    processes = [subprocess.Popen(command) for _ in range(PROCESSES)]
    assert [process.wait(50) for process in processes] == [0, 0, 0]
    assert perform(open_host(tmp_path), "end", "state.get", "ns", "n").result == "100"


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("state.incr", ["ns", "k"]),
        ("state.set_nx", ["ns", "k", 1]),
        ("state.delete", ["ns", "there"]),
        ("card.create", [{"pkg": {"name": "cot"}}]),
        ("card.append", ["cot-1", {"a": 1}]),
        ("card.alias_set", ["best", "cot-1"]),
        ("card.write_samples", ["cot-1", [1, 2]]),
    ],
)
def test_a_repeat_gets_the_first_outcome(host: HostCalls, name: str, args: list[Any]) -> None:
    perform(host, "before", "card.create", {"pkg": {"name": "cot"}, "card_id": "cot-1"})
    perform(host, "before too", "state.set", "ns", "there", 1)
    first = perform(host, "1", name, *args)
    assert first.error is None
    assert perform(host, "1", name, *args) == first
    assert perform(host, "1", name, *args) == first
    assert perform(host, "2", name, *args) != first  # the effect is there, once


def test_a_refusal_is_repeated_too(host: HostCalls) -> None:
    perform(host, "1", "state.set", "ns", "k", "text")
    first = perform(host, "2", "state.incr", "ns", "k")
    perform(host, "3", "state.set", "ns", "k", 1)
    assert first.error is not None
    assert perform(host, "2", "state.incr", "ns", "k") == first
    assert perform(host, "4", "state.get", "ns", "k").result == "1"


def test_a_reused_number_is_told_by_its_session(host: HostCalls) -> None:
    assert perform(host, "1", "state.incr", "ns", "n", session="one").result == "1"
    assert perform(host, "1", "state.incr", "ns", "n", session="two").result == "2"


@pytest.mark.parametrize("name", ["state.incr", "state.get", "card.create", "card.list"])
def test_another_request_under_an_applied_number_diverges_and_changes_nothing(
    host: HostCalls, name: str
) -> None:
    perform(host, "1", "state.incr", "ns", "n")
    args: list[Any] = ["ns", "n"] if name.startswith("state") else [{"pkg": {"name": "cot"}}]
    with pytest.raises(CallDiverged):
        perform(host, "1", name, *args, digest="other")
    assert perform(host, "2", "state.get", "ns", "n").result == "1"
    assert perform(host, "3", "card.list").result == "[]"


def test_a_forgotten_session_leaves_its_effects_and_no_rows(host: HostCalls, tmp_path: Path) -> None:
    perform(host, "1", "state.incr", "ns", "n")
    perform(host, "2", "card.create", {"pkg": {"name": "cot"}})
    perform(host, "1", "state.incr", "ns", "n", session="other")
    host.forget("s")
    assert perform(host, "1", "state.incr", "ns", "n", digest="new").result == "3"
    assert perform(host, "1", "state.incr", "ns", "n", session="other").result == "2"
    assert len(json.loads(perform(host, "9", "card.list").result or "")) == 1


def die_while_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next card file is not written, as if the host had died after its plan was durable."""

    def write(self: CardFiles, file: object) -> None:
        monkeypatch.undo()
        raise HostStorageError("died")

    monkeypatch.setattr(CardFiles, "write", write)


def test_an_effect_cut_off_by_death_is_finished_by_its_repeat(
    open_host: Open, tmp_path: Path, host: HostCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_while_writing(monkeypatch)
    with pytest.raises(HostStorageError):
        perform(host, "1", "card.create", {"pkg": {"name": "cot"}, "a": 1})
    assert perform(host, "2", "card.list").result == "[]"
    again = open_host(tmp_path, now=lambda: 2e9)  # another day
    created = json.loads(perform(again, "1", "card.create", {"pkg": {"name": "cot"}, "a": 1}).result or "")
    assert json.loads(Path(created["path"]).read_text())["a"] == 1
    listed = json.loads(perform(again, "3", "card.list").result or "")
    assert [card["card_id"] for card in listed] == [created["card_id"]]
    assert not listed[0]["created_at"].startswith("2033")


def test_an_effect_cut_off_by_death_comes_before_the_next_of_anyone(
    open_host: Open, tmp_path: Path, host: HostCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    perform(host, "0", "card.create", {"pkg": {"name": "cot"}, "card_id": "c"})
    die_while_writing(monkeypatch)
    with pytest.raises(HostStorageError):
        perform(host, "1", "card.append", "c", {"a": "first"})
    other = open_host(tmp_path)
    assert "has 'a' already" in (perform(other, "1", "card.append", "c", {"a": 2}, session="t").error or "")
    assert perform(other, "2", "card.append", "c", {"b": 2}, session="t").error is None
    assert perform(host, "1", "card.append", "c", {"a": "first"}).error is None
    card = json.loads(perform(host, "2", "card.get", "c").result or "")
    assert (card["a"], card["b"]) == ("first", 2)


def test_forgetting_finishes_what_was_cut_off(host: HostCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    die_while_writing(monkeypatch)
    with pytest.raises(HostStorageError):
        perform(host, "1", "card.create", {"pkg": {"name": "cot"}, "card_id": "c"})
    host.forget("s")
    assert perform(host, "2", "card.get", "c").result is not None


def test_threads_appending_to_one_card_lose_nothing(open_host: Open, tmp_path: Path) -> None:
    perform(open_host(tmp_path), "0", "card.create", {"pkg": {"name": "cot"}, "card_id": "c"})
    refused: list[str] = []

    def append(offset: int) -> None:
        calls = open_host(tmp_path)
        for number in range(10):
            outcome = perform(
                calls, str(number), "card.append", "c", {f"f{offset}-{number}": 1}, session=str(offset)
            )
            refused.extend([outcome.error] if outcome.error else [])

    threads = [threading.Thread(target=append, args=(offset,)) for offset in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    card = json.loads(perform(open_host(tmp_path), "9", "card.get", "c").result or "")
    assert refused == []
    assert len([name for name in card if name.startswith("f")]) == THREADS * 10


def test_a_file_that_is_no_database_is_an_error_and_can_be_mended(open_host: Open, tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database, by a long way" * 100)
    calls = open_host(tmp_path)
    with pytest.raises(HostStorageError):
        perform(calls, "1", "state.incr", "ns", "n")
    os.unlink(tmp_path / "state.db")
    assert perform(calls, "1", "state.incr", "ns", "n").result == "1"


def test_a_directory_that_cannot_be_made_is_an_error_and_can_be_mended(
    open_host: Open, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("a file in the way")
    calls = open_host(tmp_path / "data")
    with pytest.raises(HostStorageError):
        perform(calls, "1", "state.incr", "ns", "n")
    with pytest.raises(HostStorageError):
        perform(calls, "2", "card.create", {"pkg": {"name": "cot"}})
    os.unlink(tmp_path / "data")
    assert perform(calls, "1", "state.incr", "ns", "n").result == "1"
    assert perform(calls, "2", "card.create", {"pkg": {"name": "cot"}}).error is None


def test_a_full_disk_is_an_error_that_leaves_what_was_there(host: HostCalls, tmp_path: Path) -> None:
    perform(host, "1", "state.set", "ns", "k", "old")
    pages = host._database._connection
    assert pages is not None
    (count,) = pages.execute("PRAGMA page_count").fetchone()
    pages.execute(f"PRAGMA max_page_count={count}")
    with pytest.raises(HostStorageError, match="full"):
        perform(host, "2", "state.set", "ns", "k", "x" * 100_000)
    assert perform(host, "3", "state.get", "ns", "k").result == '"old"'
    assert perform(host, "2", "state.set", "ns", "k", "x" * 100_000).error is None


def test_a_lock_that_is_never_given_back_is_an_error(open_host: Open, tmp_path: Path) -> None:
    calls, other = open_host(tmp_path), open_host(tmp_path)
    perform(calls, "0", "state.set", "ns", "k", 1)
    other._database._busy_timeout_s = 0.05
    with calls._database.write():
        with pytest.raises(HostStorageError, match="locked"):
            perform(other, "1", "state.incr", "ns", "k")
    assert perform(other, "1", "state.incr", "ns", "k").result == "2"


def test_a_file_of_a_later_version_is_refused(open_host: Open, host: HostCalls) -> None:
    perform(host, "1", "state.set", "ns", "k", 1)
    connection = host._database._connection
    assert connection is not None
    connection.execute("PRAGMA user_version=99")
    with pytest.raises(HostStorageError, match="version 99"):
        perform(open_host(), "2", "state.get", "ns", "k")


def test_a_lock_on_cards_that_is_never_given_back_is_an_error(
    host: HostCalls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_files, "LOCK_TIMEOUT_S", 0.05)
    with CardFiles(tmp_path / "cards").writing():
        with pytest.raises(HostStorageError, match="another writer"):
            perform(host, "1", "card.create", {"pkg": {"name": "cot"}})
        assert perform(host, "2", "card.list").result == "[]"
    assert perform(host, "1", "card.create", {"pkg": {"name": "cot"}}).error is None
