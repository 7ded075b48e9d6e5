"""A loop, stores on it, and calls that wait for their outcome: what tests of stores share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from moonward.actors.journal.entries import Entry, Started
from moonward.actors.journal.sqlite_store import SqliteStore
from moonward.actors.journal.store import Store
from moonward.supervisor.loop import Loop
from moonward.supervisor.reply import Reply

from .samples import PRELUDE_BODY

WAIT_S = 20.0


class Client:
    """Calls a store on its loop and waits. Errors are raised."""

    def __init__(self, loop: Loop, store: Store) -> None:
        self.loop = loop
        self.store = store
        self.here(store.keep, PRELUDE_BODY)

    def here(self, call: Callable[..., Any], *args: Any) -> Any:
        """Run `call(*args)` on the loop; its value."""
        reply: Reply[Any] = Reply()

        def job() -> None:
            try:
                reply.complete(call(*args))
            except BaseException as error:
                reply.fail(error)

        self.loop.post(job)
        return self._wait(reply)

    def ask(self, name: str, *args: Any, **more: Any) -> Any:
        """Call the method `name`, whose last parameter is `Done`; its outcome."""
        reply: Reply[Any] = Reply()

        def done(value: Any, error: BaseException | None) -> None:
            reply.fail(error) if error is not None else reply.complete(value)

        self.here(partial(getattr(self.store, name), *args, done, **more))
        return self._wait(reply)

    def tell(self, name: str, *args: Any) -> None:
        """Call the method `name`, whose last parameter is `Told`, and wait until it is done."""
        reply: Reply[None] = Reply()
        self.here(getattr(self.store, name), *args, told(reply))
        self._wait(reply)

    def create(self, entry: Started) -> None:
        """Begin a session, durably."""
        self.tell("create", entry.session_id, entry)

    def append(self, session_id: str, entry: Entry, phase: str = "running") -> None:
        """Add an entry, durably."""
        self.tell("append", session_id, entry, phase)

    def read(self, session_id: str) -> list[Entry]:
        """What is in memory."""
        return self.here(lambda: list(self.store.read(session_id)))

    def close(self) -> None:
        """Close the store."""
        self.tell("close", WAIT_S)

    def _wait(self, reply: Reply[Any]) -> Any:
        assert reply.wait(WAIT_S), "no outcome came"
        return reply.result()


def told(reply: Reply[None]) -> Callable[[BaseException | None], None]:
    """A `Told` that sets `reply`."""

    def tell(error: BaseException | None) -> None:
        if error is None:
            reply.complete(None)
        else:
            reply.fail(error)

    return tell


class Office:
    """Stores that end with the test."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.loop = Loop(on_error=self.errors.append)
        self.loop.start()
        self._clients: list[Client] = []

    def hire(self, store: Store) -> Client:
        """A client of `store`."""
        client = Client(self.loop, store)
        self._clients.append(client)
        return client

    def sqlite(self, path: Path, **settings: Any) -> Client:
        """A client of a journal at `path`."""
        return self.hire(SqliteStore(self.loop, str(path), **settings))

    def close(self) -> None:
        """Close what is open; no thread of a journal may stay."""
        for client in self._clients:
            client.close()
        self.loop.stop()
        for thread in threading.enumerate():
            if thread.name.startswith("moonward-journal"):
                thread.join(WAIT_S)
                assert not thread.is_alive()
