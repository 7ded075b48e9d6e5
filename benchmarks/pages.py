"""Writes what was measured into the documents: `python -m benchmarks.pages`, or `make docs`. Draws plots again, too.

A document holds blocks between two markers, `<!-- measured: NAME -->` and `<!-- end -->`. What is between them is drawn
from the JSON in `docs/measurements/`, and a test compares.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from benchmarks import __main__ as command
from benchmarks import floors, plot, record, table
from benchmarks.floors import Floors
from benchmarks.machine import Machine
from benchmarks.peers import outcome
from benchmarks.peers import table as peers_table
from benchmarks.profile import Profile, rows, summary

BLOCK: Final = re.compile(r"(<!-- measured: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
DOCUMENTS: Final = ("README.md", "docs/performance.md")


def targets(folder: Path) -> str:
    """The rows of `make bench`."""
    run = record.load(folder / "bench.json")
    half = "" if run.is_complete else " This run was not complete."
    lines = [place(run.machine, run.started_s, run.floors) + half, "", table.markdown(run.figures).rstrip()]
    lines += [f"\nRow {each.row} could not be measured: {each.error}" for each in run.failures]
    return "\n".join(lines)


def plots(folder: Path) -> str:
    """The plots of `make bench` that there are."""
    found = [each for each in plot.PLOTS if (folder / f"{each.file}.svg").exists()]
    return "\n\n".join(f"![{each.title}](measurements/{each.file}.svg)" for each in found)


def flame(folder: Path) -> str:
    """The flame graph, if there is one."""
    exists = (folder / "flame.svg").exists()
    return "![Flame graph of the host's process while it feeds](measurements/flame.svg)" if exists else ""


def peers(folder: Path) -> str:
    """The table of `make bench-peers`."""
    run = outcome.load(folder / "peers.json")
    lines = [peers_table.markdown(run).rstrip(), "", place(run.machine, run.started_s, run.floors)]
    lines.append(f"Versions: {peers_table.versions(run.outcomes)}.")
    return "\n".join(lines)


def peer_details(folder: Path) -> str:
    """What a unit is, and how a loss showed."""
    outcomes = outcome.load(folder / "peers.json").outcomes
    lines = [f"- {each.title}: {each.unit}" for each in outcomes if each.unit]
    lines += [f"- {each.title}: {each.failure}" for each in outcomes if each.failure]
    return "\n".join([*lines, *(f"- {each}" for each in peers_table.losses(outcomes))])


def profile(folder: Path) -> str:
    """The table of `make profile`."""
    run = msgspec.json.decode((folder / "profile.json").read_bytes(), type=Profile)
    lines = ["| part | time | share |", "|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows(run)]
    return "\n".join([*lines, "", f"{summary(run)}. {place(run.machine, None, [run.floors])}"])


def place(machine: Machine, started_s: float | None, measured: list[Floors]) -> str:
    """Where and when, and the floors."""
    day = f", {time.strftime('%Y-%m-%d', time.gmtime(started_s))}" if started_s is not None else ""
    return f"{machine.text}{day}. Floors: {floors.spread_text(measured)}."


BLOCKS: Final[dict[str, Callable[[Path], str]]] = {
    "targets": targets,
    "plots": plots,
    "flame": flame,
    "peers": peers,
    "peer-details": peer_details,
    "profile": profile,
}


def drawn(text: str, folder: Path) -> str:
    """A document with its blocks as the measurements in `folder` say. `KeyError` names a block that there is not."""
    return BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]](folder)}\n{found[3]}", text)


def main(tree: Path) -> int:
    """Write every document of the tree, and its plots."""
    folder = tree / "docs" / "measurements"
    command.draw(record.load(folder / "bench.json"), folder)
    for name in DOCUMENTS:
        path = tree / name
        path.write_text(drawn(path.read_text(), folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(command.TREE))
