"""MCP over standard input and output: the host starts the server, and ends it by closing its input.

Nothing but the protocol is ever on standard output: while serving, the SDK keeps the pipe for itself and points
descriptor 1 at standard error, for this process and for all that it starts.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from typing import Any, Final

from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from moonward.actors.settings import Settings
from moonward.servers.guest import Guest
from moonward.servers.lenient_stream import LenientStream
from moonward.servers.serving import serving

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What asks a server to end."""


async def serve_stdio(settings: Settings, environ: Mapping[str, str]) -> None:
    """Serve until the input ends. A signal ends the process, once the Runtime is closed."""
    everyone = Guest()
    asked: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, _ask, asked, number)
    async with serving(settings, environ, lambda context: everyone) as served:
        conversation = asyncio.create_task(_converse(served.server))
        either: set[asyncio.Future[Any]] = {conversation, asked}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not conversation.done():
            await served.close()
            _die(asked.result())
        await conversation


async def _converse(server: Server[Any]) -> None:
    async with stdio_server() as (reading, writing):
        lenient = LenientStream(reading, writing)
        await server.run(lenient, writing, server.create_initialization_options())


def _ask(asked: asyncio.Future[int], number: int) -> None:
    if not asked.done():
        asked.set_result(number)


def _die(number: int) -> None:
    """End as the signal would have: a thread that waits for input cannot be called back, and need not be."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
