"""The restart budget: at most `intensity` restarts within `period_s` seconds. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from moonward.supervisor.errors import BadChildSpec


@dataclass(frozen=True, slots=True)
class Intensity:
    """A budget of restarts. The defaults are Erlang/OTP's."""

    restarts: int = 1
    period_s: float = 5.0

    def __post_init__(self) -> None:
        if not isinstance(self.restarts, int) or isinstance(self.restarts, bool) or self.restarts < 0:
            raise BadChildSpec(f"intensity must be a whole number from 0 on, not {self.restarts!r}")
        if isinstance(self.period_s, bool) or not isinstance(self.period_s, int | float):
            raise BadChildSpec(f"period_s must be a number of seconds, not {self.period_s!r}")
        if not self.period_s > 0:
            raise BadChildSpec(f"period_s must be above 0, not {self.period_s!r}")


def charge(past: tuple[float, ...], now_s: float, budget: Intensity) -> tuple[float, ...] | None:
    """The restarts that count from now on, with one at `now_s` added; None when that is one too many.

    `past` holds earlier restarts in order, monotonic seconds. One that is exactly `period_s` old still counts.
    """
    kept = (*(at_s for at_s in past if now_s - at_s <= budget.period_s), now_s)
    return None if len(kept) > budget.restarts else kept
