"""Reading the arguments of a tool call: strict about what they mean, lenient about how a client wrote them.

Models write the arguments, and clients pass them on as they can. Taken as well are: null for an argument that is
not there; an object or a list as its JSON text; a whole number as a string or as `50.0`; `"true"`; one object where a
list of them belongs; and where free text belongs, any JSON value, as its JSON text. Unknown arguments are passed over,
as the seed system does. Anything else is a `SettingsError` that names the argument, what was given and what would be
right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from moonward.actors.errors import SettingsError
from moonward.actors.pending_filter import json_type

MAX_NAME_CHARS: Final = 255
"""Longest identifier (a session's, a query's, a package's); longer ones are refused without being repeated."""

MAX_DIGITS: Final = 18
"""Longest whole number that is taken from a string: what fits 64 bits whatever its digits."""

YES: Final = ("true", "yes", "1")
NO: Final = ("false", "no", "0")


class Arguments:
    """The arguments of one call, by name."""

    def __init__(self, given: Mapping[str, Any] | None) -> None:
        self._given = dict(given or {})

    def has(self, name: str) -> bool:
        """Whether the argument is there, and not null."""
        return self._given.get(name) is not None

    def raw(self, name: str) -> Any:
        """The argument as it came; None also when it is not there."""
        return self._given.get(name)

    def is_null(self, name: str) -> bool:
        """Whether the argument is there, as null."""
        return name in self._given and self._given[name] is None

    def name(self, name: str) -> str:
        """A required identifier: a short string."""
        value = self.optional_name(name)
        if value is None:
            raise SettingsError(f"{name} is missing: a string is needed")
        return value

    def optional_name(self, name: str) -> str | None:
        """An identifier, or None."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise SettingsError(f"{name} must be a string, got {json_type(value)}")
        if len(value) > MAX_NAME_CHARS:
            raise SettingsError(
                f"{name} must be at most {MAX_NAME_CHARS} characters long, got {len(value)}: no such thing is"
                " here (not found)"
            )
        return value

    def string(self, name: str) -> str | None:
        """A string of any length, or None."""
        value = self._given.get(name)
        if value is not None and not isinstance(value, str):
            raise SettingsError(f"{name} must be a string, got {json_type(value)}")
        return value

    def text(self, name: str) -> str | None:
        """Free text, or None; any other JSON value is its JSON text."""
        value = self._given.get(name)
        if value is None or isinstance(value, str):
            return value
        return json.dumps(value, ensure_ascii=False)

    def object(self, name: str) -> dict[str, Any] | None:
        """An object, or None."""
        value = _parsed(self._given.get(name))
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise SettingsError(f"{name} must be an object, got {_described(self._given[name])}")
        return dict(value)

    def objects(self, name: str) -> list[dict[str, Any]] | None:
        """A list of objects, or None; one object is a list of one."""
        value = _parsed(self._given.get(name))
        if value is None:
            return None
        if isinstance(value, Mapping):
            value = [value]
        if not isinstance(value, list):
            raise SettingsError(f"{name} must be a list of objects, got {_described(self._given[name])}")
        each = [_parsed(item) for item in value]
        for index, item in enumerate(each):
            if not isinstance(item, Mapping):
                raise SettingsError(f"{name}[{index}] must be an object, got {_described(value[index])}")
        return [dict(item) for item in each]

    def whole(self, name: str, default: int | None = None) -> int | None:
        """A whole number from 0, or `default`."""
        value = self._given.get(name)
        if value is None:
            return default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, str) and len(value) <= MAX_DIGITS and value.strip().isdecimal():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise SettingsError(f"{name} must be a whole number, got {_described(value)}")
        if value < 0:
            raise SettingsError(f"{name} must be a whole number from 0, got {value}")
        return value

    def truth(self, name: str, *, default: bool = False) -> bool:
        """True or false, or `default`."""
        value = self._given.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower() if isinstance(value, str | int) else ""
        if word not in YES + NO:
            raise SettingsError(f"{name} must be true or false, got {_described(value)}")
        return word in YES


def _parsed(value: Any) -> Any:
    """`value`, or what its JSON text says; None for an empty text or a null in it."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _described(value: Any) -> str:
    """The sort of a value that was refused, with the value where it is short and plain."""
    kind = json_type(value)
    if isinstance(value, str) and len(value) <= 40:
        return f"{kind} {value!r}"
    return kind
