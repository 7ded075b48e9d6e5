"""What an interaction with a session returns: an answer was accepted, the session waits, or it has ended."""

from __future__ import annotations

from typing import Any

import msgspec

from moonward.actors.query import LlmQuery
from moonward.actors.terminal import TerminalState


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The answer was taken; `remaining` queries of the pause have none yet."""

    remaining: int

    def to_json(self, session_id: str) -> dict[str, Any]:
        """The JSON of the contract."""
        return {"status": "accepted", "remaining": self.remaining}


class Paused(msgspec.Struct, frozen=True, gc=False):
    """The session waits for answers to `queries`, which are in the order asked."""

    queries: tuple[LlmQuery, ...]

    def to_json(self, session_id: str) -> dict[str, Any]:
        """The JSON of the contract: one query is told flat, several in a list."""
        body: dict[str, Any] = {"status": "needs_response", "session_id": session_id}
        if len(self.queries) == 1:
            return body | self.queries[0].to_json("query_id")
        return body | {"queries": [query.to_json() for query in self.queries]}


class Finished(msgspec.Struct, frozen=True):
    """The session has ended in `state`; `metrics` is its stats, `{"auto": …, "custom": …}`."""

    state: TerminalState
    metrics: dict[str, Any]

    def to_json(self, session_id: str) -> dict[str, Any]:
        """The JSON of the contract."""
        return {**self.state.to_json(), "stats": self.metrics}
