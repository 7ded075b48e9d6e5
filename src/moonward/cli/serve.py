"""`moonward serve`: an MCP server over streamable HTTP."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from moonward.actors.errors import SettingsError
from moonward.cli.exit_status import COMPLETED
from moonward.cli.server import add_server_options, server_settings

VARIABLE: Final = "MOONWARD_SERVE_TOKEN"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `serve`."""
    parser = commands.add_parser(
        "serve",
        help="serve MCP over HTTP",
        description="Serve the tools of moonward over streamable HTTP, at /mcp, until a signal comes. Without a "
        "token whoever can connect may do what you may; that is allowed on 127.0.0.1 only. With tokens each user "
        "has sessions of its own, and names files only in directories that are opened with --allow-path.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="the port; 0 takes a free one (default: 8000)")
    parser.add_argument(
        "--token",
        help=f"the token that callers must send; better given in {VARIABLE}, where others cannot read it",
    )
    parser.add_argument(
        "--token-file", metavar="FILE", help="tokens of several users, one a line: a name and a token"
    )
    parser.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a further name in Host (repeatable)",
    )
    parser.add_argument(
        "--allow-origin", metavar="URL", action="append", default=[], help="a further Origin (repeatable)"
    )
    parser.add_argument(
        "--allow-path",
        metavar="DIR",
        action="append",
        default=[],
        help="a directory in which users with tokens may name files (repeatable)",
    )
    parser.add_argument(
        "--allow-install",
        action="store_true",
        help="let users with tokens install and remove packages, which all of them share, when there are several",
    )
    add_server_options(parser)
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Serve; returns the exit status."""
    settings = server_settings(arguments)
    import asyncio

    from moonward.servers.over_http import Listening, serve_http
    from moonward.servers.tokens import Tokens

    token = arguments.token if arguments.token is not None else os.environ.get(VARIABLE)
    file = None if arguments.token_file is None else Path(arguments.token_file)
    listening = Listening(
        host=arguments.host,
        port=arguments.port,
        tokens=Tokens.of(token, file),
        hosts=arguments.allow_host,
        origins=arguments.allow_origin,
        allows_installing=arguments.allow_install,
        folders=[_folder(path) for path in arguments.allow_path],
    )
    asyncio.run(serve_http(settings, without_secrets(os.environ), listening))
    return COMPLETED


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for what the server starts."""
    return {name: value for name, value in environ.items() if name != VARIABLE}


def _folder(path: str) -> str:
    if not os.path.isdir(path):
        raise SettingsError(f"--allow-path: {path!r} is not a directory")
    return os.path.realpath(path)
