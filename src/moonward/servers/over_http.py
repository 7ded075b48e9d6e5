"""MCP over streamable HTTP, at `/mcp`.

Guarantees: a server that others can reach asks for a token; a browser on a stranger's page gets nowhere, because
`Host` and `Origin` must be names that the server knows; what one user began is not there for another; a body is read
up to a limit. Closing a connection ends the wait, never the session. Clients that are silent are not waited for.

What does not work: encryption; put a proxy that has it in front. Limits on how many requests a user may make.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend, RequireAuthMiddleware
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from moonward.actors.errors import SettingsError
from moonward.actors.settings import Settings
from moonward.servers.connections import Connection
from moonward.servers.guest import Guest
from moonward.servers.mcp_server import Context
from moonward.servers.serving import Serving, serving
from moonward.servers.tokens import Tokens

PATH: Final = "/mcp"

LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")

MAX_PORT: Final = 65535

GRACE_S: Final = 3
"""Seconds in which open connections must end when the server does; arbitrary, replies take milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where and to whom a server listens. `hosts` and `origins` are allowed beside those of the address itself.

    `allows_installing`: several users may change the packages that all of them run; a sole one may anyway.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    tokens: Tokens | None = None
    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    folders: Sequence[str] = ()
    allows_installing: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port <= MAX_PORT:
            raise SettingsError(f"port must be a number from 0 to {MAX_PORT}, got {self.port}")
        if self.tokens is None and not is_loopback(self.host):
            raise SettingsError(
                f"a server that others can reach needs a token: set one, or listen on 127.0.0.1, not {self.host!r}"
            )

    def guest(self, user: object) -> Guest:
        """Who a request is from."""
        if self.tokens is None:
            return Guest()
        assert isinstance(user, AuthenticatedUser)
        may_install = self.allows_installing or len(self.tokens.users) == 1
        return Guest(user.username, tuple(self.folders), may_install)

    def security(self) -> TransportSecuritySettings:
        """The names that `Host` and `Origin` may have."""
        names = [*LOOPBACK_NAMES, *self.hosts]
        if not _is_wildcard(self.host):
            names.append(f"[{self.host}]" if ":" in self.host else self.host)
        origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in names]
        return TransportSecuritySettings(
            allowed_hosts=_with_ports(names), allowed_origins=[*_with_ports(origins), *self.origins]
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address. A name counts as reachable, but for `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_wildcard(host: str) -> bool:
    return host in ("", "0.0.0.0", "::")  # noqa: S104 (compared with, not listened on)


def _with_ports(names: Sequence[str]) -> list[str]:
    return [each for name in names for each in (name, f"{name}:*")]


class _Leaving:
    """The application, to which a client that leaves before it has sent its request is no error of ours."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):
            await self._app(scope, receive, send)


class _LeavingIsNoError(logging.Filter):
    """Keeps the SDK from logging, as an error, that a client has left before it had sent its request."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], ClientDisconnect))


class _Server(uvicorn.Server):
    """Ends the Runtime first, so that calls that wait are answered before their connections are closed."""

    def __init__(self, config: uvicorn.Config, served: Serving) -> None:
        super().__init__(config)
        self._served = served

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._served.close()
        await super().shutdown(sockets)


async def serve_http(settings: Settings, environ: Mapping[str, str], listening: Listening) -> None:
    """Serve until a signal comes. `SettingsError` if the address cannot be had."""

    def guest_of(context: Context) -> Guest:
        return listening.guest(context.request.scope.get("user") if context.request is not None else None)

    logging.getLogger("mcp.server.streamable_http").addFilter(_LeavingIsNoError())
    with _listen(listening) as door:
        async with serving(settings, environ, guest_of) as served:
            config = uvicorn.Config(
                _Leaving(_app(served, settings, listening)),
                log_config=None,
                access_log=False,
                server_header=False,
                ws="none",
                lifespan="on",
                http=Connection,
                timeout_graceful_shutdown=GRACE_S,
            )
            print(f"moonward: serving MCP at {_address(door)}{PATH}", file=sys.stderr, flush=True)  # noqa: T201
            await _Server(config, served).serve(sockets=[door])


def _listen(listening: Listening) -> socket.socket:
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    try:
        return socket.create_server((listening.host, listening.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(f"cannot listen on {listening.host}:{listening.port}: {error}") from None


def _address(door: socket.socket) -> str:
    host, port = door.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _app(served: Serving, settings: Settings, listening: Listening) -> Starlette:
    manager = StreamableHTTPSessionManager(
        app=served.server,
        security_settings=listening.security(),
        max_request_body_size=2 * settings.limits.max_frame_bytes,
    )
    endpoint: ASGIApp = StreamableHTTPASGIApp(manager)
    middleware: list[Middleware] = []
    if listening.tokens is not None:
        endpoint = RequireAuthMiddleware(endpoint, [])
        backend: Any = BearerAuthBackend(listening.tokens)
        middleware = [
            Middleware(AuthenticationMiddleware, backend=backend),
            Middleware(AuthContextMiddleware),
        ]
    return Starlette(
        routes=[Route(PATH, endpoint=endpoint)], middleware=middleware, lifespan=lambda app: manager.run()
    )
