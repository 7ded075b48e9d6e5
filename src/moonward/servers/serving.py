"""What both transports need: a Runtime with a server on it, for as long as it is served."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from moonward.actors.settings import Settings
from moonward.core import Core
from moonward.servers.desk import Desk
from moonward.servers.guest import Guest
from moonward.servers.mcp_server import Context, McpServer
from moonward.servers.state_key import KEY_BYTES, state_key


class Serving:
    """A server, and the Runtime that it stands on. `close` is idempotent; calls that wait are told of it."""

    def __init__(self, core: Core, mcp: McpServer) -> None:
        self.core = core
        self.server = mcp.server

    async def close(self) -> None:
        """End the Runtime. Sessions in a durable journal stay as they are."""
        await asyncio.to_thread(self.core.close, None)


@asynccontextmanager
async def serving(
    settings: Settings, environ: Mapping[str, str], guest_of: Callable[[Context], Guest]
) -> AsyncIterator[Serving]:
    """A server on a Runtime of its own. The errors are those of `Runtime()`."""
    core = await asyncio.to_thread(Core, settings, {})
    try:
        durable = settings.is_durable
        key = (
            await asyncio.to_thread(state_key, settings.data_path)
            if durable
            else secrets.token_bytes(KEY_BYTES)
        )
        served = Serving(core, McpServer(Desk(core), environ, guest_of, key))
        yield served
    finally:
        await asyncio.to_thread(core.close, None)
