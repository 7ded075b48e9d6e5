"""`moonward run`: one session to its end."""

from __future__ import annotations

import argparse
from pathlib import Path

from moonward.cli import conversation


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `run`."""
    parser = commands.add_parser(
        "run",
        help="run one session to its end",
        description="Run one session to its end. The result goes to standard output as JSON, everything else to "
        "standard error. Without an answer option it asks on the terminal. Without an answer the session is cancelled. "
        "An interrupt (Ctrl-C) leaves a paused session in the journal, for `moonward feed`; one whose Lua runs is "
        "cancelled.",
        epilog=conversation.EPILOG,
    )
    code = parser.add_mutually_exclusive_group(required=True)
    code.add_argument("file", metavar="FILE", nargs="?", help="a Lua script")
    code.add_argument("-e", dest="code", metavar="CODE", help="the script itself")
    parser.add_argument("--ctx", metavar="JSON|@FILE", help="the script's ctx, a JSON object")
    conversation.add_options(parser)
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Run the session that the arguments describe; returns the exit status."""
    code = arguments.code if arguments.code is not None else conversation.source_of(Path(arguments.file))
    ctx = conversation.json_object("--ctx", arguments.ctx)
    return conversation.to_the_end(
        arguments, lambda runtime: runtime.start(code, ctx, packages=arguments.package_path)
    )
