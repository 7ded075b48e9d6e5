"""Ray: an actor on a cluster of this machine that the program starts."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray

from benchmarks.peers.peer import LostError, Peer, question
from benchmarks.script import ANSWER

STORE_BYTES = 100_000_000
"""For Ray's store of objects; nothing that is measured here gets into it."""


class _Unit:
    """Asks question after question."""

    def __init__(self) -> None:
        self.number = 1

    def ask(self) -> str:
        """The open question."""
        return question(self.number)

    def answer(self, text: str) -> str:
        """The next question."""
        self.number += 1
        return question(self.number)

    def pid(self) -> int:
        """Where it is."""
        return os.getpid()


Unit: Any = ray.remote(num_cpus=0)(_Unit)


class RemoteActors(Peer):
    """Actors. `num_cpus=0`: as many as one likes, as most of the time they wait."""

    packages: ClassVar[tuple[str, ...]] = ("ray",)
    unit: ClassVar[str] = "an actor: a Python process"
    memory_units: ClassVar[int] = 16

    def open(self, folder: Path) -> None:
        """Start the cluster."""
        ray.init(
            num_cpus=len(os.sched_getaffinity(0)),
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=str(folder / "ray"),
        )

    def close(self) -> None:
        """End it."""
        ray.shutdown()

    def start(self) -> tuple[Any, str]:
        """Create an actor, get its question."""
        unit = Unit.remote()
        return unit, ray.get(unit.ask.remote())

    def answer(self, unit: Any, text: str) -> str:
        """Call it."""
        try:
            asked: str = ray.get(unit.answer.remote(text))
        except ray.exceptions.RayActorError as error:
            raise LostError(type(error).__name__) from None
        return asked

    def discard(self, unit: Any) -> None:
        """Kill it."""
        ray.kill(unit)

    def rate(self, units: Sequence[Any], seconds: float) -> float:
        """From one thread, as its documentation does: wait for whatever is done, call again."""
        under_way = {unit.answer.remote(ANSWER): unit for unit in units}
        done, begin_s = 0, time.perf_counter()
        while time.perf_counter() - begin_s < seconds:
            ready, _ = ray.wait(list(under_way), num_returns=1)
            for each in ready:
                ray.get(each)
                done += 1
                unit = under_way.pop(each)
                under_way[unit.answer.remote(ANSWER)] = unit
        return done / (time.perf_counter() - begin_s)

    def worker(self, unit: Any) -> int | None:
        """It says so itself."""
        pid: int = ray.get(unit.pid.remote())
        return pid
