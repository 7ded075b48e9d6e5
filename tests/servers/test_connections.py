"""Connections to a server over HTTP that ask for nothing, or for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from moonward.servers.connections import Connection

from .inside import run

WHOLE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"


class Impatient(Connection):
    """One whose patience a test can see the end of."""

    most = 2
    patience_s = 0.05


class Application:
    """Answers a request when it is told to."""

    def __init__(self) -> None:
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.was_asked.set()
        while (await receive()).get("more_body"):
            pass
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def listening(application: Application) -> AsyncIterator[int]:
    """The port of a server."""
    config = uvicorn.Config(application, log_config=None, lifespan="off", ws="none")
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Impatient(config, state, {}), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
        for task in state.tasks:
            await task
        assert not state.connections
    finally:
        server.close()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection is closed."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("sent", [b"", b"POST / HTT", WHOLE[:-1], WHOLE + b"POST"])
def test_a_client_that_owes_a_request_and_is_silent_is_not_waited_for(sent: bytes) -> None:
    async def test() -> None:
        application = Application()
        application.may_answer.set()
        async with listening(application) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert await rest(reader) in (b"", b"HTTP/1.1 204 No Content\r\n\r\n")
            writer.close()

    run(test)


def test_an_answer_is_waited_for_however_long_it_takes() -> None:
    async def test() -> None:
        application = Application()
        async with listening(application) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(WHOLE.replace(b"Host", b"Connection: close\r\nHost"))
            await application.was_asked.wait()
            for _ in range(2):  # so long is patience at most
                silent, other = await asyncio.open_connection("127.0.0.1", port)
                assert await rest(silent) == b""
                other.close()
            application.may_answer.set()
            assert (await rest(reader)).startswith(b"HTTP/1.1 204")
            writer.close()

    run(test)


def test_connections_past_the_limit_are_closed_and_those_below_it_served() -> None:
    async def test() -> None:
        application = Application()
        async with listening(application) as port:
            held = []
            for _ in range(Impatient.most):
                held.append(await asyncio.open_connection("127.0.0.1", port))
                held[-1][1].write(WHOLE.replace(b"Host", b"Connection: close\r\nHost"))
                await application.was_asked.wait()
                application.was_asked.clear()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(WHOLE)
            assert await rest(reader) == b""
            writer.close()
            application.may_answer.set()
            for reader, writer in held:
                assert (await rest(reader)).startswith(b"HTTP/1.1 204")
                writer.close()

    run(test)
