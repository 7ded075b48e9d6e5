"""Takes what the strands of a session log, report and record: into its state, and to its observers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moonward.actors.limits import Limits
    from moonward.actors.note_filter import Note
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

    def take(self, state: SessionState, strand: str, first: int, notes: list[Note]) -> None:
        """Notes of a strand that are new to `state`; `first` is the number of the first of them, from 0."""
        at_ms = self._services.now().wall_ms
        shown = self._services.shown_of(self._session_id)
        for number, note in enumerate(notes, first):
            self._take(state, note, at_ms, show=number >= shown.get(strand, 0))
        shown[strand] = max(shown.get(strand, 0), first + len(notes))

    def warn(self, state: SessionState, message: str) -> None:
        """A log line of the host's own, not of a script."""
        self._take(state, ["log", "warn", "engine", message], self._services.now().wall_ms, show=True)

    def _take(self, state: SessionState, note: Note, at_ms: int, *, show: bool) -> None:
        kind = note[0] if note else None
        if kind == "log" and len(note) == 4 and all(isinstance(part, str) for part in note):
            message = note[3][: self._limits.max_log_bytes]
            state.log(note[1], note[2], message, at_ms)
            data = {"level": note[1], "source": note[2], "message": message}
        elif kind == "progress" and len(note) == 4:
            state.set_progress(note[1], note[2], note[3])
            data = {"step": note[1], "total": note[2], "message": note[3]}
        else:
            if kind == "stat" and len(note) == 3 and isinstance(note[1], str):
                state.record(note[1], note[2])
            return
        if show:
            self._show(kind, data, at_ms)
