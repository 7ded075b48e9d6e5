"""`moonward serve` in a process, and HTTP written by hand."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from .inside import Sampler

WAIT_S = 30.0

MODERN = "2026-07-28"

OLDER = "2025-06-18"

ACCEPT = "application/json, text/event-stream"


class WebServer:
    """A server on a free port. `home` is its whole world: packages, journal, state."""

    def __init__(self, home: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        home.mkdir(exist_ok=True)
        env = {**os.environ, "HOME": str(home), "ALC_HOME": str(home), **(environ or {})}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "moonward", "serve", "--port", "0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            cwd=home,
        )
        assert self.process.stderr is not None
        self.told = self.process.stderr.readline()
        found = re.search(r"http://\S+:(\d+)/mcp", self.told)
        if found is None:
            self.told += self.process.stderr.read()
            self.process.wait(WAIT_S)
            self.url, self.port = "", 0
        else:
            self.url, self.port = found.group(), int(found.group(1))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=WAIT_S)

    def end(self) -> tuple[int, str, str]:
        """Ask the server to end; its status, output and errors."""
        self.process.terminate()
        output, errors = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, output, errors

    @asynccontextmanager
    async def client(
        self, era: str, *, sampler: Sampler | None = None, token: str | None = None
    ) -> AsyncIterator[Client]:
        """The SDK's client."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        async with httpx2.AsyncClient(headers=headers, timeout=WAIT_S) as web:
            transport = streamable_http_client(self.url, http_client=web)
            async with Client(transport, mode=era, sampling_callback=sampler) as client:
                yield client

    # -- by hand

    def connection(self) -> http.client.HTTPConnection:
        """A connection of our own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)

    def post(
        self, body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None, path: str = "/mcp"
    ) -> tuple[int, str]:
        """Status and text of the reply to one POST."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = self.connection()
        try:
            given = {"Content-Type": "application/json", "Accept": ACCEPT, **(headers or {})}
            connection.request("POST", path, data, given)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def opened(self, headers: Mapping[str, str] | None = None) -> dict[str, str]:
        """Open a connection of the older era; the headers of what follows on it."""
        hello = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": OLDER,
                "capabilities": {},
                "clientInfo": {"name": "x", "version": "0"},
            },
        }
        connection = self.connection()
        given = {"Content-Type": "application/json", "Accept": ACCEPT, **(headers or {})}
        connection.request("POST", "/mcp", json.dumps(hello).encode(), given)
        reply = connection.getresponse()
        reply.read()
        connection.close()
        return {"Mcp-Session-Id": reply.headers["Mcp-Session-Id"], "MCP-Protocol-Version": OLDER}

    def call(
        self, tool: str, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> tuple[int, dict[str, Any]]:
        """Status and result of a tool, called in the newer era."""
        status, text = self.post(request(tool, **arguments), modern(tool) | dict(headers or {}))
        body = json.loads(text) if text.startswith("{") else {}
        return status, body.get("result", body)


def request(tool: str, **arguments: Any) -> dict[str, Any]:
    """A call of the newer era, as the body of a POST."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def modern(tool: str) -> dict[str, str]:
    """The headers that go with it."""
    return {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool}
