"""Arguments of host calls: JSON from a script, checked before anything is done with it."""

from __future__ import annotations

from typing import Any

import msgspec

from moonward.actors.errors import CallError

MAX_RESULT_BYTES = 4 << 20
"""Largest result of one call, as JSON: half of the largest frame."""

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1
"""What a Lua integer holds."""

_encoder = msgspec.json.Encoder()


def decode(args: bytes) -> list[Any]:
    """The JSON array of a call's arguments. Raises `CallError`."""
    try:
        values = msgspec.json.decode(args)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallError("arguments are not valid JSON") from error
    if not isinstance(values, list):
        raise CallError("arguments must be an array")
    return values


def encode(value: Any) -> str:
    """JSON text of a value. Raises `CallError` for what JSON cannot hold."""
    try:
        return _encoder.encode(value).decode()
    except (TypeError, ValueError, RecursionError, UnicodeEncodeError) as error:
        raise CallError("value cannot be written as JSON") from error


def result(value: Any) -> str:
    """JSON text of a call's result. Raises `CallError` when it is too large for one reply."""
    encoded = encode(value)
    if len(encoded.encode()) > MAX_RESULT_BYTES:
        raise CallError(
            f"result is larger than {MAX_RESULT_BYTES} bytes; ask for less (where, limit and offset)"
        )
    return encoded


def kind(value: Any) -> str:
    """The word that a Lua programmer would use for a value's type."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "table"


def text(value: Any, what: str, max_bytes: int, may_be_empty: bool = False) -> str:
    """A string of at most `max_bytes` bytes. Raises `CallError`."""
    if not isinstance(value, str):
        raise CallError(f"{what} must be a string, got {kind(value)}")
    if not value and not may_be_empty:
        raise CallError(f"{what} must not be empty")
    if len(value.encode()) > max_bytes:
        raise CallError(f"{what} is longer than {max_bytes} bytes")
    return value


def table(value: Any, what: str) -> dict[str, Any]:
    """An object. Raises `CallError`."""
    if not isinstance(value, dict):
        got = "an array" if isinstance(value, list) else kind(value)
        raise CallError(f"{what} must be a table with named fields, got {got}")
    return value


def options(value: Any, what: str, known: tuple[str, ...]) -> dict[str, Any]:
    """An object of optional fields, `{}` for nil; null fields count as absent. Raises `CallError`.

    Unknown fields are ignored, as the scripts that exist expect.
    """
    if value is None or value == []:
        return {}
    fields = table(value, what)
    return {name: fields[name] for name in known if fields.get(name) is not None}


def array(value: Any, what: str) -> list[Any]:
    """An array; an empty table counts as one. Raises `CallError`."""
    if value == {}:
        return []
    if not isinstance(value, list):
        raise CallError(f"{what} must be an array, got {kind(value)}")
    return value


def count(value: Any, what: str) -> int:
    """A whole number, not negative. Raises `CallError`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise CallError(f"{what} must be a whole number, 0 or more")
    return value


def flag(value: Any, what: str) -> bool:
    """A boolean. Raises `CallError`."""
    if not isinstance(value, bool):
        raise CallError(f"{what} must be a boolean, got {kind(value)}")
    return value


def number(value: Any, what: str) -> int | float:
    """A number that Lua can hold. Raises `CallError`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CallError(f"{what} must be a number, got {kind(value)}")
    if isinstance(value, int) and not INT64_MIN <= value <= INT64_MAX:
        raise CallError(f"{what} does not fit 64 bits")
    return value
