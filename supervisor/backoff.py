"""How long to wait before a restart. Pure: randomness is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from moonward.supervisor.errors import BadChildSpec


@dataclass(frozen=True, slots=True)
class Backoff:
    """The first restart is at once, the second after `first_s`, each later one after `factor` times as long.

    `jitter` is the share by which a delay may be shorter or longer, so that children which died together do not
    return together. A child that has run for `stable_s` starts over with a restart at once.
    All numbers are arbitrary; 50 ms is some ten starts of a worker process.
    """

    first_s: float = 0.05
    factor: float = 2.0
    max_s: float = 5.0
    jitter: float = 0.2
    stable_s: float = 10.0

    def __post_init__(self) -> None:
        if self.first_s < 0 or self.max_s < self.first_s or self.factor < 1 or self.stable_s < 0:
            raise BadChildSpec(f"a backoff grows from first_s >= 0 by factor >= 1 up to max_s: {self}")
        if not 0 <= self.jitter < 1:
            raise BadChildSpec(f"jitter must be from 0 to below 1, not {self.jitter!r}")


def delay_s(backoff: Backoff, attempt: int, random: Callable[[], float]) -> float:
    """Seconds to wait before restart number `attempt` (from 1) in a row. `random` gives 0 <= x < 1."""
    if attempt <= 1:
        return 0.0
    doublings = min(attempt - 2, 64)  # 2**64 times anything is above every maximum; keeps floats finite
    plain_s = min(backoff.max_s, backoff.first_s * backoff.factor**doublings)
    return plain_s * (1 + backoff.jitter * (2 * random() - 1))


def next_attempt(backoff: Backoff, attempt: int, ran_s: float) -> int:
    """The number of the restart that follows restart number `attempt` after a run of `ran_s` seconds."""
    return 1 if ran_s >= backoff.stable_s else attempt + 1
