"""Resources: sessions and packages by address, for hosts that show or attach them.

| address | what |
|---|---|
| `alc://sessions/{session_id}` | the snapshot, with the pending queries in full |
| `alc://sessions/{session_id}/transcript` | every question with its answer |
| `alc://packages/{name}/init.lua` | a package's source |
| `alc://packages/{name}/meta` | what it says of itself |
| `alc://types/alc.d.lua` | the library of scripts, as definitions for editors and models |
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

import mcp_types as types
from mcp.shared.exceptions import MCPError

from moonward.actors.errors import PackageError, SessionNotFound
from moonward.actors.host.package_list import list_packages
from moonward.actors.host.packages import find_module
from moonward.actors.pending_filter import PendingFilter
from moonward.servers.definitions import Definitions
from moonward.servers.desk import Desk, is_active
from moonward.servers.guest import Guest

SESSION: Final = "alc://sessions/{session_id}"
TRANSCRIPT: Final = "alc://sessions/{session_id}/transcript"
SOURCE: Final = "alc://packages/{name}/init.lua"
META: Final = "alc://packages/{name}/meta"

TYPES: Final = "alc://types/alc.d.lua"

JSON: Final = "application/json"
LUA: Final = "text/x-lua"

TEMPLATES: Final = (
    (SESSION, "session", "A session's state", JSON, "Where a session is, and what it asks."),
    (TRANSCRIPT, "transcript", "A session's transcript", JSON, "Every question with its answer, in order."),
    (SOURCE, "package-source", "A package's source", LUA, "The init.lua of an installed package."),
    (META, "package-meta", "A package's description", JSON, "Name, version and description of a package."),
)
"""Address, name, title, type and description."""

ABOUT: Final = ("name", "version", "description", "category", "path")
"""What is told of a package; null where it does not say."""

MAX_LISTED: Final = 100
"""Sessions listed, and values offered to complete an address (MCP's own limit for those). The newest."""

ADDRESS: Final = re.compile(
    r"alc://(sessions|packages)/([A-Za-z0-9_.-]{1,255})(?:/(transcript|init\.lua|meta))?"
)


class Resources:
    """Reads resources from one desk."""

    def __init__(self, desk: Desk, definitions: Definitions) -> None:
        self._desk = desk
        self._definitions = definitions

    def templates(self) -> list[types.ResourceTemplate]:
        """The addresses there are."""
        return [
            types.ResourceTemplate(
                uri_template=uri, name=name, title=title, mime_type=mime, description=description
            )
            for uri, name, title, mime, description in TEMPLATES
        ]

    async def listing(self, guest: Guest) -> list[types.Resource]:
        """The definitions of the library, and the guest's sessions that are running or paused."""
        definitions = types.Resource(
            uri=TYPES, name="alc.d.lua", title="The library of scripts", mime_type=LUA
        )
        active = [row for row in await self._desk.rows(guest) if is_active(row)]
        sessions = [
            types.Resource(
                uri=SESSION.format(session_id=row.id),
                name=row.id,
                title=f"{row.strategy or 'Lua'} session, {row.phase}",
                mime_type=JSON,
            )
            for row in active[-MAX_LISTED:]
        ]
        return [definitions, *sessions]

    async def read(self, guest: Guest, uri: str) -> types.TextResourceContents:
        """What is at an address; `MCPError` if there is nothing."""
        found = ADDRESS.fullmatch(uri)
        kind, name, part = found.groups() if found is not None else ("", "", None)
        if uri == TYPES:
            return _contents(uri, LUA, await self._desk.in_thread(self._definitions.text))
        try:
            if kind == "sessions" and part in (None, "transcript"):
                return await self._session(guest, uri, name, part)
            if kind == "packages" and part in ("init.lua", "meta"):
                return await self._desk.in_thread(self._package, uri, name, part)
        except (SessionNotFound, PackageError) as error:
            raise _nothing(uri, str(error)) from error
        raise _nothing(uri, "no such address")

    async def complete(self, guest: Guest, template: str, argument: str, begun: str) -> list[str]:
        """Values that begin with `begun` for an argument of an address."""
        if argument == "session_id" and template in (SESSION, TRANSCRIPT):
            values = [row.id for row in await self._desk.rows(guest) if is_active(row)]
        elif argument == "name" and template in (SOURCE, META):
            packages = await self._desk.in_thread(list_packages, self._desk.core.services.package_paths)
            values = [info.name for info in packages]
        else:
            values = []
        return [value for value in values if value.startswith(begun)]

    async def _session(
        self, guest: Guest, uri: str, session_id: str, part: str | None
    ) -> types.TextResourceContents:
        started = await self._desk.check(guest, session_id)
        if part is None:
            shot = await self._desk.snapshot(session_id, PendingFilter.preset("full"), history=False)
            named = {"session_id": session_id, "strategy": started.strategy}
            return _contents(uri, JSON, json.dumps(named | shot, ensure_ascii=False))
        read: Callable[[Any, Any], list[dict[str, Any]]] = lambda state, now: state.transcript()  # noqa: E731
        transcript = await self._desk.look(session_id, read)
        return _contents(uri, JSON, json.dumps(transcript, ensure_ascii=False))

    def _package(self, uri: str, name: str, part: str) -> types.TextResourceContents:
        folders = self._desk.core.services.package_paths
        if part == "init.lua":
            source = find_module(name, folders).source
            return _contents(uri, LUA, source.decode("utf-8", "replace"))
        for info in list_packages(folders):
            if info.name == name:
                about = {field: getattr(info, field) for field in ABOUT}
                return _contents(uri, JSON, json.dumps(about, ensure_ascii=False))
        raise PackageError(f"package '{name}' not found")


def _contents(uri: str, mime_type: str, text: str) -> types.TextResourceContents:
    return types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)


def _nothing(uri: str, why: str) -> MCPError:
    return MCPError(
        code=types.INVALID_PARAMS, message=f"resource {uri[:300]!r} not found: {why}", data={"uri": uri[:300]}
    )
