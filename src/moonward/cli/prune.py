"""`moonward prune`: remove what ended long ago."""

from __future__ import annotations

import argparse

from moonward.cli.age import seconds_of
from moonward.cli.exit_status import COMPLETED
from moonward.cli.journal import add_journal
from moonward.cli.operating import is_there, journal_path, opened, print_json


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `prune`."""
    parser = commands.add_parser(
        "prune",
        help="remove the sessions that ended long ago",
        description="Remove the journals of sessions that ended longer ago than AGE: 90s, 15m, 2h, 7d. Sessions that "
        "have not ended stay. `moonward sessions --phase completed --older-than AGE` shows what would go. The file "
        "does not shrink; its room is used again.",
    )
    parser.add_argument("--older-than", metavar="AGE", required=True, help="they ended longer ago than AGE")
    add_journal(parser)
    parser.add_argument("--json", action="store_true", help="print how many as a JSON object")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Remove them; returns the exit status."""
    age_s = seconds_of("--older-than", arguments.older_than)
    removed = 0
    if is_there(journal_path(arguments)):
        with opened(arguments) as runtime:
            removed = runtime.prune(age_s)
    if arguments.json:
        print_json({"removed": removed})
    else:
        print(f"removed {removed} {'session' if removed == 1 else 'sessions'}")
    return COMPLETED
