"""Storms from the command line:  python -m chaos [workers|hosts] [--sessions N] [--seed N] [--json] …

Exit status: 0 passed, 1 failed, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import tempfile
from pathlib import Path

from .hosts import HostStorm
from .progress import Progress
from .report import Report
from .workers import Storm


def workers(arguments: argparse.Namespace, folder: Path, progress: Progress) -> Report:
    """The storm over workers."""
    journal = "memory:" if arguments.journal == "memory" else f"sqlite:///{folder / 'journal.db'}"
    storm = Storm(
        folder,
        sessions=arguments.sessions or 100,
        least=arguments.faults,
        seed=arguments.seed,
        journal=journal,
        losses=arguments.losses,
        progress=progress,
    )
    return storm.blow()


def hosts(arguments: argparse.Namespace, folder: Path, progress: Progress) -> Report:
    """The storm over hosts."""
    return HostStorm(
        folder,
        sessions=arguments.sessions or 200,
        kills=arguments.kills,
        seed=arguments.seed,
        progress=progress,
    ).blow()


STORMS = {"workers": workers, "hosts": hosts}
"""Storms by name: each takes the arguments, a folder that is its own, and where to tell how far it is."""


def main() -> int:
    """Run a storm and print its report."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Sessions under random faults.")
    parser.add_argument("storm", nargs="?", default="workers", choices=sorted(STORMS))
    parser.add_argument("--sessions", type=int, help="default: 100, for hosts 200")
    parser.add_argument("--kills", type=int, default=50, help="kills of the host (hosts)")
    parser.add_argument(
        "--faults", type=int, default=5, help="faults that each session meets at least (workers)"
    )
    parser.add_argument(
        "--losses", type=int, default=20, help="parts of the host that are lost meanwhile (workers)"
    )
    parser.add_argument("--seed", type=int, default=None, help="the same seed gives the same plan of faults")
    parser.add_argument("--journal", choices=("memory", "sqlite"), default="sqlite", help="(workers)")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(1 << 32)
    logging.getLogger("moonward").setLevel(logging.CRITICAL)  # losses are the point of it
    progress = Progress()
    with tempfile.TemporaryDirectory(prefix="moonward-chaos-") as folder:
        report = STORMS[arguments.storm](arguments, Path(folder), progress)
    progress.end()
    print(json.dumps(report.to_json()) if arguments.json else "\n".join(report.lines()))
    return 130 if report.interrupted else 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
