"""The MCP server: one set of tools, resources and prompts, whatever the transport and the protocol's era.

A request that is refused (an unknown session, a wrong argument) is a result marked as an error, whose text says what
is wrong, so that a model can read it and do better. A session that failed is a result like any other.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity

import moonward
from moonward.actors.host.packages import home_packages
from moonward.servers.arguments import Arguments
from moonward.servers.definitions import Definitions
from moonward.servers.desk import Desk
from moonward.servers.guest import Guest
from moonward.servers.host_link import HostLink
from moonward.servers.package_tools import PackageTools
from moonward.servers.prompts import INSTRUCTIONS, PROMPTS, rendered
from moonward.servers.record_tools import RecordTools
from moonward.servers.resources import MAX_LISTED, Resources
from moonward.servers.session_tools import SessionTools
from moonward.servers.tool import Tool, ToolCall
from moonward.supervisor.errors import MoonwardError

NAME: Final = "moonward"

STATE_TTL_S: Final = 7 * 86_400.0
"""Seconds in which a host may come back with answers. Arbitrary: people are asked, and weekends pass. The state is no
secret: it names a session and a pause, and whose they are is checked on every call."""

Context = ServerRequestContext[Any, Any]


class McpServer:
    """Serves the sessions of one desk.

    `guest_of` tells who makes a request; `state_key` seals what hosts carry from one call to the next.
    """

    def __init__(
        self, desk: Desk, environ: Mapping[str, str], guest_of: Callable[[Context], Guest], state_key: bytes
    ) -> None:
        tools = [
            *SessionTools(desk).tools(),
            *RecordTools(desk).tools(),
            *PackageTools(desk, environ).tools(),
        ]
        self._tools: dict[str, Tool] = {tool.name: tool for tool in tools}
        self._listed = [tool.listed() for tool in tools]
        self._resources = Resources(desk, Definitions(home_packages(environ)))
        self._guest_of = guest_of
        self._log = logging.getLogger("moonward.mcp")
        self.server: Server[Any] = Server(
            NAME,
            version=moonward.__version__,
            title="moonward",
            description="Supervised, durable Lua sessions",
            instructions=INSTRUCTIONS,
            get_tool_input_schema=self._input_schema,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
            on_completion=self._complete,
        )
        security = RequestStateSecurity(keys=[state_key], ttl=STATE_TTL_S)
        self.server.middleware.append(RequestStateBoundary(security, default_audience=NAME))

    def _input_schema(self, name: str) -> dict[str, Any] | None:
        tool = self._tools.get(name)
        return None if tool is None else {"type": "object", "properties": dict(tool.properties)}

    async def _list_tools(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=self._listed)

    async def _call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        tool = self._tools.get(params.name)
        if tool is None:
            return refused(f"unknown tool {params.name[:100]!r}; there are: {', '.join(self._tools)}")
        call = ToolCall(Arguments(params.arguments), self._guest_of(context), HostLink(context, params))
        try:
            result = await tool.run(call)
        except MoonwardError as error:
            return refused(str(error))
        except Exception:
            self._log.exception("tool %s failed", tool.name)
            return refused(f"{tool.name} failed inside the server; its log says why")
        if isinstance(result, types.InputRequiredResult):
            return result
        return told(result)

    async def _list_resources(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=await self._resources.listing(self._guest_of(context)))

    async def _list_templates(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=self._resources.templates())

    async def _read_resource(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        contents = await self._resources.read(self._guest_of(context), str(params.uri))
        return types.ReadResourceResult(contents=[contents])

    async def _list_prompts(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=list(PROMPTS))

    async def _get_prompt(
        self, context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        return rendered(params.name, params.arguments)

    async def _complete(self, context: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        values: list[str] = []
        if isinstance(params.ref, types.ResourceTemplateReference):
            argument = params.argument
            values = await self._resources.complete(
                self._guest_of(context), str(params.ref.uri), argument.name, argument.value
            )
        shown = values[:MAX_LISTED]
        completion = types.Completion(values=shown, total=len(values), has_more=len(values) > len(shown))
        return types.CompleteResult(completion=completion)


def told(result: dict[str, Any]) -> types.CallToolResult:
    """A result: its JSON as text, and the same as structured content."""
    text = json.dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=result
    )


def refused(why: str) -> types.CallToolResult:
    """A request that was refused."""
    return types.CallToolResult(content=[types.TextContent(type="text", text=why)], is_error=True)
