"""The restart budget of one child, and the backoff between its restarts. Pure but for its own three values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from moonward.supervisor.backoff import Backoff, delay_s, next_attempt
from moonward.supervisor.intensity import Intensity, charge


@dataclass(slots=True)
class Account:
    """What has been charged for one child."""

    past: tuple[float, ...] = ()
    attempt: int = 0
    last_s: float = float("-inf")
    """When the last restart was due."""

    def charge(
        self, now_s: float, budget: Intensity, backoff: Backoff, random: Callable[[], float]
    ) -> float | None:
        """Charge one restart at `now_s`: the seconds to wait before it, or None when the budget is spent."""
        past = charge(self.past, now_s, budget)
        if past is None:
            return None
        self.past = past
        self.attempt = next_attempt(backoff, self.attempt, now_s - self.last_s)
        wait_s = delay_s(backoff, self.attempt, random)
        self.last_s = now_s + wait_s
        return wait_s
