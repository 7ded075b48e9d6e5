"""`moonward fork`: a new session from a point of an old one."""

from __future__ import annotations

import argparse

from moonward.cli.exit_status import COMPLETED
from moonward.cli.operating import add_session, changing, print_json


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `fork`."""
    parser = commands.add_parser(
        "fork",
        help="a new session from a point of an old one",
        description="Begin a new session with the entries of an old one up to and including number N, which "
        "`moonward show` tells. The old one stays as it is. The new id goes to standard output.",
    )
    add_session(parser)
    parser.add_argument("--at", metavar="N", type=int, required=True, help="the last entry that both share")
    parser.add_argument("--json", action="store_true", help="print it as a JSON object")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Fork it; returns the exit status."""
    with changing(arguments) as (runtime, session_id):
        copy = runtime.fork(session_id, arguments.at).id
    found = {"session_id": copy, "forked_from": session_id, "forked_at": arguments.at}
    if arguments.json:
        print_json(found)
    else:
        print(copy)
    return COMPLETED
