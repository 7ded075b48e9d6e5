"""Where a measurement was made: the machine, the kernel, the versions, the commit."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

import moonward

BUSY: Final = 0.5
"""Load for each processor from which on a run is not of a quiet machine; arbitrary."""

LIBRARIES: Final = ("lupa", "msgspec", "pykka")
"""Packages whose speed shows in ours."""


class Machine(msgspec.Struct, frozen=True):
    """Where a measurement was made. `commit` ends in "+" when files differed from it.

    `load` is the load average of the minute before: a run that may have had to share its processors says so. It counts
    what the one before it did, too.
    """

    processor: str
    processors: int
    memory_bytes: int
    kernel: str
    system: str
    python: str
    moonward: str
    commit: str
    versions: dict[str, str]
    load: float = 0.0

    @property
    def text(self) -> str:
        """For people."""
        busy = f", load {self.load:.1f} in the minute before" if self.load > BUSY * self.processors else ""
        memory = f"{self.memory_bytes / (1 << 30):.0f} GiB"
        return (
            f"{self.processors} × {self.processor}, {memory}, Linux {self.kernel}, Python {self.python}, "
            f"moonward {self.moonward} ({self.commit}){busy}"
        )


def here() -> Machine:
    """This machine."""
    return Machine(
        load=os.getloadavg()[0],
        processor=_processor(),
        processors=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=platform.release(),
        system=_system(),
        python=platform.python_version(),
        moonward=moonward.__version__,
        commit=_commit(Path(__file__).parent.parent),
        versions={
            **{name: metadata.version(name) for name in LIBRARIES},
            "sqlite": sqlite3.sqlite_version,
        },
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _commit(tree: Path) -> str:
    """The commit of the sources; empty where there is no repository."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", tree, *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return ""
