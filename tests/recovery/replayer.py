"""Repeats journals in a process of its own:  python replayer.py SHIFT_S

Reads a path a line; writes for each, as a line of JSON, the report of its repetition and how it ends when it is
continued from each of its pauses. Its clock is SHIFT_S seconds ahead, and its Runtime's data is empty.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import moonward
from moonward.actors.journal.entries import Paused
from moonward.actors.session_state import Instant
from moonward.core import Core, instant

sys.path.insert(0, str(Path(__file__).parents[1]))

from recovery.record import PATIENCE_S, play
from recovery.reproducible import write_packages


class Ahead(moonward.Runtime):
    """A Runtime whose clock is ahead."""

    def __init__(self, shift_s: float, **settings: Any) -> None:
        def now() -> Instant:
            at = instant()
            return Instant(at.wall_ms + int(shift_s * 1000), at.mono_s)

        self._core = Core(None, settings, now=now)


def pauses(runtime: moonward.Runtime, session_id: str) -> list[int]:
    """Numbers of the entries that are pauses."""
    entries = runtime._core.services.store.read(session_id)
    return [number for number, entry in enumerate(entries) if isinstance(entry, Paused)]


def repeat(runtime: moonward.Runtime, path: Path) -> dict[str, Any]:
    """One journal."""
    session = runtime.import_(path)
    report = runtime.replay(session.id, timeout=PATIENCE_S)
    ends = []
    for at in pauses(runtime, session.id):
        end = play(runtime.fork(session.id, at)).state
        ends.append(end.result if isinstance(end, moonward.Completed) else repr(end))
    return {"name": path.stem, "report": report.to_json(), "ends": ends}


def place() -> str:
    """Where this process's stack is: not twice the same where address randomisation is on."""
    return next(line for line in Path("/proc/self/maps").read_text().splitlines() if "[stack]" in line)


def main(shift_s: float) -> None:
    """Serve until the input ends."""
    with tempfile.TemporaryDirectory() as folder:
        packages = write_packages(Path(folder, "packages"))
        with Ahead(shift_s, data_dir=Path(folder, "data"), package_paths=[packages]) as runtime:
            print(json.dumps({"place": place()}), flush=True)
            for line in sys.stdin:
                print(json.dumps(repeat(runtime, Path(line.rstrip("\n")))), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
