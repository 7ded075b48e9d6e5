"""What a setting may be: how a value is checked, and how it is read from an environment variable."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from moonward.actors.errors import SettingsError
from moonward.actors.limits import Limits

YES = ("1", "true", "yes", "on")
NO = ("0", "false", "no", "off")


class SettingKind(NamedTuple):
    """One kind of setting.

    `accept` returns the value in its final form, or raises ValueError or TypeError; `parse` turns the text of an
    environment variable into something that `accept` takes; `right` is the end of "must be …".
    """

    right: str
    accept: Callable[[Any], Any]
    parse: Callable[[str], Any] = str

    def field(self) -> dict[str, Any]:
        """Metadata of a dataclass field that is such a setting."""
        return {"kind": self}

    def checked(self, name: str, value: Any) -> Any:
        """`value` in its final form, else a `SettingsError` that names the field and what would be right."""
        try:
            return self.accept(value)
        except SettingsError:
            raise
        except (TypeError, ValueError, OverflowError) as error:
            detail = f": {error}" if str(error) else ""
            raise SettingsError(f"{name} must be {self.right}, got {value!r}{detail}") from None

    def parsed(self, name: str, text: str) -> Any:
        """The value that the environment variable `name` holds, checked."""
        try:
            value = self.parse(text)
        except ValueError as error:
            raise SettingsError(f"{name} must be {self.right}, got {text!r}: {error}") from None
        return self.checked(name, value)


def _number(value: Any) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _at_least(low: float, *, above: bool = False) -> Callable[[Any], float]:
    def accept(value: Any) -> float:
        number = _number(value)
        if number < low or (above and number == low):
            raise ValueError
        return number

    return accept


def _whole(low: int) -> Callable[[Any], int]:
    def accept(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError
        if value < low:
            raise ValueError
        return value

    return accept


def _optional(accept: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else accept(value)


def _or_none(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if text.strip().lower() in ("", "none") else parse(text)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _parse_truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in YES + NO:
        raise ValueError(f"not one of {', '.join(YES + NO)}")
    return word in YES


def _path(value: Any) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise TypeError
    return Path(value).expanduser()


def _paths(value: Any) -> tuple[Path, ...]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise TypeError
    return tuple(_path(item) for item in value)


def _parse_paths(text: str) -> list[str]:
    return [part for part in text.split(":") if part]


def _limits(value: Any) -> Limits:
    return Limits.of(value, Limits())


def _parse_limits(text: str) -> Any:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def one_of(*words: str) -> SettingKind:
    """A setting that is one of these words."""

    def accept(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return SettingKind("one of " + ", ".join(repr(word) for word in words), accept)


def _journal(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    if value != "memory:" and not (value.startswith("sqlite:///") and len(value) > len("sqlite:///")):
        raise ValueError
    return value


DURATION = SettingKind("a positive number of seconds or a timedelta", _at_least(0, above=True), float)
OPTIONAL_DURATION = SettingKind(
    "a number of seconds from 0, a timedelta or None", _optional(_at_least(0)), _or_none(float)
)
OPTIONAL_POSITIVE_DURATION = SettingKind(
    "a positive number of seconds, a timedelta or None", _optional(_at_least(0, above=True)), _or_none(float)
)
COUNT = SettingKind("an integer from 0", _whole(0), int)
POSITIVE = SettingKind("an integer from 1", _whole(1), int)
OPTIONAL_POSITIVE = SettingKind("an integer from 1 or None", _optional(_whole(1)), _or_none(int))
TRUTH = SettingKind("True or False", _truth, _parse_truth)
OPTIONAL_PATH = SettingKind("a directory or None", _optional(_path), _or_none(str))
PATHS = SettingKind("a sequence of directories", _paths, _parse_paths)
JOURNAL = SettingKind("'memory:' or 'sqlite:///path'", _journal)
LIMITS = SettingKind("a Limits or an object of its fields", _limits, _parse_limits)
