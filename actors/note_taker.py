"""Takes what the strands of a session log, report and record: into its state, and to its observers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moonward.actors.worker.wire import LogNote, Note, ProgressNote, StatNote

if TYPE_CHECKING:
    from moonward.actors.limits import Limits
    from moonward.actors.services import Services
    from moonward.actors.session_state import SessionState


class NoteTaker:
    """The note taker of one session. Observers are shown a note once, whatever is repeated.

    `show(kind, data, at_ms)` shows them one.
    """

    def __init__(
        self,
        services: Services,
        session_id: str,
        limits: Limits,
        show: Callable[[str, dict[str, Any], int], None],
    ) -> None:
        self._show = show
        self._services = services
        self._session_id = session_id
        self._limits = limits

    def take(self, state: SessionState, strand: str, first: int, notes: list[Note]) -> bool:
        """Notes of a strand that are new to `state`; `first` is the number of the first of them, from 0.

        False if they hold more statistics than a session may have, which are not taken.
        """
        at_ms = self._services.now().wall_ms
        shown = self._services.shown_of(self._session_id)
        for number, note in enumerate(notes, first):
            if isinstance(note, StatNote):
                if not state.record(note.key, note.value, self._limits.max_stats_bytes):
                    return False
            else:
                self._take(state, note, at_ms, show=number >= shown.get(strand, 0))
        shown[strand] = max(shown.get(strand, 0), first + len(notes))
        return True

    def warn(self, state: SessionState, message: str) -> None:
        """A log line of the host's own, not of a script."""
        self._take(state, LogNote("warn", "engine", message), self._services.now().wall_ms, show=True)

    def _take(self, state: SessionState, note: LogNote | ProgressNote, at_ms: int, *, show: bool) -> None:
        longest = self._limits.max_log_bytes
        data: dict[str, Any]
        if isinstance(note, LogNote):
            message = note.message[:longest]
            state.log(note.level, note.source, message, at_ms)
            kind, data = "log", {"level": note.level, "source": note.source, "message": message}
        else:
            text = note.message[:longest] if note.message is not None else None
            state.set_progress(note.step, note.total, text)
            kind, data = "progress", {"step": note.step, "total": note.total, "message": text}
        if show:
            self._show(kind, data, at_ms)
