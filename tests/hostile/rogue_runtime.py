"""A Runtime whose workers are forked from another program: see `entries/rogue_worker.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import moonward
from moonward.actors.errors import WorkerError
from moonward.actors.faults import LinkMaker
from moonward.actors.worker_link import WorkerLink
from moonward.actors.worker_pool import SpawnerFactory
from moonward.actors.zygote_process import ZygoteProcess
from moonward.supervisor.loop import Loop
from moonward.testing import Faults, FaultyRuntime

ENTRIES = str(Path(__file__).parent / "entries")


class Impostors(Faults):
    """No faults, but for who plays the worker: `entry`, `module:function` below `entries/`."""

    def __init__(self, entry: str) -> None:
        super().__init__()
        self._entry = entry

    def link_of(self, session_id: str, strand: str) -> LinkMaker:
        """See `moonward.actors.faults.Faults`: the real pipes."""
        return WorkerLink

    def spawner(self, loop: Loop) -> SpawnerFactory:
        """See `moonward.actors.faults.Faults`."""

        def start(on_lost: Callable[[WorkerError], None], on_stderr: Callable[[str], None]) -> ZygoteProcess:
            return ZygoteProcess(loop, on_lost, on_stderr=on_stderr, entry=self._entry, entry_paths=[ENTRIES])

        return start


def entry_runtime(entry: str, **settings: Any) -> moonward.Runtime:
    """A Runtime whose workers run `entry`. None is replaced: it would do the same again."""
    return FaultyRuntime(Impostors(entry), restart_intensity=0, **settings)


def rogue_runtime(**settings: Any) -> moonward.Runtime:
    """A Runtime whose workers may be rogues."""
    return entry_runtime("rogue_worker:play", **settings)
