"""What was found of a peer, and of all of them in one run."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.floors import Floors
from benchmarks.machine import Machine


class Latency(msgspec.Struct, frozen=True):
    """Seconds: the median, and the values of other ranks."""

    median_s: float
    p10_s: float
    p90_s: float
    p99_s: float
    samples: int


class Loss(msgspec.Struct, frozen=True):
    """Whether a unit went on after something was killed, and how that showed. `what`: `process` or `program`."""

    what: str
    kept: bool
    how: str


class Outcome(msgspec.Struct):
    """One line of the table. None is what was not measured; `failure` says why."""

    key: str
    title: str
    unit: str = ""
    versions: dict[str, str] = {}
    start: Latency | None = None
    answer: Latency | None = None
    memory_bytes: float | None = None
    memory_units: int = 0
    memory_kind: str = ""
    rate: float | None = None
    rate_units: int = 0
    losses: list[Loss] = []
    floors: Floors | None = None
    failure: str = ""

    def loss(self, what: str) -> Loss | None:
        """What became of the unit when its process, or its program, was killed."""
        return next((each for each in self.losses if each.what == what), None)


class Comparison(msgspec.Struct):
    """One run. `floors` are all that were measured in it, before the first peer, between peers, after the last."""

    machine: Machine
    is_quick: bool
    started_s: float
    ended_s: float = 0.0
    floors: list[Floors] = []
    outcomes: list[Outcome] = []

    def save(self, path: Path) -> None:
        """Write it; a reader never sees half of it."""
        draft = path.with_suffix(".tmp")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
        draft.replace(path)


def load(path: Path) -> Comparison:
    """Read one."""
    return msgspec.json.decode(path.read_bytes(), type=Comparison)
