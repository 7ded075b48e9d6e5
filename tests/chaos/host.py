"""A host that is going to be killed:  python host.py SETTINGS

Runs a Runtime with SETTINGS, a JSON object, and does what the lines of its standard input say, many at a time. A line
is `[number, name, arguments…]`, an answer `{"number": …, "value": …}` or `{"number": …, "error": type, "text": …}`, in
any order. The first line of its own is `{"number": 0, …}`: ready, or why it is not. Ends when its input does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import moonward

if __package__:
    from .outcome import Outcome
    from .scripts import Part
else:  # started as a program
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from chaos.outcome import Outcome
    from chaos.scripts import Part

HANDS = 32
"""Commands that are done at a time; arbitrary, more than a storm has clients."""

PATIENCE_S = 60.0
"""Seconds after which a call counts as one that never ends. Arbitrary, far above any recovery."""

Event = moonward.Accepted | moonward.Paused | moonward.Finished


class Host:
    """The commands."""

    def __init__(self, runtime: moonward.Runtime) -> None:
        self._runtime = runtime
        self.woken = 0
        """Sessions that were repeated to go on."""

    def watch(self) -> None:
        """Count who is woken, until the Runtime closes."""
        for event in self._runtime.events():
            self.woken += event.kind in ("woken", "restarted")

    def start(self, number: int, packages: str) -> str:
        """Start a part; its session's id."""
        part = Part.of(number)
        return self._runtime.start(part.code, part.ctx, packages=[packages]).id

    def stock(self) -> dict[str, list[dict[str, Any]]]:
        """Every session that there is, with its transcript."""
        return {session.id: session.transcript() for session in self._runtime.sessions()}

    def wait(self, session_id: str) -> dict[str, Any]:
        """What a session waits for."""
        return told(self._runtime.session(session_id).wait(PATIENCE_S))

    def wake(self, session_id: str) -> None:
        """Have a session awake, and asking again."""
        self._runtime.session(session_id).wake(PATIENCE_S)

    def feed(self, session_id: str, query_id: str, text: str, key: str | None) -> dict[str, Any]:
        """Answer a question."""
        return told(
            self._runtime.feed(session_id, text, query_id=query_id, idempotency_key=key, timeout=PATIENCE_S)
        )

    def outcome(self, session_id: str) -> dict[str, Any]:
        """How a session ended. What of its logs is still kept is left out: a killed host takes it along."""
        session = self._runtime.session(session_id)
        return vars(Outcome.of(session, session.finished(PATIENCE_S), side_by_side=True)) | {"logs": []}

    def export(self, session_id: str, path: str) -> None:
        """Write its journal to a file."""
        self._runtime.export(session_id, path)


def told(event: Event) -> dict[str, Any]:
    """An event as plain values."""
    if isinstance(event, moonward.Paused):
        return {"kind": "paused", "queries": [[query.id, query.prompt] for query in event.queries]}
    return {"kind": "accepted" if isinstance(event, moonward.Accepted) else "finished"}


def serve(host: Host) -> None:
    """Do what the input says, until it ends."""
    commands: dict[str, Callable[..., Any]] = {
        name: getattr(host, name) for name in ("start", "stock", "wait", "wake", "feed", "outcome", "export")
    }

    def do(number: int, name: str, *arguments: Any) -> None:
        try:
            say(number=number, value=commands[name](*arguments), woken=host.woken)
        except Exception as error:
            say(number=number, error=type(error).__name__, text=str(error), woken=host.woken)

    with ThreadPoolExecutor(HANDS, thread_name_prefix="hand") as hands:
        for line in sys.stdin:
            hands.submit(do, *json.loads(line))


def main() -> int:
    """A host, until its input ends."""
    try:
        runtime = moonward.Runtime(**json.loads(sys.argv[1]))
    except moonward.MoonwardError as error:
        say(number=0, error=type(error).__name__, text=str(error))
        return 1
    with runtime:
        host = Host(runtime)
        threading.Thread(target=host.watch, name="watch", daemon=True).start()
        say(number=0, value="ready")
        serve(host)
    return 0


SAYING = threading.Lock()


def say(**fields: Any) -> None:
    """One line, whole unless this process is killed."""
    line = json.dumps(fields).encode() + b"\n"
    with SAYING:
        while line:
            line = line[os.write(1, line) :]


if __name__ == "__main__":
    sys.exit(main())
