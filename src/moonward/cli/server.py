"""What the commands that serve have in common: settings, logs, the extra that they need."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import sys
from typing import Final

from moonward.actors.errors import SettingsError
from moonward.actors.settings import Settings
from moonward.cli.journal import add_journal, settings_of

HIBERNATE_AFTER_S: Final = 900.0
"""Seconds that a paused session keeps its worker, unless settings say otherwise. Arbitrary: a server lives for weeks,
and a question that was not answered in a quarter of an hour may wait for days."""

LEVELS: Final = ("debug", "info", "warning", "error")

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every server."""
    add_journal(parser)
    parser.add_argument(
        "--package-path",
        metavar="DIR",
        action="append",
        default=[],
        help="search DIR for packages (repeatable)",
    )
    parser.add_argument(
        "--log-level",
        choices=LEVELS,
        default="warning",
        help="what is told on standard error (default: warning)",
    )


def server_settings(arguments: argparse.Namespace) -> Settings:
    """The settings of a server, whose logs go to standard error from now on. Raises `SettingsError`."""
    if importlib.util.find_spec("mcp") is None:
        raise SettingsError("the MCP server needs an extra: pip install 'moonward[mcp]'")
    level = getattr(logging, arguments.log_level.upper())
    logging.basicConfig(stream=sys.stderr, level=level, format=FORMAT)
    logging.getLogger("mcp").setLevel(max(level, logging.INFO))  # below that the SDK repeats what hosts send
    settings = settings_of(arguments)
    overrides = settings.given()
    for each in arguments.package_path:
        if not os.path.isdir(each):
            raise SettingsError(f"--package-path: {each!r} is not a directory")
    if arguments.package_path:
        overrides["package_paths"] = (*arguments.package_path, *settings.package_paths)
    if settings.is_durable:
        overrides.setdefault("hibernate_after", HIBERNATE_AFTER_S)
    return Settings(**overrides)
