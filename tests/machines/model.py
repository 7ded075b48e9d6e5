"""A session as the contract describes it: lists, and sums over them. Too simple to be wrong, and slow.

Two machines compare with it: one drives the pure state of a session, the other a real Runtime with real workers.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from moonward.actors.errors import (
    AlreadyResponded,
    AmbiguousQuery,
    IdempotencyConflict,
    TransitionError,
    UnknownQuery,
)
from moonward.actors.interaction import Finished, Paused
from moonward.actors.pending_filter import PendingFilter
from moonward.actors.query import LlmQuery, QueryResponse, QuerySpec, TokenUsage
from moonward.actors.session_state import Repeat
from moonward.actors.terminal import TerminalState

FULL = PendingFilter.preset("full")
TEXTS = ("", "yes", "はい", "hello あ", "x" * 41)
SPECS = st.builds(
    QuerySpec,
    st.sampled_from(TEXTS),
    st.sampled_from([None, *TEXTS]),
    st.sampled_from([1024, 7]),
    st.booleans(),
    st.booleans(),
)
USAGES = st.one_of(
    st.none(),
    st.builds(TokenUsage, st.sampled_from([None, 0, 11]), st.sampled_from([None, 0, 13])),
)
KEYS = st.sampled_from([None, None, "a", "b", "c"])

Verdict = str | Repeat | type[Exception]
"""Of one answer: the query that it is for, the feed that it repeats, or the error that it must be told."""


def estimate(text: str | None) -> int:
    """Tokens by the contract's rule."""
    plain = sum(ord(char) < 128 for char in text or "")
    other = len(text or "") - plain
    return (plain + 3) // 4 + (other * 2 + 2) // 3


def size(text: str | None) -> int:
    """Bytes of UTF-8."""
    return len((text or "").encode())


def token_sum(parts: list[tuple[int, bool]]) -> dict[str, Any]:
    """The JSON of a sum of (tokens, reported by the host)."""
    source = "definite"
    if parts:
        source = "provided" if all(reported for _, reported in parts) else "estimated"
    return {"tokens": sum(tokens for tokens, _ in parts), "source": source}


class Asked:
    """One query."""

    def __init__(self, query_id: str, spec: QuerySpec, pause: int, at_ms: int) -> None:
        self.id, self.spec, self.pause, self.at_ms = query_id, spec, pause, at_ms
        self.answer: str | None = None
        self.usage = TokenUsage()
        self.done_ms: int | None = None
        self.key: str | None = None
        self.named = True
        self.left = -1

    def query(self) -> LlmQuery:
        """As a caller sees it."""
        return LlmQuery.of(self.id, self.spec)

    def prompt_tokens(self) -> int:
        given = self.usage.prompt_tokens
        return estimate(self.spec.prompt) + estimate(self.spec.system) if given is None else given

    def response_tokens(self) -> int:
        given = self.usage.completion_tokens
        return estimate(self.answer) if given is None else given


