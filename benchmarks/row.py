"""A row of the table of targets, and the run that it is measured in."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import floors as floors_of
from benchmarks.bound import Bound
from benchmarks.figure import Curve, Figure
from benchmarks.floors import Floors
from moonward.load.progress import Progress
from moonward.load.spread import Spread
from moonward.runtime import Runtime

BLOCKS = 20
"""Parts of the samples of a latency, with the floors measured between them. Each takes a tenth of a second."""

READY_S = 10.0
"""Seconds to wait for warm workers; they take milliseconds."""

PATIENCE_S = 10.0
"""Seconds that a count waits for the first of what it counts, on a machine that does something else."""

LOOK_S = 0.0005
"""Seconds between two looks at the pool."""


@dataclass(frozen=True)
class Row:
    """`key` is its number in the table of targets, or a name; the docstring of `measure` is its method."""

    key: str
    title: str
    measure: Callable[[Run], Iterator[Figure | Curve]]

    @property
    def method(self) -> str:
        """How it is measured."""
        return inspect.getdoc(self.measure) or ""


class Run:
    """What a row is given: how much to do, where to put files, whom to tell, and the floors.

    `folder` is empty, on the disk that F is measured on, and of this row alone. Floors are added to `floors_of_run`.
    """

    def __init__(
        self,
        key: str,
        folder: Path,
        progress: Progress,
        *,
        quick: bool = False,
        measure_floors: Callable[[Path], Floors] = floors_of.measure,
        floors_of_run: list[Floors] | None = None,
    ) -> None:
        self._floors_of_run = floors_of_run if floors_of_run is not None else []
        self.key = key
        self.folder = folder
        self.progress = progress
        self.is_quick = quick
        self._measure_floors = measure_floors
        self._floors: list[Floors] = []
        self.floor()

    def floor(self) -> None:
        """Measure the floors: before and after what is measured, and for samples of a latency between them."""
        self._floors.append(self._measure_floors(self.folder))
        self._floors_of_run.append(self._floors[-1])

    def sample(
        self, total: int, one: Callable[[], float], between: Callable[[], None] = lambda: None
    ) -> list[float]:
        """`total` samples of `one`, with the floors measured between them, and `between` called there."""
        samples = []
        block = -(-total // BLOCKS)
        for done in range(total):
            if done % block == 0 and done:
                self.floor()
                between()
            self.progress.count(done, total)
            samples.append(one())
        return samples

    def _take_floors(self) -> Floors:
        """The floors since the last figure."""
        self.floor()
        measured, self._floors = self._floors, self._floors[-1:]
        return floors_of.middle(measured)

    def amount(self, full: int, quick: int) -> int:
        """How many samples, sessions or the like."""
        return quick if self.is_quick else full

    def seconds(self, full: float, quick: float) -> float:
        """How long."""
        return quick if self.is_quick else full

    def runtime(self, **settings: Any) -> Runtime:
        """A Runtime whose data is in `folder`."""
        return Runtime(**self.settings(**settings))

    def settings(self, **settings: Any) -> dict[str, Any]:
        """Settings of a Runtime of this row."""
        return {"data_dir": self.folder, **settings}

    @property
    def database(self) -> str:
        """The URL of a SQLite journal in `folder`."""
        return f"sqlite:///{self.folder}/journal.db"

    def figure(
        self,
        name: str,
        value: float,
        unit: str,
        bound: Bound | None = None,
        *,
        samples: int = 1,
        note: str = "",
    ) -> Figure:
        """A figure without a distribution."""
        return Figure(self.key, name, value, unit, self._take_floors(), bound, samples, note=note)

    def spread(
        self,
        name: str,
        samples_s: list[float],
        bound: Bound | None = None,
        *,
        rank: float = 50,
        note: str = "",
        path_s: float = 0.0,
    ) -> Figure:
        """A figure of times in seconds; its value is the percentile `rank`. `path_s` is for a bound on that floor."""
        spread = Spread(samples_s)
        value, table = spread.percentile(rank), list(spread.table())
        floors = msgspec.structs.replace(self._take_floors(), path_s=path_s)
        return Figure(self.key, name, value, "s", floors, bound, len(spread), rank, table, note)

    def curve(self, plot: str, name: str, x: str, y: str, points: list[tuple[float, float]]) -> Curve:
        """A curve of the plot `plot`."""
        return Curve(self.key, plot, name, x, y, points)


def wait_until_warm(runtime: Runtime) -> None:
    """Return when the pool has all its warm workers ready, and nothing on its way."""
    deadline_s = time.monotonic() + READY_S
    while time.monotonic() < deadline_s:
        pool = next(child for child in runtime.tree()["children"] if child["id"] == "pool")["stats"]
        if pool["idle"] == pool["warm"] and not pool["starting"]:
            return
        time.sleep(LOOK_S)
    raise TimeoutError(f"the pool was not warm within {READY_S:g} s")
