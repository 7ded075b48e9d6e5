"""The MCP host at the other end of a call: who it speaks for, what it can do, and telling it things.

Two protocol eras are served by the same tools. Up to 2025-11-25 a server may ask a host to sample its model while a
call is under way. From 2026-07-28 it may not; instead a call returns what it needs, and the host calls again with the
answers and with the state that it was given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from moonward.actors.errors import SettingsError
from moonward.actors.query import LlmQuery

MAX_ROUNDS: Final = 10
"""Rounds of input after which the SDKs' clients give a call up (`DEFAULT_INPUT_REQUIRED_MAX_ROUNDS` of the Python
one; others have it fixed)."""


class Retry(NamedTuple):
    """A call that comes again with answers: for which pause of which session, and the answers by request key."""

    session_id: str
    pause_no: int
    answers: Mapping[str, types.InputResponse]


class HostLink:
    """One call's link to its host."""

    def __init__(self, context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams) -> None:
        self._context = context
        self._params = params
        capabilities = context.session.client_capabilities
        samples = capabilities is not None and capabilities.sampling is not None
        is_modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        self.can_sample = samples and not is_modern and context.session.can_send_request
        """Whether it can be asked to sample its model while the call is under way."""
        self.takes_requests = samples and is_modern
        """Whether it takes requests to sample as the result of a call."""

    async def tell_progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Tell of progress; nothing happens when it was not asked for."""
        await self._context.session.report_progress(progress, total, message)

    async def sample(self, query: LlmQuery) -> str | None:
        """Have the host's model answer; None if it does not, or not with text."""
        try:
            result = await self._context.session.send_request(
                sampling_request(query),
                types.CreateMessageResultWithTools,
                metadata=ServerMessageMetadata(related_request_id=self._context.request_id),
            )
        except (MCPError, ValidationError):
            return None
        return text_of(result)

    def retry(self) -> Retry | None:
        """What this call brings, if it is one that was sent back for answers."""
        state = self._params.request_state
        if state is None:
            return None
        try:
            held = json.loads(state)
            session_id, pause_no = held["session_id"], held["pause"]
        except (ValueError, KeyError, TypeError):
            raise SettingsError("requestState is none of this server's") from None
        return Retry(session_id, pause_no, self._params.input_responses or {})


def asked_again(session_id: str, pause_no: int, queries: tuple[LlmQuery, ...]) -> types.InputRequiredResult:
    """The result that sends the host back for answers to the queries of a pause."""
    return types.InputRequiredResult(
        input_requests={request_key(session_id, query): sampling_request(query) for query in queries},
        request_state=json.dumps({"session_id": session_id, "pause": pause_no}, separators=(",", ":")),
    )


def request_key(session_id: str, query: LlmQuery) -> str:
    """The key of the request for an answer to `query`. Ids of sessions and of queries come once, and so do keys."""
    return f"{session_id}/{query.id}"


def may_ask(pause_no: int) -> bool:
    """Whether the queries of a pause may be sent as input requests.

    One pause in eleven may not: so no call, whichever pause it begins at, has more than `MAX_ROUNDS` rounds, and
    nothing has to be counted from one call to the next.
    """
    return pause_no % (MAX_ROUNDS + 1) != MAX_ROUNDS


def sampling_request(query: LlmQuery) -> types.CreateMessageRequest:
    """A request to sample an answer to `query`. What MCP has no field for travels as metadata."""
    temperature = query.extra.get("temperature")
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        temperature = None
    metadata: dict[str, Any] = {"query_id": query.id}
    if query.grounded:
        metadata["grounded"] = True
    if query.underspecified:
        metadata["underspecified"] = True
    if query.extra:
        metadata["extra"] = dict(query.extra)
    content = types.TextContent(type="text", text=query.prompt)
    return types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(
            messages=[types.SamplingMessage(role="user", content=content)],
            system_prompt=query.system,
            max_tokens=query.max_tokens,
            temperature=temperature,
            metadata=metadata,
        )
    )


def text_of(result: object) -> str | None:
    """The text of a sampling result; None where there is none."""
    if not isinstance(result, types.CreateMessageResult | types.CreateMessageResultWithTools):
        return None
    content = result.content
    blocks = content if isinstance(content, list) else [content]
    texts = [block.text for block in blocks if isinstance(block, types.TextContent)]
    return "".join(texts) if texts else None
