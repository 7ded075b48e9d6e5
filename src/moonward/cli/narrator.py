"""Tells on standard error what happens to a session, as it happens, from its events.

A thread of its own reads the events, so that progress and logs show while the main thread waits for an answer.
`wait_until_shown` keeps the order for a reader: a question is on the screen before anyone is asked to answer it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO

from moonward.actors.query import LlmQuery
from moonward.actors.terminal import Cancelled, Failed
from moonward.cli.terminal_text import block, one_line

if TYPE_CHECKING:
    from moonward.actors.event_stream import Event
    from moonward.runtime import Session

PROMPT_CHARS: Final = 200
"""Characters of a prompt that is shown where nobody has to read it. As much as the pending filter `preview` shows."""

PATIENCE_S: Final = 2.0
"""Seconds to wait for the screen before going on without it. Arbitrary; events arrive within a millisecond."""


class Narrator:
    """Writes the events of one session to `screen` until the session ends; `close` waits for the last of them."""

    def __init__(self, session: Session, screen: TextIO, *, full_prompts: bool) -> None:
        self._screen = screen
        self._full_prompts = full_prompts
        self._shown: set[str] = set()
        self._changed = threading.Condition()
        self._events = session.events()
        self._thread = threading.Thread(target=self._read, name="moonward narrator", daemon=True)
        self._thread.start()

    def wait_until_shown(self, query_id: str) -> None:
        """Return when the query has been shown, or after `PATIENCE_S`."""
        with self._changed:
            self._changed.wait_for(lambda: query_id in self._shown, PATIENCE_S)

    def show(self, queries: Sequence[LlmQuery]) -> None:
        """Write questions that were asked before anybody listened."""
        self._write(questions(queries, full_prompts=self._full_prompts))
        with self._changed:
            self._shown.update(query.id for query in queries)

    def close(self) -> None:
        """Return when everything has been shown, or after `PATIENCE_S`."""
        self._thread.join(PATIENCE_S)

    def _read(self) -> None:
        for event in self._events:
            self._write(told(event, full_prompts=self._full_prompts))
            if event.kind == "paused":
                with self._changed:
                    self._shown.update(query.id for query in event.data["queries"])
                    self._changed.notify_all()
            if event.kind == "finished":
                return

    def _write(self, lines: list[str]) -> None:
        try:
            self._screen.writelines(line + "\n" for line in lines)
            self._screen.flush()
        except OSError:  # whoever read our messages has gone; the session goes on all the same
            pass


def told(event: Event, *, full_prompts: bool) -> list[str]:
    """The lines that tell an event to a reader."""
    data = event.data
    match event.kind:
        case "paused":
            return questions(data["queries"], full_prompts=full_prompts)
        case "answered":
            left = data["remaining"]
            return [f"  answered {data['query_id']}" + (f", {left} to go" if left else "")]
        case "progress":
            return [f"[{data['step']}/{data['total']}] {one_line(str(data['message'] or ''))}".rstrip()]
        case "log":
            where = "" if data["source"] == "alc.log" else f" ({one_line(data['source'])})"
            return [f"  {one_line(data['level'])}{where}: {one_line(data['message'])}"]
        case "restarted":
            return [f"! the worker was lost and is replaced ({data['count']}): {one_line(data['detail'])}"]
        case "missed":
            return [f"! {data['count']} events are not shown"]
        case "finished":
            return _finished(data["state"])
        case _:
            return [f"* {event.kind}"]


def questions(queries: Sequence[LlmQuery], *, full_prompts: bool) -> list[str]:
    """The lines that tell what a session waits for."""
    count = len(queries)
    lines = [f"* paused: {count} {'question' if count == 1 else 'questions'}"]
    for query in queries:
        if full_prompts:
            lines.append(f"? {query.id}")
            if query.system:
                lines.append(block(f"(system) {query.system}", "  | "))
            lines.append(block(query.prompt, "  | "))
        else:
            lines.append(f"? {query.id} {one_line(query.prompt, PROMPT_CHARS)}")
    return lines


def _finished(state: Any) -> list[str]:
    if isinstance(state, Failed):
        return [f"* failed ({state.error_kind})", block(state.error, "  ")]
    if isinstance(state, Cancelled):
        return [f"* cancelled: {one_line(state.reason)}" if state.reason else "* cancelled"]
    return ["* completed"]
