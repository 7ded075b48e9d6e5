"""One client of a storm: it answers one session to its end, and tries again whenever it is told that this may help."""

from __future__ import annotations

import threading
from collections.abc import Callable

import moonward
from moonward.actors.errors import SessionRestarting
from moonward.testing import History

from .scripts import answer_to

PATIENCE_S = 60.0
"""Seconds after which a call that has not ended counts as one that never does. Arbitrary, far above any recovery."""

PAUSE_S = 0.01
"""Seconds before a call is tried again."""

Event = moonward.Accepted | moonward.Paused | moonward.Finished


class Stopped(Exception):
    """The storm was interrupted."""


class Client:
    """Plays one session. `tell(outcome)` hears how each call ended; `answered()` of each answer that was accepted."""

    def __init__(
        self,
        session: moonward.Session,
        history: History,
        stop: threading.Event,
        tell: Callable[[str], None],
        answered: Callable[[], None],
    ) -> None:
        self._session = session
        self._history = history
        self._stop = stop
        self._tell = tell
        self._answered = answered

    def play(self) -> moonward.Finished:
        """Answer every question; the end of the session."""
        event: Event = self._retried("wait", lambda: self._session.wait(PATIENCE_S))
        while isinstance(event, moonward.Paused):
            for query in event.queries:
                event = self._feed(query)
        assert isinstance(event, moonward.Finished)
        return event

    def _feed(self, query: moonward.LlmQuery) -> Event:
        answer = answer_to(query.prompt)

        def feed() -> Event:
            return self._history.feed(
                self._session, query.id, answer, idempotency_key=f"key of {query.id}", timeout=PATIENCE_S
            )

        event = self._retried("feed", feed)
        self._answered()
        return event

    def _retried(self, name: str, call: Callable[[], Event]) -> Event:
        while not self._stop.is_set():
            try:
                event = self._history.call(name, call)
            except SessionRestarting:
                self._tell(f"{name}: try again")
                self._stop.wait(PAUSE_S)
                continue
            except moonward.MoonwardError as error:
                self._tell(f"{name}: {type(error).__name__}")
                raise
            self._tell(name)
            return event
        raise Stopped
