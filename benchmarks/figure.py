"""What a row finds: figures, which may have a target, and curves, which are drawn."""

from __future__ import annotations

import msgspec

from benchmarks.bound import Bound
from benchmarks.floors import Floors


class Figure(msgspec.Struct, frozen=True):
    """One measured value, in `unit` ("s", "bytes", "feeds/s", …), with the floors that were measured around it.

    When the value is one of a distribution of `samples` samples, it is the one of `rank`, and `percentiles` are pairs
    of rank and value.
    """

    row: str
    name: str
    value: float
    unit: str
    floors: Floors
    bound: Bound | None = None
    samples: int = 1
    rank: float = 50
    percentiles: list[tuple[float, float]] = []
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The value as a multiple of its floor; None without a bound."""
        return self.bound.ratio(self.value, self.floors) if self.bound is not None else None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        return self.bound.is_met(self.value, self.floors) if self.bound is not None else None


class Curve(msgspec.Struct, frozen=True):
    """Values of `y` by `x`, for the plot called `plot`."""

    row: str
    plot: str
    name: str
    x: str
    y: str
    points: list[tuple[float, float]]
