"""How a session can end."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, get_args

import msgspec

ErrorKind = Literal["syntax", "lua", "budget", "limit", "crash", "protocol", "diverged", "internal"]
ERROR_KINDS: tuple[str, ...] = get_args(ErrorKind)

EXPIRED = "expired"
"""Reason of a session that the reaper ended."""

CLOSED = "closed"
"""Reason of a session that ended because its Runtime was closed."""


class Completed(msgspec.Struct, frozen=True, tag="completed"):
    """The script returned `result`, a JSON value."""

    result: Any = None
    phase: ClassVar[str] = "completed"

    def to_json(self) -> dict[str, Any]:
        """The JSON of the contract, without the stats."""
        return {"status": "completed", "result": self.result}

    def own(self) -> Completed:
        """The same, for a caller who may do with `result` what he likes."""
        if not isinstance(self.result, dict | list):
            return self
        return Completed(msgspec.json.decode(msgspec.json.encode(self.result)))


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The session ended in `error`; `error_kind` says what sort it is."""

    error: str
    error_kind: ErrorKind = "lua"
    phase: ClassVar[str] = "failed"

    def to_json(self) -> dict[str, Any]:
        """The JSON of the contract, without the stats."""
        return {"status": "error", "error": self.error, "error_kind": self.error_kind}

    def own(self) -> Failed:
        """The same."""
        return self


class Cancelled(msgspec.Struct, frozen=True, tag="cancelled"):
    """The session was ended from outside; `reason` is the caller's, `expired` or `closed`."""

    reason: str = ""
    phase: ClassVar[str] = "cancelled"

    def to_json(self) -> dict[str, Any]:
        """The JSON of the contract, without the stats."""
        return {"status": "cancelled", "reason": self.reason}

    def own(self) -> Cancelled:
        """The same."""
        return self


TerminalState = Completed | Failed | Cancelled
