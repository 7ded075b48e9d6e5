"""How often a session may lose its worker: a pure rule.

A restart counts while it is younger than the period (one exactly that old still counts), and, however old, while
no journal entry was written since: else a session that needs a minute to crash would go on for ever.
"""

from __future__ import annotations

from collections.abc import Callable

BACKOFF_BASE_S = 0.05
"""Seconds before the second restart; arbitrary, about the time that a worker and a short replay take."""

BACKOFF_MAX_S = 5.0
"""Longest wait in seconds; arbitrary, a caller would rather hear of the end."""


class RestartBudget:
    """At most `intensity` restarts in `period_s` seconds. `jitter` gives numbers in [0, 1)."""

    def __init__(self, intensity: int, period_s: float, jitter: Callable[[], float]) -> None:
        self._intensity = intensity
        self._period_s = period_s
        self._jitter = jitter
        self._past: list[tuple[float, int]] = []
        self.restarts = 0

    def charge(self, now_s: float, entries: int) -> float | None:
        """Charge a restart of a session with `entries` journal entries.

        Returns the seconds to wait before it (the first is at once), or None when the budget is spent.
        """
        self._past = [
            (at_s, then) for at_s, then in self._past if now_s - at_s <= self._period_s or then == entries
        ]
        if len(self._past) >= self._intensity:
            return None
        self._past.append((now_s, entries))
        self.restarts += 1
        before = len(self._past) - 1
        if before == 0:
            return 0.0
        longest = min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2.0 ** (before - 1))
        return longest * (0.5 + self._jitter() / 2)
