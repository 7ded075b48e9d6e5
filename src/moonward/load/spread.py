"""How measured values are spread: percentiles by the nearest rank, so that each is a value that was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

RANKS: Final = (*(float(rank) for rank in range(100)), 99.5, 99.9, 99.99, 100.0)
"""Percentiles that are kept of a measurement: enough to draw its distribution, tail included."""


class Spread:
    """Sorted samples of one quantity. At least one; all finite."""

    def __init__(self, samples: Iterable[float]) -> None:
        self._sorted = sorted(samples)
        if not self._sorted:
            raise ValueError("a spread needs at least one sample, got none")
        if not all(math.isfinite(each) for each in self._sorted):
            raise ValueError("a spread needs finite samples")

    def __len__(self) -> int:
        return len(self._sorted)

    def percentile(self, rank: float) -> float:
        """The smallest sample that at least `rank` percent of the samples do not exceed. `rank` is 0 to 100."""
        if not 0 <= rank <= 100:
            raise ValueError(f"a percentile is between 0 and 100, got {rank}")
        place = math.ceil(len(self._sorted) * rank / 100) - 1
        return self._sorted[max(0, place)]

    @property
    def median(self) -> float:
        """The 50th percentile."""
        return self.percentile(50)

    @property
    def mean(self) -> float:
        """The arithmetic mean."""
        return math.fsum(self._sorted) / len(self._sorted)

    def table(self) -> Iterator[tuple[float, float]]:
        """Rank and value of each of `RANKS`. High ranks that the samples cannot tell from the maximum are left out."""
        for rank in RANKS:
            if rank <= 99 or rank == 100 or math.ceil(len(self._sorted) * rank / 100) < len(self._sorted):
                yield rank, self.percentile(rank)
