"""The join barrier of a pause: answers come in any order, the script gets them in the order in which it asked."""

from __future__ import annotations

from collections.abc import Iterable

from moonward.actors.query import LlmQuery


class JoinBarrier:
    """The queries of one pause and the answers that have come. It closes when `missing` is 0."""

    __slots__ = ("_queries", "_texts", "missing")

    def __init__(self, queries: Iterable[LlmQuery] = ()) -> None:
        self._queries = tuple(queries)
        self._texts: dict[str, str | None] = {query.id: None for query in self._queries}
        self.missing = len(self._texts)

    def is_waiting_for(self, query_id: str) -> bool:
        """Whether this query belongs to the pause and has no answer."""
        return query_id in self._texts and self._texts[query_id] is None

    def answer(self, query_id: str, text: str) -> int:
        """Take an answer that the barrier waits for; the number of queries still missing."""
        assert self.is_waiting_for(query_id), query_id
        self._texts[query_id] = text
        self.missing -= 1
        return self.missing

    def waiting(self) -> tuple[LlmQuery, ...]:
        """The queries without an answer, in the order asked."""
        if self.missing == len(self._queries):
            return self._queries
        return tuple(query for query in self._queries if self._texts[query.id] is None)

    def texts(self) -> dict[str, str]:
        """The answers that have come, by query id, in the order asked."""
        return {query_id: text for query_id, text in self._texts.items() if text is not None}
