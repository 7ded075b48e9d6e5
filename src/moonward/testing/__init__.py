"""Resilience testing: faults at named points, lost parts, and checks of what clients were told.

    from moonward.testing import Faults, FaultyRuntime

    faults = Faults(seed=7).add("kill", "asked", nth=2).add("garble", "ask", chance=0.1, times=None)
    with FaultyRuntime(faults) as runtime:
        ...                                    # sessions go on as if nothing had happened

For your own tests; nothing of it is loaded otherwise. See `docs/testing.md`.
"""

from __future__ import annotations

from moonward.testing.fault import Fault, Injected, Kind, Point
from moonward.testing.faults import Faults
from moonward.testing.faulty_runtime import FaultyRuntime, PartLost
from moonward.testing.history import History, HistoryError, Offer
from moonward.testing.leftovers import Holdings, descendants, nothing_left_behind

__all__ = [
    "Fault",
    "Faults",
    "FaultyRuntime",
    "History",
    "HistoryError",
    "Holdings",
    "Injected",
    "Kind",
    "Offer",
    "PartLost",
    "Point",
    "descendants",
    "nothing_left_behind",
]
