"""Messages from standard input that the SDK's reader does not take, read once more.

The SDK passes over a line that it cannot read, and whoever sent a request in it waits for ever. Here such a line is
read as other JSON libraries read theirs: half a surrogate pair, as JavaScript writes a text that was cut in the middle
of an emoji, is U+FFFD; nesting is as deep as Python's own reader takes; a batch is the messages in it. A request that
cannot be taken even so is refused by its id. Only what has none, or is no request, is passed over.
"""

from __future__ import annotations

import json
import logging
import re
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
import mcp_types as types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

if TYPE_CHECKING:  # the SDK has no public names for these
    from mcp.shared._stream_protocols import ReadStream, WriteStream

Item = SessionMessage | Exception

ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape in a JSON text; the group is half a surrogate pair without its other half."""

TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,"\s]+', re.DOTALL)
"""A word of a JSON text."""

MAX_DIGITS: Final = 4300
"""Digits of a whole number that Python reads as such; longer ones are read as floats. Python's own limit."""


class LenientStream:
    """The SDK's stream of what a host sends, mended. Refusals go to `writing`."""

    def __init__(self, reading: ReadStream[Item], writing: WriteStream[SessionMessage]) -> None:
        self._reading = reading
        self._writing = writing
        self._mended: deque[SessionMessage] = deque()
        self._log = logging.getLogger("moonward.mcp")

    @property
    def last_context(self) -> Any:
        """The context in which the last message was sent, where the stream knows it."""
        return getattr(self._reading, "last_context", None)

    async def receive(self) -> Item:
        """The next message."""
        while not self._mended:
            item = await self._reading.receive()
            if not isinstance(item, ValidationError):
                return item
            for message in mended(item):
                if isinstance(message, types.JSONRPCError):
                    await self._refuse(message)
                elif message is None:
                    self._log.warning("something on standard input is no message, and was passed over")
                else:
                    self._mended.append(SessionMessage(message))
        return self._mended.popleft()

    async def _refuse(self, message: types.JSONRPCError) -> None:
        try:
            await self._writing.send(SessionMessage(message))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # the host has left

    async def aclose(self) -> None:
        """Close the stream."""
        await self._reading.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def mended(error: ValidationError) -> Iterator[types.JSONRPCMessage | None]:
    """The messages in what the SDK refused with `error`, or refusals by id; None for what is no request."""
    for each in error.errors(include_url=False, include_context=False):
        if each["type"] == "json_invalid":
            yield from _from_text(each["input"])
            return
        if each["type"] == "missing" or len(each["loc"]) <= 1:
            yield from _from_value(each["input"])
            return


def _from_text(line: str) -> Iterator[types.JSONRPCMessage | None]:
    if not line.strip():
        return
    try:
        value = json.loads(ESCAPE.sub(_whole, line), parse_int=_number)
    except (ValueError, RecursionError):
        yield _refused(request_id(line), types.PARSE_ERROR, "this line cannot be read as JSON")
    else:
        yield from _from_value(value)


def _from_value(value: Any) -> Iterator[types.JSONRPCMessage | None]:
    for each in value if isinstance(value, list) and value else [value]:
        try:
            yield types.jsonrpc_message_adapter.validate_python(each, by_name=False)
        except ValidationError:
            number = each.get("id") if isinstance(each, dict) and "method" in each else None
            yield _refused(number, types.INVALID_REQUEST, "this is no request of JSON-RPC 2.0")


def _refused(number: Any, code: int, why: str) -> types.JSONRPCError | None:
    if isinstance(number, bool) or not isinstance(number, int | str):
        return None
    return types.JSONRPCError(jsonrpc="2.0", id=number, error=types.ErrorData(code=code, message=why))


def _whole(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape[1] else escape[0]


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def request_id(line: str) -> int | str | None:
    """The `id` in the outermost object of a line that cannot be read; None if there is none to be found."""
    depth = 0
    before = ["", ""]
    for token in TOKEN.finditer(line):
        word = token[0]
        if depth == 1 and before == ['"id"', ":"] and line.lstrip().startswith("{"):
            return _id(word)
        depth += (word in "{[") - (word in "}]")
        before = [before[1], word]
    return None


def _id(word: str) -> int | str | None:
    try:
        value = json.loads(word)
    except ValueError:
        return None
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None
