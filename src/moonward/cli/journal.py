"""Which journal a command works on: `--journal`, else `MOONWARD_JOURNAL`, else the one in the data directory."""

from __future__ import annotations

import argparse
import os
import shlex
from typing import Any

from moonward.actors.settings import Settings


def add_journal(parser: argparse.ArgumentParser) -> None:
    """Add `--journal`."""
    parser.add_argument(
        "--journal",
        metavar="URL",
        help="sqlite:///path or memory: (default: MOONWARD_JOURNAL, or else journal.db in the data directory)",
    )


def settings_of(arguments: argparse.Namespace, **overrides: Any) -> Settings:
    """The settings that hold for a command. Raises `SettingsError`."""
    if arguments.journal is not None:
        overrides["journal"] = arguments.journal
    return Settings.resolve(None, overrides, os.environ, at_home=True)


def command_line(arguments: argparse.Namespace, command: str, session_id: str) -> str:
    """What to type so that `command` finds the session."""
    where = f" --journal {shlex.quote(arguments.journal)}" if arguments.journal is not None else ""
    return f"moonward {command} {session_id}{where}"
