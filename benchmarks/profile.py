"""Where a feed's time goes: `python -m benchmarks.profile`, or `make profile`. Prints a table, draws a flame graph.

The kernel counts, to the nanosecond, how long each thread ran and how long it waited for a processor that another had.
Both are read before and after many feeds of the kind of row 1, for the caller's thread, the loop's and the worker's. A
feed goes from one to the next, so what is left of its time is the way between them: a processor that idles has to be
woken, four times, or one that is busy waited for. The threads overlap a little at the end of a feed, so that rest is
rather too small.

The flame graph is of the host's process alone, taken by py-spy (the extra `bench`): the worker holds no Python.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from benchmarks import flame, floors, machine
from benchmarks.__main__ import PUBLISHED
from benchmarks.floors import Floors
from benchmarks.machine import Machine
from benchmarks.rows.feed import WARM_UP, timed
from benchmarks.script import ENDLESS
from moonward.load.progress import Progress
from moonward.load.report import duration
from moonward.load.spread import Spread
from moonward.runtime import Session
from moonward.testing import FaultyRuntime

FEEDS: Final = 10_000
QUICK_FEEDS: Final = 200
LOOP: Final = "moonward"
"""Name of a Runtime's loop thread."""

FLAME_S: Final = 8
"""Seconds that py-spy looks on."""

LOOKS_PER_S: Final = 250
"""Times a second that it looks; the process stands still meanwhile."""


class Part(msgspec.Struct, frozen=True):
    """Where a part of a feed's time goes: seconds for each feed, on average."""

    name: str
    seconds: float


class Profile(msgspec.Struct, frozen=True):
    """One run. `parts` add up to `mean_s`.

    `queued_s` is what the three threads together waited in run queues for each feed. They may do so at once.
    """

    machine: Machine
    feeds: int
    mean_s: float
    median_s: float
    floors: Floors
    parts: list[Part]
    queued_s: float


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and draw; the exit status is 0, with or without a flame graph."""
    options = argparse.ArgumentParser(prog="benchmarks.profile", description="Where a feed's time goes.")
    options.add_argument("--quick", action="store_true", help="a few feeds, no flame graph: does it run")
    options.add_argument("--out", type=Path, default=PUBLISHED, help="folder of the JSON and the picture")
    arguments = options.parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    progress = Progress()
    progress.step("where a feed's time goes")
    with tempfile.TemporaryDirectory() as folder:
        before = floors.measure(Path(folder))
        with FaultyRuntime(journal="memory:", data_dir=folder) as runtime:
            session = runtime.start(ENDLESS)
            session.wait()
            for _ in range(WARM_UP):
                timed(session)
            feeds = QUICK_FEEDS if arguments.quick else FEEDS
            parts, queued_s, samples = measure(session, runtime.workers(session.id)[""], feeds)
            if not arguments.quick:
                progress.step("what the flame graph sees")
                draw(session, arguments.out / "flame.svg")
        around = floors.middle([before, floors.measure(Path(folder))])
    spread = Spread(samples)
    profile = Profile(machine.here(), feeds, spread.mean, spread.median, around, parts, queued_s)
    (arguments.out / "profile.json").write_bytes(msgspec.json.format(msgspec.json.encode(profile)) + b"\n")
    print(profile.machine.text)
    print(text(profile))
    return 0


ON_THE_WAY = "on the way: four wake-ups, and run queues"
"""What is left when nobody ran."""

SIDE_BY_SIDE = "less what ran side by side, on both processors"
"""What counted twice, where that is more than the way."""


def measure(session: Session, worker: int, feeds: int) -> tuple[list[Part], float, list[float]]:
    """The parts of a feed's mean time, the seconds of a feed in run queues, and the samples."""
    loop = next(each.native_id for each in threading.enumerate() if each.name == LOOP)
    own = threading.get_native_id()
    pid = os.getpid()
    paths = [f"/proc/{pid}/task/{own}", f"/proc/{pid}/task/{loop}", f"/proc/{worker}"]
    before, ticks_before = [scheduled(path) for path in paths], ticks(worker)
    samples = [timed(session) for _ in range(feeds)]
    after, ticks_after = [scheduled(path) for path in paths], ticks(worker)
    ran_s = [(now[0] - then[0]) / feeds for now, then in zip(after, before, strict=True)]
    queued_s = sum(now[1] - then[1] for now, then in zip(after, before, strict=True)) / feeds
    user, system = (now - then for now, then in zip(ticks_after, ticks_before, strict=True))
    share = system / (user + system) if user + system else 0.0
    rest_s = sum(samples) / feeds - sum(ran_s)
    parts = [
        Part("caller: Python", ran_s[0]),
        Part("loop: Python, selectors, pipes", ran_s[1]),
        Part("worker: Lua", ran_s[2] * (1 - share)),
        Part("worker: pipes, in the kernel", ran_s[2] * share),
        Part(ON_THE_WAY if rest_s >= 0 else SIDE_BY_SIDE, rest_s),
    ]
    return parts, queued_s, samples


def scheduled(path: str) -> tuple[float, float]:
    """Seconds that a thread ran, and seconds that it waited for a processor."""
    ran, waited, _ = Path(f"{path}/schedstat").read_text().split()
    return int(ran) * 1e-9, int(waited) * 1e-9


def ticks(pid: int) -> tuple[int, int]:
    """Clock ticks that a process was seen in its own code, and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]), int(fields[12])


def draw(session: Session, path: Path) -> None:
    """Draw the flame graph of feeds, or say why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "stacks"
        spy = Path(sys.executable).with_name("py-spy")
        command = [str(spy), "record", "--pid", str(os.getpid()), "--format", "raw", "--output", str(found)]
        try:
            with subprocess.Popen(
                [*command, "--rate", str(LOOKS_PER_S), "--duration", str(FLAME_S)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            ) as watcher:
                end_s = time.monotonic() + FLAME_S + 1
                while time.monotonic() < end_s and watcher.poll() is None:
                    timed(session)
                _, said = watcher.communicate()
        except FileNotFoundError:
            print("no flame graph: it needs py-spy, which the extra `bench` brings", file=sys.stderr)
            return
        if watcher.returncode or not found.exists():
            print(f"no flame graph: {said.decode(errors='replace').strip()[-200:]}", file=sys.stderr)
            return
        path.write_text(flame.svg(found.read_text(), "Feeds, in the host's process"))
        print(path)


def signed(seconds: float) -> str:
    """A duration that may be taken off."""
    return duration(seconds) if seconds >= 0 else f"-{duration(-seconds)}"


def rows(profile: Profile) -> list[tuple[str, str, str]]:
    """Name, time and share of each part."""
    return [
        (part.name, signed(part.seconds), f"{part.seconds / profile.mean_s:.0%}") for part in profile.parts
    ] + [("a feed, mean", duration(profile.mean_s), "100%")]


def summary(profile: Profile) -> str:
    """How many feeds, and how much of the way was other programs' doing."""
    queued = (
        f"the three threads waited {duration(profile.queued_s)} a feed for processors that something else had"
    )
    return f"{profile.feeds:,} feeds, median {duration(profile.median_s)}; {queued}"


def text(profile: Profile) -> str:
    """The table as lines of text."""
    lines = [f"{name:42}  {time_text:>8}  {share:>4}" for name, time_text, share in rows(profile)]
    lines.append(summary(profile))
    return "\n".join([*lines, f"floors: {floors.spread_text([profile.floors])}"])


if __name__ == "__main__":
    sys.exit(main())