class Model:
    """The session; times are Unix milliseconds, 0 where nobody looks at them."""

    def __init__(self, limits: dict[str, int | None], start_ms: int = 0) -> None:
        self.budget = {name: value for name, value in limits.items() if value is not None}
        self.start_ms = self.last_feed_ms = start_ms
        self.asked: list[Asked] = []
        self.phase = "running"
        self.pauses = self.rounds = self.elapsed = 0
        self.logs: list[dict[str, Any]] = []
        self.progress: dict[str, Any] | None = None
        self.custom: dict[str, Any] = {}
        self.ended: TerminalState | None = None

    # What it knows

    def open(self) -> list[Asked]:
        """What waits for an answer, in the order asked."""
        return [each for each in self.asked if each.answer is None] if self.phase == "paused" else []

    def find(self, query_id: str) -> Asked:
        return next(each for each in self.asked if each.id == query_id)

    def verdict(self, query_id: str | None, key: str | None, text: str) -> Verdict:
        """What a feed must be told, by the order of the contract."""
        for each in self.asked:
            if key is not None and each.key == key:
                same = (query_id == each.id) or (query_id is None and not each.named)
                same = same and text == each.answer
                return Repeat(each.id, each.pause, each.left) if same else IdempotencyConflict
        if self.ended is not None:
            return TransitionError
        if query_id is None:
            if self.phase == "running":
                return TransitionError
            return self.open()[0].id if len(self.open()) == 1 else AmbiguousQuery
        known = {each.id: each for each in self.asked}
        if query_id not in known:
            return UnknownQuery
        if known[query_id].answer is not None:
            return AlreadyResponded
        return query_id if self.phase == "paused" else TransitionError

    def batch_verdict(self, batch: list[QueryResponse]) -> list[str | Repeat] | type[Exception]:
        """The same for answers that are given together."""
        verdicts: list[str | Repeat] = []
        used: dict[str, str] = {}
        for given in batch:
            each = self.verdict(given.query_id, given.idempotency_key, given.response)
            if isinstance(each, type):
                return each
            if isinstance(each, str):
                key = given.idempotency_key
                if key is not None and used.setdefault(key, each) != each:
                    return IdempotencyConflict
                if each in verdicts:
                    return AlreadyResponded
            verdicts.append(each)
        return verdicts

    def spent(self, count: int) -> str | None:
        """The first limit of the budget that forbids `count` more queries."""
        used = {"max_llm_calls": len(self.asked), "max_elapsed_ms": self.elapsed}
        used["max_tokens"] = self.auto()["total_tokens"]["tokens"]
        over = {name for name, limit in self.budget.items() if used[name] >= limit}
        if "max_llm_calls" in self.budget and len(self.asked) + count > self.budget["max_llm_calls"]:
            over.add("max_llm_calls")
        return next((name for name in used if name in over), None)

    def auto(self) -> dict[str, Any]:
        """The `auto` part of the stats."""
        done = [each for each in self.asked if each.answer is not None]
        prompts = [(each.prompt_tokens(), each.usage.prompt_tokens is not None) for each in self.asked]
        replies = [(each.response_tokens(), each.usage.completion_tokens is not None) for each in done]
        auto = {
            "elapsed_ms": self.elapsed,
            "llm_calls": len(self.asked),
            "pauses": self.pauses,
            "rounds": self.rounds,
            "total_prompt_chars": sum(size(each.spec.prompt) + size(each.spec.system) for each in self.asked),
            "total_response_chars": sum(size(each.answer) for each in done),
            "prompt_tokens": token_sum(prompts),
            "response_tokens": token_sum(replies),
            "total_tokens": token_sum(prompts + replies),
        }
        return auto | ({"budget": self.budget} if self.budget else {})

    def remaining(self) -> dict[str, int] | None:
        """What is left of the budget."""
        auto = self.auto()
        used = {
            "max_llm_calls": ("llm_calls", auto["llm_calls"]),
            "max_elapsed_ms": ("elapsed_ms", self.elapsed),
            "max_tokens": ("tokens", auto["total_tokens"]["tokens"]),
        }
        left = {used[name][0]: max(0, limit - used[name][1]) for name, limit in self.budget.items()}
        return left or None

    def snapshot(self) -> dict[str, Any]:
        """With the filter `full` and the history."""
        auto = self.auto()
        newest = self.asked[-1] if self.asked and self.asked[-1].answer is None else None
        metrics: dict[str, Any] = {
            "elapsed_ms": self.elapsed,
            "llm_calls": len(self.asked),
            "rounds": self.rounds,
            "tokens": {
                "prompt_total": auto["prompt_tokens"]["tokens"],
                "response_total": auto["response_tokens"]["tokens"],
                "total": auto["total_tokens"]["tokens"],
                "current_query": newest
                and {
                    "query_id": newest.id,
                    "prompt_tokens": newest.prompt_tokens(),
                    "started_waiting_at": newest.at_ms,
                },
            },
            "recent_logs": self.logs[-20:],
            "conversation_history": [self._history(each) for each in self.asked[-10:]],
        }
        if self.progress is not None:
            metrics["progress"] = self.progress
        if self.budget:
            metrics["budget_remaining"] = self.remaining()
        shown: dict[str, Any] = {
            "state": self.phase if self.ended is None else "terminal",
            "phase": self.phase,
            "started_at": self.start_ms,
            "last_activity_at": self.last_feed_ms,
            "metrics": metrics,
        }
        if self.phase == "paused":
            shown["pending_queries"] = len(self.open())
            shown["pending"] = [FULL.project(each.query()) for each in self.open()]
        return shown

    @staticmethod
    def _history(each: Asked) -> dict[str, Any]:
        return {
            "query_id": each.id,
            "prompt": each.spec.prompt,
            "response": each.answer,
            "prompt_tokens": each.prompt_tokens(),
            "response_tokens": 0 if each.answer is None else each.response_tokens(),
            "started_at": each.at_ms,
            "completed_at": each.done_ms,
        }

    def transcript(self) -> list[dict[str, Any]]:
        """Every query with its answer."""
        return [
            {"query_id": a.id, "prompt": a.spec.prompt, "system": a.spec.system, "response": a.answer}
            for a in self.asked
        ]

    def stats(self) -> dict[str, Any]:
        """Of the present."""
        return {"auto": self.auto(), "custom": self.custom}

    def event(self) -> Paused | Finished | None:
        """The event that it is in."""
        if self.ended is not None:
            return Finished(self.ended, self.stats())
        return Paused(tuple(each.query() for each in self.open())) if self.phase == "paused" else None

    def event_after(self, pause: int) -> Paused | Finished | None:
        """What the last answer of a pause led to, as it was then."""
        following = tuple(each.query() for each in self.asked if each.pause == pause + 1)
        if following:
            return Paused(following)
        return self.event() if self.ended is not None else None

    # What happens to it

    def pause(self, specs: list[tuple[str, QuerySpec]], at_ms: int = 0) -> list[LlmQuery]:
        """It asks; each with the prefix of its id."""
        queries = []
        for prefix, spec in specs:
            number = sum(each.id.rpartition("-")[0] == prefix for each in self.asked)
            asked = Asked(f"{prefix}-{number}", spec, self.pauses, at_ms)
            self.asked.append(asked)
            queries.append(asked.query())
        self.pauses += 1
        self.phase = "paused"
        return queries

    def answer(self, responses: list[QueryResponse], targets: list[str], at_ms: int = 0) -> int:
        """New answers of one feed; how many queries wait after them."""
        left = len(self.open()) - len(targets)
        for target, given in zip(targets, responses, strict=True):
            asked = self.find(target)
            asked.answer, asked.usage = given.response, given.usage or TokenUsage()
            asked.done_ms, asked.key = at_ms, given.idempotency_key
            asked.named, asked.left = given.query_id is not None, left
        self.last_feed_ms = at_ms
        if left == 0:
            self.phase, self.rounds = "running", self.rounds + 1
        return left

    def end(self, state: TerminalState) -> None:
        """It has ended."""
        self.ended, self.phase = state, state.phase

    def log(self, level: str, message: str, ts_ms: int = 0) -> None:
        kept = level if level in ("error", "warn", "info", "debug") else "info"
        self.logs.append({"ts": ts_ms, "level": kept, "source": "alc.log", "message": message})
