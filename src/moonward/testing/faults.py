"""Which faults strike, decided by rules and a seed.

Guarantee: what strikes a session depends on the rules, the seed, the number of the session in the order of starts and
what its strands have done so far; never on time or on what other sessions do. So the same seed gives the same faults.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from functools import partial
from typing import Any, Self

from moonward.actors.errors import WorkerError
from moonward.actors.faults import LinkMaker
from moonward.actors.worker_pool import SpawnerFactory
from moonward.supervisor.loop import Loop
from moonward.testing.fault import Fault, Injected, Kind, Point
from moonward.testing.faulty_link import FaultyLink


class Faults:
    """A plan of faults, for a `FaultyRuntime`. Rules may be added at any time, from any thread."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._lock = threading.Lock()
        self._rules: dict[int, Fault] = {}
        self._added = 0
        self._numbers: dict[str, int] = {}
        self._visits: Counter[tuple[str, str, str]] = Counter()
        self._struck: Counter[tuple[int, str]] = Counter()
        self._history: list[Injected] = []

    def add(self, kind: Kind, point: Point, **fields: Any) -> Self:
        """Add the rule `Fault(kind=kind, point=point, **fields)`. The first rule that strikes wins."""
        rule = Fault(kind=kind, point=point, **fields)
        with self._lock:
            self._rules[self._added] = rule
            self._added += 1
        return self

    def calm(self) -> None:
        """Forget every rule: nothing strikes any more. The history stays."""
        with self._lock:
            self._rules = {}

    @property
    def history(self) -> list[Injected]:
        """What has struck so far, in order."""
        with self._lock:
            return list(self._history)

    def counts(self) -> Counter[Kind]:
        """How often each kind has struck."""
        return Counter(each.kind for each in self.history)

    def met_by(self, session_id: str) -> int:
        """How many faults a session has met."""
        return sum(each.session_id == session_id for each in self.history)

    def visits(self, session_id: str, point: Point, strand: str = "") -> int:
        """How often a strand of a session has come to a point so far."""
        with self._lock:
            return self._visits[session_id, strand, point]

    # -- what the Runtime asks, on its loop's thread ----------------------------------------------------------------

    def start_fails(self, session_id: str, strand: str) -> Exception | None:
        """See `moonward.actors.faults.Faults`."""
        fault = self.strike(session_id, strand, "start")
        return WorkerError("a test lets no worker start") if fault is not None else None

    def link_of(self, session_id: str, strand: str) -> LinkMaker:
        """See `moonward.actors.faults.Faults`."""
        return partial(FaultyLink, partial(self.strike, session_id, strand), self.noise)

    def spawner(self, loop: Loop) -> SpawnerFactory | None:
        """See `moonward.actors.faults.Faults`: the real one."""
        return None

    def strike(self, session_id: str, strand: str, point: Point) -> Fault | None:
        """The fault of this visit of `point`, if there is one."""
        with self._lock:
            number = self._numbers.setdefault(session_id, len(self._numbers))
            self._visits[session_id, strand, point] += 1
            visit = self._visits[session_id, strand, point]
            for index, rule in self._rules.items():
                if self._strikes(index, rule, session_id, strand, point):
                    self._struck[index, session_id] += 1
                    at_s = time.monotonic()
                    self._history.append(Injected(session_id, number, strand, point, visit, rule.kind, at_s))
                    return rule
        return None

    def _strikes(self, index: int, rule: Fault, session_id: str, strand: str, point: Point) -> bool:
        number = self._numbers[session_id]
        visit = self._visits[session_id, strand, point]
        if rule.point != point or rule.session not in (None, session_id, number):
            return False
        if rule.strand not in (None, strand) or rule.nth not in (None, visit):
            return False
        if rule.times is not None and self._struck[index, session_id] >= rule.times:
            return False
        if rule.chance >= 1.0:
            return True
        drawn = random.Random(f"{self.seed}/{index}/{number}/{strand}/{point}/{visit}").random()
        return drawn < rule.chance

    def noise(self, length: int) -> bytes:
        """Bytes that are no frame's body, the same for the same seed and length."""
        return b"\xff" + random.Random(f"{self.seed}/{length}").randbytes(max(0, length - 1))
