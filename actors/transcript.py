"""What was asked and what was answered, in the order asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from moonward.actors.query import LlmQuery

HISTORY_LENGTH: Final = 10
"""Exchanges in a snapshot's `conversation_history`; the contract's figure."""


class Exchange(msgspec.Struct, gc=False):
    """One query, its answer once there is one, and what the session must remember of both.

    Times are Unix milliseconds. `outcome` is how many queries of the pause were left once the feed that brought
    the answer had been applied whole. `named` tells whether that feed gave the query id.
    """

    query: LlmQuery
    pause_no: int
    prompt_tokens: int
    started_ms: int
    response: str | None = None
    response_tokens: int = 0
    completed_ms: int | None = None
    key: str | None = None
    named: bool = True
    outcome: int = 0

    def to_transcript(self) -> dict[str, Any]:
        """The entry of a transcript; `response` is null while there is none."""
        query = self.query
        return {
            "query_id": query.id,
            "prompt": query.prompt,
            "system": query.system,
            "response": self.response,
        }

    def to_history(self) -> dict[str, Any]:
        """The entry of a snapshot's `conversation_history`."""
        return {
            "query_id": self.query.id,
            "prompt": self.query.prompt,
            "response": self.response,
            "prompt_tokens": self.prompt_tokens,
            "response_tokens": self.response_tokens,
            "started_at": self.started_ms,
            "completed_at": self.completed_ms,
        }


class Transcript:
    """All exchanges of a session. Adding and finding cost the same however many there are."""

    __slots__ = ("_by_id", "_exchanges")

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []
        self._by_id: dict[str, Exchange] = {}

    def __len__(self) -> int:
        return len(self._exchanges)

    def add(self, exchange: Exchange) -> None:
        """Append a query whose id is new."""
        self._exchanges.append(exchange)
        self._by_id[exchange.query.id] = exchange

    def find(self, query_id: str) -> Exchange | None:
        """The exchange of this query; None if it was never asked."""
        return self._by_id.get(query_id)

    def newest(self) -> Exchange | None:
        """The exchange asked last."""
        return self._exchanges[-1] if self._exchanges else None

    def between(self, first: int, last: int | None) -> Sequence[Exchange]:
        """The exchanges `first` (counted from 0) to `last`, which is left out."""
        return self._exchanges[first:last]

    def to_list(self) -> list[dict[str, Any]]:
        """Every exchange as `query_id, prompt, system, response`."""
        return [exchange.to_transcript() for exchange in self._exchanges]

    def history(self) -> list[dict[str, Any]]:
        """The last ten exchanges, oldest first."""
        return [exchange.to_history() for exchange in self._exchanges[-HISTORY_LENGTH:]]
