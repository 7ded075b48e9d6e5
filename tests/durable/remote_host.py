"""A host in a process of its own: does what the lines of its standard input say, one after the other.

Run with the journal's path and settings as JSON. A line is `[name, arguments…]`, an answer `{"value": …}` or
`{"error": type, "text": …}`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from moonward import Runtime


def do(runtime: Runtime, name: str, *arguments: Any) -> Any:
    """One command."""
    if name == "start":
        session = runtime.start(*arguments)
        session.wait(20)
        return session.id
    if name == "feed":
        session_id, query_id, text, *key = arguments
        event = runtime.feed(
            session_id, text, query_id=query_id, idempotency_key=key[0] if key else None, timeout=20
        )
        return event.to_json(session_id)
    if name == "finished":
        return runtime.session(arguments[0]).finished(20).to_json(arguments[0])
    if name == "wait":
        return runtime.session(arguments[0]).wait(20).to_json(arguments[0])
    if name == "transcript":
        return runtime.session(arguments[0]).transcript()
    if name == "phase":
        return runtime.session(arguments[0]).phase
    if name == "actors":
        return list(runtime._core.services.registry.actors)
    if name == "cancel":
        return runtime.cancel(*arguments).to_json(arguments[0])
    raise ValueError(name)


def main() -> None:
    """Serve until the input ends."""
    path, settings = sys.argv[1], json.loads(sys.argv[2])
    with Runtime(journal=f"sqlite:///{path}", **settings) as runtime:
        print(json.dumps({"value": "ready"}), flush=True)
        for line in sys.stdin:
            try:
                answer = {"value": do(runtime, *json.loads(line))}
            except Exception as error:
                answer = {"error": type(error).__name__, "text": str(error)}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
