"""A server inside the test's process, and the SDK's own client on it, in either era of the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.client.client import Client

from moonward.actors.settings import Settings
from moonward.servers.guest import Guest
from moonward.servers.serving import Serving, serving

WAIT_S = 50.0
"""Bound of a test; long, for machines that have much else to do."""

ERAS = ("legacy", "auto")
"""Modes of the SDK's client: the handshake of 2025, and the newest revision that the server has, that of 2026."""

Sampler = Callable[[Any, types.CreateMessageRequestParams], Awaitable[Any]]

ECHO = "return alc.llm('What is 2+2?')"


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test that is a coroutine, within `WAIT_S`."""

    async def bounded() -> None:
        async with asyncio.timeout(WAIT_S):
            await test()

    asyncio.run(bounded())


def environ(home: Path) -> dict[str, str]:
    """An environment whose packages are in `home`."""
    return {"ALC_HOME": str(home), "HOME": str(home), "PATH": "/usr/bin:/bin"}


@asynccontextmanager
async def server(tmp_path: Path, *, guest: Guest | None = None, **settings: Any) -> AsyncIterator[Serving]:
    """A server with a memory journal, unless told otherwise, and its data below `tmp_path`."""
    values: dict[str, Any] = {"data_dir": tmp_path / "data", **settings}
    who = guest or Guest()
    async with serving(Settings(**values), environ(tmp_path), lambda context: who) as served:
        yield served


@asynccontextmanager
async def client(
    tmp_path: Path,
    era: str = "legacy",
    *,
    sampler: Sampler | None = None,
    guest: Guest | None = None,
    **settings: Any,
) -> AsyncIterator[Client]:
    """A client of a server of its own."""
    async with server(tmp_path, guest=guest, **settings) as served:
        async with Client(served.server, mode=era, sampling_callback=sampler) as connected:
            yield connected


async def call(host: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The result of a tool, which is the same as text and as structured content."""
    result = await host.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    body = json.loads(text_of(result))
    assert isinstance(body, dict)
    assert result.structured_content == body
    return body


async def refusal(host: Client, tool: str, **arguments: Any) -> str:
    """The text with which a tool refuses."""
    result = await host.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    assert result.structured_content is None
    return text_of(result)


def text_of(result: types.CallToolResult) -> str:
    """The one text of a result."""
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


async def until(look: Callable[[], Awaitable[Any]]) -> Any:
    """What `look` finds, once it finds something."""
    while not (found := await look()):
        pass
    return found


def answering(answers: Mapping[str, str]) -> Sampler:
    """A model that answers prompts as told, and others with `re: <prompt>`."""

    async def sample(_: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
        content = params.messages[0].content
        assert isinstance(content, types.TextContent)
        text = answers.get(content.text, f"re: {content.text}")
        return types.CreateMessageResult(
            role="assistant", model="a model", content=types.TextContent(type="text", text=text)
        )

    return sample
