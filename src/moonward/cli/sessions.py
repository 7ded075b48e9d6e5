"""`moonward sessions`: the sessions of a journal."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from moonward.actors.journal.archive import Archive
from moonward.actors.journal.store import Page, SessionRow
from moonward.cli.age import ago, seconds_of
from moonward.cli.exit_status import COMPLETED
from moonward.cli.journal import add_journal
from moonward.cli.operating import archive, complain, journal_path, print_json
from moonward.cli.terminal_text import one_line

PHASES: Final = ("running", "paused", "completed", "failed", "cancelled")

PAGE: Final = 500
"""Sessions that are read at a time; arbitrary, a few milliseconds' worth."""

MAX_STRATEGY_CHARS: Final = 40
"""Characters of a strategy's name that a listing for people shows. Arbitrary, so that a line stays one."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `sessions`."""
    parser = commands.add_parser(
        "sessions",
        help="list the sessions of a journal",
        description="List the sessions of a journal, oldest first, whether a host is using it or not. Ages count from "
        "the last question, answer or end. An AGE is a number and a unit: 90s, 15m, 2h, 7d.",
    )
    parser.add_argument(
        "--phase",
        metavar="PHASE",
        action="append",
        choices=PHASES,
        help=f"one of {', '.join(PHASES)} (repeatable)",
    )
    parser.add_argument("--older-than", metavar="AGE", help="nothing has happened to them for AGE")
    parser.add_argument("--newer-than", metavar="AGE", help="something has happened to them within AGE")
    add_journal(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Print the sessions; returns the exit status."""
    now_ms = int(time.time() * 1000)
    phases = tuple(arguments.phase) if arguments.phase else None
    before_ms = _before(now_ms, "--older-than", arguments.older_than)
    since_ms = _before(now_ms, "--newer-than", arguments.newer_than)
    path = journal_path(arguments)
    with archive(arguments) as shelf:
        rows = _rows(shelf, Page(0, PAGE, phases, before_ms, since_ms))
        if arguments.json:
            for row in rows:
                print_json(to_json(row))
        else:
            _print_table(rows, now_ms)
    if not path.exists():
        complain(f"there is no journal at {path} yet")
    return COMPLETED


def to_json(row: SessionRow) -> dict[str, Any]:
    """A row as a JSON object; times are Unix milliseconds."""
    return {
        "session_id": row.id,
        "phase": row.phase,
        "started_at": row.started_ms,
        "last_entry_at": row.last_ms,
        "entries": row.entries,
        "strategy": row.strategy,
        "user": row.user,
        "owner_pid": row.owner_pid,
    }


def _before(now_ms: int, option: str, age: str | None) -> int | None:
    return None if age is None else now_ms - int(seconds_of(option, age) * 1000)


def _rows(shelf: Archive, page: Page) -> Iterator[SessionRow]:
    while rows := shelf.rows(page):
        yield from rows
        page = Page(rows[-1].num, page.limit, page.phases, page.before_ms, page.since_ms)


def _print_table(rows: Iterator[SessionRow], now_ms: int) -> None:
    """Columns of fixed width: a listing may be long, and is shown as it is read."""
    is_first = True
    for row in rows:
        if is_first and sys.stdout.isatty():
            print(
                f"{'ID':<24}  {'PHASE':<9}  {'LAST':>12}  {'STARTED':>12}  {'ENTRIES':>7}  HOST     STRATEGY"
            )
        is_first = False
        host = str(row.owner_pid) if row.owner_pid is not None else "-"
        strategy = one_line(row.strategy or "-", MAX_STRATEGY_CHARS)
        print(
            f"{one_line(row.id):<24}  {row.phase:<9}  {ago(row.last_ms, now_ms):>12}"
            f"  {ago(row.started_ms, now_ms):>12}  {row.entries:>7}  {host:<7}  {strategy}"
        )
