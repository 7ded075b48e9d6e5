"""What the operator's commands share: which session is meant, looking at a journal, and a Runtime to change it with."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moonward.actors.errors import SessionNotFound, SettingsError
from moonward.actors.journal.archive import Archive
from moonward.actors.journal.sqlite_file import has_log
from moonward.cli.journal import add_journal, settings_of
from moonward.cli.terminal_text import json_line, one_line

if TYPE_CHECKING:
    from moonward.runtime import Runtime

SQLITE = "sqlite:///"

MAX_MISSING = 20
"""Lines of what a damaged journal lacks that are shown; arbitrary, a screen. The notes of the sessions hold all."""


def add_session(parser: argparse.ArgumentParser) -> None:
    """Add the session's id, and `--journal`."""
    parser.add_argument("session", metavar="ID", help="the session's id, or a beginning that no other has")
    add_journal(parser)


def journal_path(arguments: argparse.Namespace) -> Path:
    """The file of the journal. Raises `SettingsError` for a journal that is none."""
    journal = settings_of(arguments).journal
    if not journal.startswith(SQLITE):
        raise SettingsError(
            f"{journal} holds sessions only while their Runtime lives; name a journal with --journal sqlite:///path"
        )
    return Path(journal.removeprefix(SQLITE)).expanduser()


def is_there(path: Path) -> bool:
    """Whether there is a journal at `path`, or at least its log, of which it can be made again."""
    return path.exists() or has_log(os.path.realpath(path))


def archive(arguments: argparse.Namespace) -> Archive:
    """The journal, to look at."""
    return Archive(str(journal_path(arguments)))


@contextmanager
def changing(arguments: argparse.Namespace) -> Iterator[tuple[Runtime, str]]:
    """A Runtime on the journal, and the id of the session that is meant. No other session is touched."""
    if not is_there(journal_path(arguments)):
        raise SessionNotFound(arguments.session)
    with opened(arguments) as runtime:
        with archive(arguments) as shelf:
            session_id = shelf.find(arguments.session)
        yield runtime, session_id


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[Runtime]:
    """A Runtime on the journal that takes no session by itself, and says what was damaged."""
    from moonward.runtime import Runtime  # Lua and the actors are loaded by the commands that need them

    journal_path(arguments)
    settings = settings_of(
        arguments, warm_workers=0, idle_ttl=None, hibernate_after=None, journal_retention=None
    )
    with Runtime(settings) as runtime:
        tell_damage(runtime)
        yield runtime


def tell_damage(runtime: Runtime) -> None:
    """Say on standard error what was missing of the journal when it was opened."""
    for report in runtime._core.services.salvaged:
        kept = f"; as it was it is kept in {report.kept_as}" if report.kept_as else ""
        complain(f"the journal {report.path} was damaged and has been made whole{kept}")
        for line in report.missing[:MAX_MISSING]:
            complain(f"  {line}")
        if len(report.missing) > MAX_MISSING:
            complain(f"  … and {len(report.missing) - MAX_MISSING} more")


def print_json(value: Any) -> None:
    """Print `value` as JSON on a line of its own, in characters that standard output has."""
    unicode_output = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json_line(value, ascii_only=not unicode_output), flush=True)


def complain(text: str) -> None:
    """Say something on standard error."""
    print(f"moonward: {one_line(text)}", file=sys.stderr)
