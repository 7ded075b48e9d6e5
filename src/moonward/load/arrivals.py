"""When sessions are due to start: an open loop, that does not wait for the sessions before."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import Literal

Arrivals = Literal["poisson", "even"]


def due_times(rate: float, arrivals: Arrivals, random: Random) -> Iterator[float]:
    """Seconds since the beginning, for ever: `rate` a second on average.

    `poisson`: independent of each other, as of many users. `even`: at equal distances.
    """
    if arrivals == "even":
        for number in itertools.count():
            yield number / rate
    due_s = 0.0
    while True:
        due_s += random.expovariate(rate)
        yield due_s
