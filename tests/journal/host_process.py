"""A host in a process of its own: adopts a journal's sessions and appends to them until it is killed.

Run with the journal's path and the number of sessions. Each acknowledged entry is a line on standard output:
session id and index; `ready` comes first, once what an earlier host left is adopted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from hashlib import sha256

from moonward.actors.journal.entries import Called, Entry, Started
from moonward.actors.journal.sqlite_store import SqliteStore
from moonward.supervisor.loop import Loop

PRELUDE = b"-- a prelude"
KEPT_BODIES = 5


def entry(session_id: str, index: int) -> Entry:
    """The entry that every host writes at `index`; every fifth names a module of its own."""
    if index == 0:
        return Started(session_id, "", "{}", "5.5", 1, 2, sha256(PRELUDE).hexdigest(), 1)
    module = sha256(body(index)).hexdigest() if index % KEPT_BODIES == 0 else None
    return Called("", f"call {index}", "x" * 200, module=module)


def body(index: int) -> bytes:
    """The module that entry `index` names."""
    return b"return %d" % index


class Host:
    """Appends to `count` sessions at once, each as soon as its last entry is durable."""

    def __init__(self, path: str, count: int) -> None:
        self.loop = Loop(on_error=fail)
        self.store = SqliteStore(self.loop, path)
        self.count = count

    def begin(self) -> None:
        """Adopt what is there."""
        self.store.keep(PRELUDE)
        self.store.adopt(self.adopted)

    def adopted(self, ids: list[str] | None, error: BaseException | None) -> None:
        """Open the adopted, make the missing."""
        check(error)
        assert ids is not None
        say("ready")
        for session_id in ids:
            self.store.open(session_id, partial(self.opened, session_id))
        for number in range(self.count):
            session_id = f"s-{number}"
            if session_id not in ids:
                first = entry(session_id, 0)
                assert isinstance(first, Started)
                self.store.create(session_id, first, partial(self.acknowledged, session_id, 0))

    def opened(self, session_id: str, entries: list[Entry] | None, error: BaseException | None) -> None:
        """Go on where the last host was."""
        check(error)
        assert entries is not None
        self.append(session_id, len(entries))

    def append(self, session_id: str, index: int) -> None:
        """Append the entry `index`."""
        if index % KEPT_BODIES == 0:
            self.store.keep(body(index))
        self.store.append(
            session_id, entry(session_id, index), "running", partial(self.acknowledged, session_id, index)
        )

    def acknowledged(self, session_id: str, index: int, error: BaseException | None) -> None:
        """Say so, and go on."""
        check(error)
        say(f"{session_id} {index}")
        self.append(session_id, index + 1)


def say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def check(error: BaseException | None) -> None:
    if error is not None:
        fail(error)


def fail(error: BaseException) -> None:
    os.write(2, f"{type(error).__name__}: {error}\n".encode())
    os._exit(1)


def run(job: Callable[[Host], None]) -> None:
    """A host for the arguments of this process, until it is killed or its standard input ends."""
    host = Host(sys.argv[1], int(sys.argv[2]))
    host.loop.start()
    host.loop.post(partial(job, host))
    sys.stdin.read()


if __name__ == "__main__":
    run(Host.begin)
