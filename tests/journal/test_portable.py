"""A session goes from one journal to another as one file, whole or not at all."""

from __future__ import annotations

import json
import random
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from moonward.actors.errors import JournalError, SessionNotFound
from moonward.actors.journal.entries import Ended, Entry
from moonward.actors.journal.memory_store import MemoryStore
from moonward.actors.journal.portable import Portable, collect, install, pack, unpack
from moonward.actors.journal.store import Note
from moonward.actors.terminal import Completed
from moonward.supervisor.reply import Reply

from .desk import Client, Office
from .samples import PRELUDE, PRELUDE_BODY, answered, called, ended, paused, started

MODULE = b"return {1}\n\xff"
ENTRIES: list[Entry] = [
    started("s-1", strategy="ucb"),
    called(0, module=sha256(MODULE).hexdigest()),
    paused(0),
    answered(0, text="é \u2028 \n line"),
]


def ask(client: Client, call: Any, *args: Any) -> Any:
    """Call `collect` or `install` and wait."""
    reply: Reply[Any] = Reply()

    def done(value: Any, error: BaseException | None) -> None:
        if error is not None:
            reply.fail(error)
        else:
            reply.complete(value)

    client.here(call, client.store, *args, done)
    assert reply.wait(10)
    return reply.result()


@pytest.fixture
def source(office: Office, tmp_path: Path) -> Client:
    """A journal with the session."""
    client = office.sqlite(tmp_path / "source.db")
    client.here(client.store.keep, MODULE)
    client.create(ENTRIES[0])
    for entry in ENTRIES[1:]:
        client.append("s-1", entry)
    client.tell("add_note", "s-1", "title", "text\nmore", 5)
    return client


@pytest.fixture
def data(source: Client) -> bytes:
    """The exported session."""
    return pack(ask(source, collect, "s-1"))


def resealed(data: bytes, change: Any) -> bytes:
    """`data` with `change` done to its lines, and a checksum that is right."""
    lines = [json.loads(line) for line in data.splitlines()[:-1]]
    change(lines)
    body = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
    return body + json.dumps({"end": sha256(body).hexdigest()}).encode() + b"\n"


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_session_comes_back_the_same_in_another_journal(
    office: Office, tmp_path: Path, data: bytes, kind: str
) -> None:
    target = office.hire(MemoryStore()) if kind == "memory" else office.sqlite(tmp_path / "target.db")
    portable = unpack(data)
    assert ask(target, install, portable) == "s-1"
    assert target.ask("look", "s-1") == ENTRIES
    assert target.ask("notes", "s-1") == [Note("title", "text\nmore", 5)]
    assert target.ask("content", sha256(MODULE).hexdigest()) == MODULE
    assert target.ask("open", "s-1") == ENTRIES
    target.append("s-1", ended(), "completed")
    assert pack(ask(target, collect, "s-1")) != data


def test_the_file_is_lines_of_json(data: bytes) -> None:
    lines = [json.loads(line) for line in data.splitlines()]
    assert lines[0] == {
        "moonward": "session",
        "format": 1,
        "session_id": "s-1",
        "contents": 2,
        "notes": 1,
        "entries": 4,
    }
    assert [line["type"] for line in lines[4:8]] == ["started", "called", "paused", "answered"]
    assert list(lines[8]) == ["end"]


def test_exporting_changes_nothing_and_is_the_same_again(source: Client, data: bytes) -> None:
    assert pack(ask(source, collect, "s-1")) == data
    assert source.ask("look", "s-1") == ENTRIES


def test_an_id_that_is_taken_is_not_imported_over(source: Client, data: bytes) -> None:
    with pytest.raises(JournalError, match="'s-1' exists already"):
        ask(source, install, unpack(data))
    assert source.ask("look", "s-1") == ENTRIES
    assert len(source.ask("notes", "s-1")) == 1


def test_a_session_that_is_not_there_is_not_exported(source: Client) -> None:
    with pytest.raises(SessionNotFound):
        ask(source, collect, "s-none")


def test_a_changed_or_cut_file_is_refused(data: bytes) -> None:
    choose = random.Random(5)
    for _ in range(100):
        at = choose.randrange(len(data) - 1)
        damaged = bytearray(data)
        damaged[at] ^= choose.randrange(1, 256)
        for candidate in (bytes(damaged), data[:at]):
            with pytest.raises(JournalError):
                unpack(candidate)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda lines: lines[0].update(format=2), "has format 2; this program reads format 1"),
        (lambda lines: lines[0].update(surprise=1), "the first line has a wrong form"),
        (lambda lines: lines.pop(), "more or fewer lines"),
        (lambda lines: lines[0].update(session_id="s-2"), "entries of session 's-1', not of 's-2'"),
        (lambda lines: lines[-1].update(type="dreamt"), "an entry has a wrong form"),
        (lambda lines: lines[-1].update(query_id=5), "an entry has a wrong form"),
        (lambda lines: lines[1].update(body="eA=="), "is not what it says"),
        (lambda lines: lines[1].update(body="!"), "is damaged: content"),
        (lambda lines: lines.append(lines[4]) or lines[0].update(entries=5), "starts again at entry 4"),
        (lambda lines: lines.pop(1) and lines[0].update(contents=1), "lacks the content"),
    ],
)
def test_a_file_that_says_something_wrong_is_refused(data: bytes, change: Any, why: str) -> None:
    with pytest.raises(JournalError, match=why):
        unpack(resealed(data, change))


@pytest.mark.parametrize("data", [b"", b"\n", b"{}", b'{"moonward":', b"\xff" * 100, b'{"moonward":"x"}\n'])
def test_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(JournalError):
        unpack(data)


def test_a_number_that_json_cannot_hold_is_not_exported() -> None:
    entries = [started("s-1"), Ended(Completed(float("nan")), 1)]
    with pytest.raises(JournalError, match="entry 1: holds a number"):
        pack(Portable("s-1", entries, {PRELUDE: PRELUDE_BODY}, []))
