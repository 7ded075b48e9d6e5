"""What a script tells beside its questions: log lines, progress, statistics of its own."""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from typing import Any, Final

import msgspec

from moonward.actors.journal.entries import View

RING_LENGTH: Final = 20
"""Log lines kept, the oldest dropped; the contract's figure."""

LEVELS: Final = ("error", "warn", "info", "debug")
DEFAULT_LEVEL: Final = "info"
"""What any other level counts as."""


class Notes:
    """The log ring, the last progress and the custom statistics of a session."""

    __slots__ = ("_custom", "_custom_bytes", "_logs", "_progress", "_view")

    def __init__(self) -> None:
        self._logs: deque[dict[str, Any]] = deque(maxlen=RING_LENGTH)
        self._progress: dict[str, Any] | None = None
        self._custom: dict[str, Any] = {}
        self._custom_bytes = 0
        self._view: View | None = None

    def log(self, level: str, source: str, message: str, ts_ms: int) -> None:
        """Keep a log line; `ts_ms` is Unix milliseconds, an unknown level counts as info."""
        self._view = None
        known = level if level in LEVELS else DEFAULT_LEVEL
        self._logs.append({"ts": ts_ms, "level": known, "source": source, "message": message})

    def set_progress(self, step: Any, total: Any, message: str | None) -> None:
        """Keep the script's progress in the place of what it told before."""
        self._view = None
        self._progress = {"step": step, "total": total, "message": message}

    def record(self, key: str, value: Any, most_bytes: int | None = None) -> bool:
        """Keep a custom statistic; the last write of a key wins. False, and nothing changed, if all of them would be
        more than `most_bytes` of JSON."""
        old = member_bytes(key, self._custom[key]) if key in self._custom else 0
        size = self._custom_bytes - old + member_bytes(key, value)
        if most_bytes is not None and size > most_bytes:
            return False
        self._view = None
        self._custom[key] = value
        self._custom_bytes = size
        return True

    def logs(self) -> list[dict[str, Any]]:
        """The last log lines, oldest first; the caller's own."""
        return [dict(line) for line in self._logs]

    def progress(self) -> dict[str, Any] | None:
        """The last progress, if any; the caller's own."""
        return dict(self._progress) if self._progress is not None else None

    def custom(self) -> dict[str, Any]:
        """The custom statistics; the caller's own."""
        return deepcopy(self._custom) if self._custom else {}

    def view(self) -> View:
        """What a journal entry holds of these notes; the same object as long as nothing was told."""
        if self._view is None:
            self._view = View(list(self._logs), self._progress, dict(self._custom))
        return self._view

    def restore(self, view: View) -> None:
        """Take what a journal entry holds in the place of everything kept so far."""
        self._view = view
        self._logs = deque(view.logs, maxlen=RING_LENGTH)
        self._progress = view.progress
        self._custom = dict(view.custom)
        self._custom_bytes = sum(member_bytes(key, value) for key, value in view.custom.items())


def member_bytes(key: str, value: Any) -> int:
    """Bytes of a member of an object, as JSON."""
    return len(msgspec.json.encode(key)) + len(msgspec.json.encode(value)) + len(":,")
