"""What one session may use. Each limit has a unit, a default and a reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypedDict

import msgspec

from moonward.actors.errors import SettingsError

if TYPE_CHECKING:
    from typing import Unpack

MIB: Final = 1 << 20

MOST: Final = 1 << 40
"""Largest value of a limit that is a whole number: a TiB. Arbitrary; far above any machine, and fits every counter."""

LONGEST_S: Final = 1e9
"""Largest duration in seconds: thirty years. Arbitrary; a journal cannot hold infinity."""


class LimitFields(TypedDict, total=False):
    """The fields of `Limits`, for type checkers: durations may be a `timedelta`."""

    memory_bytes: int
    slice_seconds: float | timedelta
    cpu_seconds: float | timedelta
    max_frame_bytes: int
    max_result_bytes: int
    max_query_bytes: int
    max_queries: int
    max_error_bytes: int
    max_log_bytes: int
    max_frames_per_slice: int
    max_notes_bytes: int
    max_stats_bytes: int
    max_calls: int
    max_kept_bytes: int
    max_code_bytes: int
    max_strands: int


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits of one session; a session that crosses one ends `failed` with `error_kind: "limit"`.

    Sizes are in bytes. Durations are seconds or a `timedelta`, and read back as seconds. `SettingsError` names a field
    that is wrong.
    """

    memory_bytes: int = 128 * MIB
    """Memory of the Lua VM. The largest public strategies stay below 20 MiB; six times that is room enough."""
    slice_seconds: float = 720.0
    """Longest run of Lua between two host events, wall time. Twice `cpu_seconds`, since two may share a core."""
    cpu_seconds: float = 360.0
    """CPU time of one slice. Strategies may compute for five minutes without a query; a fifth more is slack."""
    max_frame_bytes: int = 8 * MIB
    """Largest frame of the pipe, either way. A megabyte of text can be six escaped; the next power of two."""
    max_result_bytes: int = 4 * MIB
    """Largest result, as JSON. Half a frame."""
    max_query_bytes: int = 4 * MIB
    """Largest prompt plus system text of one query. Half a frame."""
    max_queries: int = 1000
    """Queries of one pause, those of all children of a fork together. Batches of known strategies stay below 20."""
    max_error_bytes: int = 4096
    """Longest error text that is kept; longer ones are cut. A terminal page."""
    max_log_bytes: int = 4096
    """Longest log message that is kept; longer ones are cut. A terminal page."""
    max_frames_per_slice: int = 200_000
    """Frames of a worker between two host events. Logs come in at most twenty a second, and some hundreds in a burst:
    hours of them."""
    max_notes_bytes: int = 4 * MIB
    """Logs, progress and statistics between two questions, as JSON. Beyond it logs are dropped, which the log says,
    and of the others the last values are kept. A thousand full lines: as many as observers are kept."""
    max_stats_bytes: int = 64 << 10
    """All that `alc.stats` holds, as JSON. It is part of each snapshot; a thousand figures take 20 KiB."""
    max_calls: int = 10_000
    """Calls of the host (`alc.state`, cards, `require`, …) between two questions. Each is recorded, and takes a tenth
    of a millisecond: a second of nothing else. A call that computes counts for one more each millisecond, a child
    of `alc.fork` for a hundred."""
    max_kept_bytes: int = 128 * MIB
    """What a session may make its host keep in all: questions, results of calls, values and cards that it stores,
    less 16 KiB for each answer, so that questions of usual size do not count. As much as its VM may hold."""
    max_code_bytes: int = 2 * MIB
    """Largest script or module. The largest public package is 60 KiB."""
    max_strands: int = 16
    """Children of one `alc.fork`, each a process. Arbitrary; known strategies fork up to 5."""

    if TYPE_CHECKING:

        def __init__(self, **given: Unpack[LimitFields]) -> None: ...

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value: Any = getattr(self, name)
            if name.endswith("_seconds"):
                msgspec.structs.force_setattr(self, name, _duration(name, value))
            elif isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MOST:
                raise SettingsError(f"limits.{name} must be an integer from 1 to {MOST}, got {value!r}")
        if self.memory_bytes < MIB:
            raise SettingsError(
                f"limits.memory_bytes must be at least {MIB} (1 MiB), got {self.memory_bytes}"
            )
        if self.max_frame_bytes < 4096 or self.max_frame_bytes > 1 << 30:
            raise SettingsError(
                f"limits.max_frame_bytes must be from 4096 to 2^30, got {self.max_frame_bytes}"
            )

    @classmethod
    def of(cls, value: Limits | Mapping[str, Any] | None, default: Limits) -> Limits:
        """Limits from what a caller gave: itself, fields to change in `default`, or None."""
        if value is None:
            return default
        if isinstance(value, Limits):
            return value
        if not isinstance(value, Mapping):
            raise SettingsError(
                f"limits must be a Limits or an object of its fields, got {type(value).__name__}"
            )
        unknown = sorted(str(name) for name in value if name not in cls.__struct_fields__)
        if unknown:
            known = ", ".join(cls.__struct_fields__)
            raise SettingsError(f"unknown limit {unknown[0]!r}; there are: {known}")
        return msgspec.structs.replace(default, **value)

    @classmethod
    def recorded(cls, fields: Mapping[str, Any]) -> Limits:
        """Limits from what `to_dict` gave."""
        return msgspec.structs.replace(_defaults(), **fields) if fields else _defaults()

    def to_dict(self) -> dict[str, Any]:
        """The fields that differ from the defaults."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields


@cache
def _defaults() -> Limits:
    return Limits()


def _duration(name: str, value: Any) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not 0 < seconds <= LONGEST_S:
        raise SettingsError(
            f"limits.{name} must be a positive number of seconds, up to {LONGEST_S:g}, or a timedelta, got {value!r}"
        )
    return float(seconds)
