"""The outcome of a run as JSON: what was measured, where, when, and whether it came to its end."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.figure import Curve, Figure
from benchmarks.floors import Floors
from benchmarks.machine import Machine

VERSION = 1
"""Of the shape of the JSON."""


class Failure(msgspec.Struct, frozen=True):
    """A row that could not be measured, and why."""

    row: str
    error: str


class Record(msgspec.Struct):
    """One run. `is_complete`: every row that was asked for was measured to its end. Times are Unix seconds."""

    machine: Machine
    rows: list[str]
    is_quick: bool
    started_s: float
    ended_s: float = 0.0
    is_complete: bool = False
    figures: list[Figure] = []
    curves: list[Curve] = []
    failures: list[Failure] = []
    floors: list[Floors] = []
    version: int = VERSION

    def add(self, found: Figure | Curve) -> None:
        """Keep what a row found."""
        if isinstance(found, Figure):
            self.figures.append(found)
        else:
            self.curves.append(found)

    def save(self, path: Path) -> None:
        """Write it; a reader never sees half of it."""
        draft = path.with_suffix(".tmp")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
        draft.replace(path)


def load(path: Path) -> Record:
    """Read one; `msgspec.ValidationError` says what is wrong with it."""
    return msgspec.json.decode(path.read_bytes(), type=Record)
