"""A target: a limit for a figure, absolute or as a multiple of floors that were measured beside it."""

from __future__ import annotations

from typing import Literal

import msgspec

from benchmarks.floors import Floors

Sense = Literal["at_most", "at_least"]
Floor = Literal["", "P", "path+F"]


class Bound(msgspec.Struct, frozen=True):
    """`value` must be at most (or at least) `factor` times the floor `of`; of "" the factor is the limit itself."""

    sense: Sense
    factor: float
    of: Floor = ""

    def ratio(self, value: float, floors: Floors) -> float:
        """How many floors `value` is; of an absolute bound, which part of the limit."""
        if self.of == "":
            return value / self.factor
        return value / floors.sum(self.of)

    def limit(self, floors: Floors) -> float:
        """The limit in the figure's own unit."""
        return self.factor if self.of == "" else self.factor * floors.sum(self.of)

    def is_met(self, value: float, floors: Floors) -> bool:
        """Whether `value` keeps to it."""
        limit = self.limit(floors)
        return value <= limit if self.sense == "at_most" else value >= limit
