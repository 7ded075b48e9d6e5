"""`moonward replay`: run a journal again, and say whether it comes out the same."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from moonward.cli.conversation import source_of
from moonward.cli.exit_status import COMPLETED, FAILED
from moonward.cli.operating import add_session, changing, print_json
from moonward.cli.terminal_text import block, one_line

if TYPE_CHECKING:
    from moonward.actors.rehearsal import Report

REACHED = {
    "end": "to the end",
    "pause": "to the questions that wait for an answer",
    "open": "to where the journal ends",
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `replay`."""
    parser = commands.add_parser(
        "replay",
        help="run a journal again and compare",
        description="Run a session's journal again, with its recorded answers, changing nothing, and say whether it "
        "agrees, or where it differs first and what was expected. Exit status: 0 it agrees, 1 it differs.",
    )
    add_session(parser)
    parser.add_argument("--code", metavar="FILE", help="with this script instead of the recorded one")
    parser.add_argument("--json", action="store_true", help="print the report as a JSON object")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Run it; returns the exit status."""
    code = source_of(Path(arguments.code)) if arguments.code is not None else None
    with changing(arguments) as (runtime, session_id):
        report = runtime.replay(session_id, code)
    if arguments.json:
        print_json(report.to_json())
    else:
        print("\n".join(told(report)))
    return COMPLETED if report.agrees else FAILED


def told(report: Report) -> list[str]:
    """A report for people."""
    if report.agrees:
        return [f"agrees with its {report.entries} entries, {REACHED[report.reached]}"]
    lines = [
        f"differs at entry {report.entry} of {report.entries}",
        f"  expected  {one_line(report.expected or '')}",
        f"  came      {one_line(report.actual or '')}",
    ]
    if report.diff:
        lines += ["", block(report.diff, "  ")]
    return lines
