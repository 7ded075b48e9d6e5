"""`moonward cancel`: end a session."""

from __future__ import annotations

import argparse

from moonward.cli.exit_status import COMPLETED
from moonward.cli.operating import add_session, changing, print_json
from moonward.cli.terminal_text import one_line


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `cancel`."""
    parser = commands.add_parser(
        "cancel",
        help="end a session",
        description="End a session that no live host has. Its journal stays: `moonward fork` goes on from before.",
    )
    add_session(parser)
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; kept with the session")
    parser.add_argument("--json", action="store_true", help="print the final event")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """End it; returns the exit status."""
    with changing(arguments) as (runtime, session_id):
        event = runtime.cancel(session_id, arguments.reason)
    if arguments.json:
        print_json(event.to_json(session_id))
    else:
        print(f"cancelled {one_line(session_id)}")
    return COMPLETED
