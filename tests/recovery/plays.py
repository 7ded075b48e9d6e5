"""What tests of recovery do over and over: write packages, answer questions, wait for events and for processes."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import moonward
from moonward.actors.errors import SessionRestarting
from moonward.actors.event_stream import Event

T = TypeVar("T")

PATIENCE_S = 20.0


def write_packages(folder: Path, **sources: str) -> Path:
    """A directory of packages, each the body of `run(ctx)`."""
    for name, body in sources.items():
        (folder / f"{name}.lua").write_text(f"return {{ run = function(ctx)\n{body}\nend }}\n")
    return folder


def ids(event: object) -> list[str]:
    """The ids of the queries that an event holds."""
    assert isinstance(event, moonward.Paused), event
    return [query.id for query in event.queries]


def play(session: moonward.Session, answer: Callable[[moonward.LlmQuery], str] = lambda q: q.prompt) -> Any:
    """The state in which a session ends that is answered with `answer(query)`."""
    event: moonward.Accepted | moonward.Paused | moonward.Finished = session.wait(PATIENCE_S)
    while isinstance(event, moonward.Paused):
        for query in event.queries:
            event = session.feed(answer(query), query_id=query.id, timeout=PATIENCE_S)
    assert isinstance(event, moonward.Finished)
    return event.state


def wait_for(session: moonward.Session, kind: str, count: int = 1) -> Event:
    """The `count`th event of that kind."""
    seen = 0
    for event in session.events():
        seen += event.kind == kind
        if seen == count:
            return event
    raise AssertionError(f"the session ended without {count} × {kind}")


def logs(session: moonward.Session, source: str = "alc.log") -> list[str]:
    """What a session has logged, as its snapshot shows it."""
    recent = session.snapshot()["metrics"]["recent_logs"]
    return [entry["message"] for entry in recent if entry["source"] == source]


def shown(session: moonward.Session) -> list[str]:
    """What a session has logged, as an observer was shown it; only after its end."""
    return [
        event.data["message"]
        for event in session.events()
        if event.kind == "log" and event.data["source"] == "alc.log"
    ]


class Watched:
    """Processes that have to end."""

    def __init__(self, pids: list[int]) -> None:
        self._fds = [os.pidfd_open(pid) for pid in pids]

    def all_gone(self, timeout_s: float = PATIENCE_S) -> bool:
        """Whether all end in time."""
        gone = [bool(select.select([fd], [], [], timeout_s)[0]) for fd in self._fds]
        for fd in self._fds:
            os.close(fd)
        return all(gone)


def until_served(call: Callable[[], T]) -> T:
    """What `call` gives, once it is no longer told to try again. Any other error is raised."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return call()
        except moonward.MoonwardError as error:
            if not isinstance(error, SessionRestarting) or time.monotonic() > deadline_s:
                raise
            threading.Event().wait(0.005)
