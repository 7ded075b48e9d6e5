"""A tool of a server: what a host is told of it, and what it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mcp_types as types

from moonward.servers.answering import Result
from moonward.servers.arguments import Arguments
from moonward.servers.guest import Guest
from moonward.servers.host_link import HostLink

Schema = dict[str, Any]
"""A JSON Schema."""


@dataclass(frozen=True)
class ToolCall:
    """One call of a tool."""

    arguments: Arguments
    guest: Guest
    host: HostLink


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool. `run` raises a `MoonwardError` for what it refuses; its text goes to the caller."""

    name: str
    title: str
    description: str
    run: Callable[[ToolCall], Awaitable[Result]]
    properties: Mapping[str, Schema]
    required: tuple[str, ...] = ()
    output: Schema
    reads_only: bool = False
    destroys: bool = False
    is_idempotent: bool = False
    reaches_out: bool = False

    def listed(self) -> types.Tool:
        """The tool as a host sees it."""
        schema: Schema = {"type": "object", "properties": dict(self.properties)}
        if self.required:
            schema["required"] = list(self.required)
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=schema,
            output_schema=self.output,
            annotations=types.ToolAnnotations(
                title=self.title,
                read_only_hint=self.reads_only,
                destructive_hint=self.destroys,
                idempotent_hint=self.is_idempotent,
                open_world_hint=self.reaches_out,
            ),
        )


def text(description: str, **more: Any) -> Schema:
    """The schema of a string."""
    return {"type": "string", "description": description, **more}


def whole(description: str, **more: Any) -> Schema:
    """The schema of a whole number from 0."""
    return {"type": "integer", "minimum": 0, "description": description, **more}


def truth(description: str) -> Schema:
    """The schema of a flag that is off by default."""
    return {"type": "boolean", "default": False, "description": description}


def an_object(description: str, properties: Schema | None = None, **more: Any) -> Schema:
    """The schema of an object."""
    schema: Schema = {"type": "object", "description": description}
    if properties is not None:
        schema["properties"] = properties
    return schema | more


def output(properties: Schema, *required: str) -> Schema:
    """The schema of a result; keys that it does not name may come as well."""
    return {"type": "object", "properties": properties, "required": list(required)}
