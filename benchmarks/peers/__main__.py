"""`python -m benchmarks.peers`: measures moonward and its peers, prints the table, writes JSON."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import floors, machine
from benchmarks.__main__ import INTERRUPTED, PUBLISHED, TREE, UNPUBLISHED, raise_open_file_limit
from benchmarks.peers import table
from benchmarks.peers.cell import Cell, adopt_orphans, interpreter_of
from benchmarks.peers.outcome import Comparison, Latency, Loss, Outcome
from benchmarks.peers.programs import BY_KEY, PROGRAMS, Program
from benchmarks.peers.trial import QUICK, Amounts
from moonward.load.progress import Progress
from moonward.load.spread import Spread

ENVIRONMENT: Final = TREE / ".venv-peers"
"""Where `make bench-peers` installs the peers."""

PEER_S: Final = 150.0
QUICK_PEER_S: Final = 60.0
"""Seconds after which a peer is given up; what it told until then is kept."""

FACT_S: Final = 45.0
"""The same for each of the two programs that show what survives."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; the exit status is 0, 130 if interrupted. A peer that fails is a line of the table."""
    arguments = parser().parse_args(argv)
    chosen = choose(arguments.peers)
    is_whole = arguments.peers is None and not arguments.quick
    folder: Path = arguments.out or (PUBLISHED if is_whole else UNPUBLISHED)
    folder.mkdir(parents=True, exist_ok=True)
    draft = arguments.out or UNPUBLISHED
    draft.mkdir(parents=True, exist_ok=True)
    raise_open_file_limit()
    adopt_orphans()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what a peer started is ended then, too
    comparison = Comparison(machine.here(), arguments.quick, time.time())
    status = 0
    try:
        measure(chosen, comparison, arguments.environment, Progress(), draft)
    except KeyboardInterrupt:
        status = INTERRUPTED
    comparison.ended_s = time.time()
    if status:  # half a run never replaces what the documents show
        folder = draft
    comparison.save(folder / "peers.json")
    print(table.text(comparison))
    if status:
        print("interrupted: the table holds what was measured until then")
    return status


def measure(
    chosen: Sequence[Program], comparison: Comparison, environment: Path, progress: Progress, draft: Path
) -> None:
    """Measure the peers into `comparison`, one after another, saved in the folder `draft` after each."""
    for place, program in enumerate(chosen, 1):
        progress.step(f"{place} of {len(chosen)}: {program.title}")
        outcome = Outcome(program.key, program.title)
        comparison.outcomes.append(outcome)
        folder = Path(tempfile.mkdtemp(prefix="mw-peer-"))  # short: some peers put sockets into it
        try:
            outcome.floors = floors.measure(folder)
            comparison.floors.append(outcome.floors)
            one(program, outcome, folder, environment, progress, quick=comparison.is_quick)
        except (OSError, RuntimeError) as error:
            outcome.failure = f"{type(error).__name__}: {error}"
            progress.end(f"{program.title}: {outcome.failure}")
        finally:
            comparison.floors.append(floors.measure(folder))
            comparison.save(draft / "peers.json")
            shutil.rmtree(folder, ignore_errors=True)
    progress.end("done")


def one(
    program: Program, outcome: Outcome, folder: Path, environment: Path, progress: Progress, *, quick: bool
) -> None:
    """Measure one peer; what it finds before it fails is kept."""
    interpreter = interpreter_of(None if program.is_ours else environment)
    if not interpreter.exists():
        raise FileNotFoundError(f"{interpreter} is not there; `make bench-peers` makes it")
    amounts = QUICK if quick else Amounts()
    with Cell(interpreter, program.key, "measure", made(folder / "speed"), amounts) as cell:
        hear(cell, outcome, progress, QUICK_PEER_S if quick else PEER_S)
    if not quick:
        kill(program, outcome, folder, interpreter, progress)


def kill(program: Program, outcome: Outcome, folder: Path, interpreter: Path, progress: Progress) -> None:
    """See what survives."""
    place = made(folder / "losses")
    with Cell(interpreter, program.key, "before", place, Amounts()) as cell:
        hear(cell, outcome, progress, FACT_S)
        cell.kill()
        # what the killed one detached is still there
        with Cell(interpreter, program.key, "after", place, Amounts(), cell.unit) as again:
            hear(again, outcome, progress, FACT_S)


def hear(cell: Cell, outcome: Outcome, progress: Progress, seconds: float) -> None:
    """Take all that a program tells."""
    for line in cell.lines(seconds):
        take(outcome, line)
        progress.now(f"{outcome.title}: {line.get('found') or line.get('ask') or 'under way'}")


def made(folder: Path) -> Path:
    """The folder, which is there then."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def take(outcome: Outcome, line: dict[str, Any]) -> None:
    """Keep what a line tells."""
    match line:
        case {"versions": versions, "what": what}:
            outcome.versions, outcome.unit = versions, what
        case {"found": "start", "samples_s": samples_s}:
            outcome.start = latency(samples_s)
        case {"found": "answer", "samples_s": samples_s}:
            outcome.answer = latency(samples_s)
        case {"ask": "memory-without", "bytes": taken}:
            outcome.memory_bytes = -taken
        case {"ask": "memory-with", "bytes": taken, "kind": kind, "units": units}:
            outcome.memory_bytes = ((outcome.memory_bytes or 0) + taken) / units
            outcome.memory_units, outcome.memory_kind = units, kind
        case {"found": "rate", "value": value, "units": units}:
            outcome.rate, outcome.rate_units = value, units
        case {"loss": what, "kept": kept, "how": how}:
            outcome.losses.append(Loss(what, kept, how))


def latency(samples_s: list[float]) -> Latency:
    """A distribution, in short."""
    spread = Spread(samples_s)
    median_s, p10_s, p90_s, p99_s = (spread.percentile(rank) for rank in (50, 10, 90, 99))
    return Latency(median_s, p10_s, p90_s, p99_s, len(spread))


def choose(keys: str | None) -> list[Program]:
    """The peers that are named by keys with blanks or commas between them; all of them by None."""
    if keys is None:
        return list(PROGRAMS)
    wanted = keys.replace(",", " ").split()
    unknown = [key for key in wanted if key not in BY_KEY]
    if unknown:
        raise SystemExit(f"bench-peers: no peer {', '.join(unknown)}; there are {', '.join(BY_KEY)}")
    return [BY_KEY[key] for key in wanted]


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = argparse.ArgumentParser(
        prog="benchmarks.peers", description="Measure moonward and other runtimes at the same work."
    )
    options.add_argument(
        "--peers", metavar="KEYS", help=f'only these, e.g. "moonward ray"; of {", ".join(BY_KEY)}'
    )
    options.add_argument(
        "--quick", action="store_true", help="a few samples each, and nothing is killed: does it run"
    )
    options.add_argument(
        "--environment", type=Path, default=ENVIRONMENT, help=f"of the peers (by default {ENVIRONMENT.name})"
    )
    options.add_argument(
        "--out",
        type=Path,
        help=f"folder of the JSON; by default docs/{PUBLISHED.name} for all peers in full, else {UNPUBLISHED.name}",
    )
    return options


if __name__ == "__main__":
    sys.exit(main())
