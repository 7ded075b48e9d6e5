"""`python -m benchmarks`: measures the rows, prints the table, writes JSON and plots. `make bench` runs it."""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import floors, machine, plot, table
from benchmarks.record import Failure, Record
from benchmarks.row import Row, Run
from benchmarks.rows import ROWS
from moonward.load.progress import Progress

TREE = Path(__file__).parent.parent
PUBLISHED = TREE / "docs" / "measurements"
"""What the documents show."""

UNPUBLISHED = TREE / ".bench"
"""Where what is not whole goes, so that it never replaces what the documents show."""

INTERRUPTED = 130
"""128 + SIGINT, as shells count."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; the exit status is 0, targets met or not; 1 if a row could not be measured; 130 if interrupted."""
    arguments = parser().parse_args(argv)
    chosen = choose(arguments.rows)
    if arguments.explain:
        print("\n\n".join(f"row {row.key}: {row.title}\n{row.method}" for row in chosen))
        return 0
    raise_open_file_limit()
    folder: Path = arguments.out or UNPUBLISHED
    folder.mkdir(parents=True, exist_ok=True)
    record = Record(machine.here(), [row.key for row in chosen], arguments.quick, time.time())
    try:
        status = measure(chosen, record, folder)
    except KeyboardInterrupt:
        status = INTERRUPTED
    record.ended_s = time.time()
    is_whole = status == 0 and arguments.rows is None and not arguments.quick
    if arguments.out is None and is_whole:  # only now: half a run never replaces what the documents show
        folder = PUBLISHED
        folder.mkdir(exist_ok=True)
    record.save(folder / "bench.json")
    draw(record, folder)
    print(record.machine.text)
    print(table.text(record))
    print(f"floors: {floors.spread_text(record.floors)}")
    if status == INTERRUPTED:
        print("interrupted: the table holds what was measured until then")
    print(f"kept in {folder}" + ("; `make docs` draws the documents from it" if folder == PUBLISHED else ""))
    return status


def measure(rows: Sequence[Row], record: Record, folder: Path) -> int:
    """Measure `rows` into `record`, saved after each; returns the exit status."""
    progress = Progress()
    for row in rows:
        scratch = Path(tempfile.mkdtemp(prefix=f"row-{row.key}-", dir=folder))
        try:
            progress.step(f"row {row.key}: {row.title}")
            run = Run(row.key, scratch, progress, quick=record.is_quick, floors_of_run=record.floors)
            for found in row.measure(run):
                record.add(found)
                progress.step(f"row {row.key}: {found.name}")
        except Exception as error:  # the other rows can be measured all the same
            record.failures.append(Failure(row.key, f"{type(error).__name__}: {error}"))
            progress.end(f"row {row.key} could not be measured: {error!r}")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        record.save(folder / "bench.json")
    progress.end("done")
    record.is_complete = not record.failures
    return 1 if record.failures else 0


def draw(record: Record, folder: Path) -> None:
    """Draw the plots, or say what is missing."""
    try:
        for path in plot.draw(record, folder):
            print(path)
    except ImportError:
        print("no plots: they need matplotlib, which the extra `bench` brings", file=sys.stderr)


def choose(keys: str | None) -> list[Row]:
    """The rows that are named by keys with blanks or commas between them; all of them by None."""
    if keys is None:
        return list(ROWS)
    known = {row.key: row for row in ROWS}
    wanted = keys.replace(",", " ").split()
    unknown = [key for key in wanted if key not in known]
    if unknown:
        raise SystemExit(f"benchmarks: no row {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[key] for key in wanted]


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = argparse.ArgumentParser(prog="benchmarks", description="Measure moonward against its targets.")
    options.add_argument("--rows", metavar="KEYS", help='only these, e.g. "1 5"')
    options.add_argument(
        "--quick", action="store_true", help="a few samples each: does it run, roughly how fast"
    )
    options.add_argument(
        "--explain", action="store_true", help="say how each row is measured, and measure nothing"
    )
    options.add_argument(
        "--out",
        type=Path,
        help=f"folder of the JSON and the plots; by default docs/{PUBLISHED.name} for all rows in full, "
        f"else {UNPUBLISHED.name}",
    )
    return options


def raise_open_file_limit() -> None:
    """Raise the soft limit on open files to the hard one: 5,000 sessions need 15,000."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
