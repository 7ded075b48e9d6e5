"""`moonward`: the command line. One module a command; each says what it adds to the parser."""

from __future__ import annotations

import argparse
import io
import os
import resource
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import moonward
from moonward.actors.errors import SettingsError
from moonward.cli import (
    advise,
    bench,
    cancel,
    doctor,
    feed,
    fork,
    mcp,
    packages,
    portable_file,
    prune,
    replay,
    run,
    serve,
    sessions,
    show,
    types,
)
from moonward.cli.exit_status import FAILED, INTERRUPTED, WRONG_USAGE
from moonward.cli.terminal_text import one_line
from moonward.supervisor.errors import MoonwardError

COMMANDS: tuple[Callable[[argparse._SubParsersAction[argparse.ArgumentParser]], None], ...] = (
    run.add,
    advise.add,
    sessions.add,
    show.add,
    feed.add,
    cancel.add,
    replay.add,
    fork.add,
    portable_file.add,
    prune.add,
    packages.add,
    types.add,
    bench.add,
    doctor.add,
    mcp.add,
    serve.add,
)
"""Each adds its commands and sets `handler`, a function from the parsed arguments to an exit status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Wrong usage ends in `SystemExit(2)`, as argparse does."""
    arguments = parser().parse_args(argv)
    raise_open_file_limit()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal has every character
    status = _run(arguments)
    if not _flush(sys.stdout):
        status = status or FAILED
    _flush(sys.stderr)
    return status


def _run(arguments: argparse.Namespace) -> int:
    try:
        status: int = arguments.handler(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone
        return FAILED
    except SettingsError as error:
        _complain(error)
        return WRONG_USAGE
    except MoonwardError as error:
        _complain(error)
        return FAILED
    return status


def _flush(stream: TextIO) -> bool:
    """Write what is left; False where nobody reads it. At its exit Python would try again, and end with 120."""
    if stream.closed:
        return True
    try:
        stream.flush()
    except BrokenPipeError:
        gone = os.open(os.devnull, os.O_WRONLY)
        os.dup2(gone, stream.fileno())
        os.close(gone)
        return False
    return True


def _complain(error: Exception) -> None:
    print(f"moonward: {one_line(str(error))}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The parser with every command."""
    top = argparse.ArgumentParser(prog="moonward", description="Supervised, durable Lua sessions.")
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in COMMANDS:
        add(commands)
    return top


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: that reads the installation's files."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"moonward {moonward.__version__}")
        parser.exit()


def raise_open_file_limit() -> None:
    """Raise the soft limit on open files to the hard one: each session takes three, and 1024 is a usual start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
