"""`moonward mcp`: an MCP server over standard input and output."""

from __future__ import annotations

import argparse
import os
import sys

from moonward.cli.exit_status import COMPLETED
from moonward.cli.server import add_server_options, server_settings


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `mcp`."""
    parser = commands.add_parser(
        "mcp",
        help="serve MCP over standard input and output",
        description="Serve the tools of moonward to an MCP host over standard input and output, until the input "
        "ends. Sessions are kept in the journal: the next server finds them.",
    )
    add_server_options(parser)
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Serve; returns the exit status."""
    settings = server_settings(arguments)
    if sys.stdin.isatty():
        print(
            "moonward: an MCP host starts this and writes to its input; see `moonward mcp --help`",
            file=sys.stderr,
        )
    import asyncio

    from moonward.servers.over_stdio import serve_stdio

    asyncio.run(serve_stdio(settings, os.environ))
    return COMPLETED
