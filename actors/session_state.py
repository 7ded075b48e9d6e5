"""The one mutable thing of a session: its phase, its queries and answers, and what has been counted of them.

Pure: it is told the time, does no I/O and knows no thread. Each method that changes something validates first;
what it refuses it refuses with an error and changes nothing at all.

Two clocks are told in an `Instant`. `wall_ms` is shown and measures `elapsed_ms`; `mono_s` decides expiry.
`elapsed_ms` never decreases, although the wall clock may be stepped: the largest value seen so far holds, whether
an event or an observer saw it. It stops at the end of the session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from moonward.actors.barrier import JoinBarrier
from moonward.actors.budget import budget_of
from moonward.actors.errors import (
    AlreadyResponded,
    AmbiguousQuery,
    IdempotencyConflict,
    SettingsError,
    UnknownQuery,
)
from moonward.actors.interaction import Finished, Paused
from moonward.actors.journal.entries import Answered, Started, View
from moonward.actors.metrics import Metrics
from moonward.actors.notes import Notes
from moonward.actors.pending_filter import PendingFilter
from moonward.actors.phase import INITIAL, TERMINAL, Event, Phase, next_phase
from moonward.actors.query import LlmQuery, QueryResponse, QuerySpec
from moonward.actors.snapshot import running_metrics, snapshot
from moonward.actors.terminal import Cancelled, Completed, TerminalState
from moonward.actors.transcript import Exchange, Transcript


class Instant(msgspec.Struct, frozen=True, gc=False):
    """One moment on both clocks: Unix milliseconds, and seconds of a monotonic clock of this process."""

    wall_ms: int
    mono_s: float


class Repeat(NamedTuple):
    """A feed that was accepted before, told by its idempotency key.

    `remaining` is its first outcome: how many queries of pause `pause_no` (counted from 0) were left after it.
    At 0 the outcome is what came after that pause, see `SessionState.event_after`.
    """

    query_id: str
    pause_no: int
    remaining: int


class SessionState:
    """A session between its start and its end, driven by the events of its script and its host."""

    def __init__(self, started: Started, at: Instant) -> None:
        self.started = started
        self.phase: Phase = INITIAL
        self.terminal: TerminalState | None = None
        self._budget = budget_of(started.ctx)
        self._metrics = Metrics()
        self._transcript = Transcript()
        self._notes = Notes()
        self._barrier = JoinBarrier()
        self._pause_starts: list[int] = []
        self._next_numbers: dict[str, int] = {}
        self._keys: dict[str, Exchange] = {}
        self._batch_left = 0
        self._bytes_before_pause = 0
        self._elapsed_ms = 0
        self._last_feed_ms = started.at_ms
        self._active_s = at.mono_s

    @property
    def session_id(self) -> str:
        """The id of the session."""
        return self.started.session_id

    @property
    def pending(self) -> tuple[LlmQuery, ...]:
        """The queries that wait for an answer, in the order asked; none unless paused."""
        return self._barrier.waiting() if self.phase == "paused" else ()

    @property
    def active_s(self) -> float:
        """The monotonic second of the start or the last accepted feed."""
        return self._active_s

    @property
    def queries_issued(self) -> int:
        """Queries asked since the start, answered or not."""
        return len(self._transcript)

    @property
    def pauses(self) -> int:
        """Pauses since the start."""
        return self._metrics.pauses

    @property
    def answered_bytes(self) -> int:
        """Bytes of UTF-8 of the answers that the last pause has so far."""
        return self._metrics.response_bytes - self._bytes_before_pause

    # The budget

    def refusal(self, count: int, at: Instant, gathered: int = 0) -> str | None:
        """Why the budget refuses `count` more queries, as the text of a Lua error; None if it does not.

        `gathered` is the number of queries let through before that wait for the pause they belong to.
        """
        if self._budget is None:
            return None
        return self._budget.check(
            count,
            llm_calls=self._metrics.llm_calls + gathered,
            elapsed_ms=self._elapsed(at),
            tokens=self._metrics.total_tokens,
        )

    def budget_remaining(self, at: Instant) -> dict[str, int] | None:
        """What is left of the limits that are set; None without a budget."""
        if self._budget is None:
            return None
        return self._budget.remaining(
            llm_calls=self._metrics.llm_calls,
            elapsed_ms=self._elapsed(at),
            tokens=self._metrics.total_tokens,
        )

    # Asking and answering

    def issue(self, asks: Sequence[tuple[int | None, Sequence[QuerySpec]]]) -> list[LlmQuery]:
        """The queries for what the script (None) or its forked children (index) ask, with the ids they will have.

        Changes nothing: asked again, it gives the same ids until `pause` has used them.
        """
        numbers: dict[str, int] = {}
        queries = []
        for child, specs in asks:
            prefix = "q" if child is None else f"f-{child}"
            number = numbers.get(prefix, self._next_numbers.get(prefix, 0))
            queries += [LlmQuery.of(f"{prefix}-{number + i}", spec) for i, spec in enumerate(specs)]
            numbers[prefix] = number + len(specs)
        return queries

    def pause(self, queries: Sequence[LlmQuery], at: Instant) -> None:
        """running → paused: wait for the answers to `queries`, whose ids come from `issue`.

        `TransitionError` unless running; `ValueError` for no query, or an id used before or never issued.
        """
        phase = next_phase("pause", self.phase)
        numbers = self._numbers_after(queries)
        self.phase = phase
        self._elapsed(at)
        self._next_numbers |= numbers
        self._batch_left = 0
        self._pause_starts.append(len(self._transcript))
        self._bytes_before_pause = self._metrics.response_bytes
        pause_no = self._metrics.pauses
        self._metrics.pauses += 1
        for query in queries:
            tokens = self._metrics.asked(query)
            self._transcript.add(Exchange(query, pause_no, tokens, at.wall_ms))
        self._barrier = JoinBarrier(queries)

    def check_feed(self, query_id: str | None, key: str | None, response: str) -> str | Repeat:
        """The query that this answer is for, or the earlier feed that it repeats; changes nothing.

        Checks, in this order: `IdempotencyConflict`, `TransitionError` (ended), `UnknownQuery`,
        `AlreadyResponded`, `TransitionError` (running). Without a query id: `TransitionError` unless paused,
        `AmbiguousQuery` unless exactly one is pending.
        """
        first = self._keys.get(key) if key is not None else None
        if key is not None and first is not None:
            return _repeat_of(first, key, query_id, response)
        if query_id is not None:
            self._unanswered(query_id)
            return query_id
        next_phase("feed", self.phase)
        if self._barrier.missing != 1:
            raise AmbiguousQuery(self._barrier.missing)
        return self._barrier.waiting()[0].id

    def check_batch(self, responses: Sequence[QueryResponse]) -> list[str | Repeat]:
        """What `check_feed` says to each answer; raises if any is refused, changes nothing.

        Two answers to one query are `AlreadyResponded`, one key on two queries is `IdempotencyConflict`, an
        empty batch is `SettingsError`.
        """
        if not responses:
            raise SettingsError("a batch of answers must hold at least one")
        checked: list[str | Repeat] = []
        seen: set[str] = set()
        keys: dict[str, str] = {}
        for given in responses:
            target = self.check_feed(given.query_id, given.idempotency_key, given.response)
            checked.append(target)
            if isinstance(target, Repeat):
                continue
            key = given.idempotency_key
            if key is not None and keys.setdefault(key, target) != target:
                raise IdempotencyConflict(key)
            if target in seen:
                raise AlreadyResponded(target)
            seen.add(target)
        return checked

    def answer(self, entry: Answered, at: Instant) -> int:
        """Take an answer; how many queries of the pause have none yet. At 0 the session is running.

        The answers of a batch are applied one after the other; each entry holds the batch's size. Errors as of
        `check_feed`, but that a key used before is always `IdempotencyConflict`.
        """
        exchange = self._unanswered(entry.query_id)
        if entry.key is not None and entry.key in self._keys:
            raise IdempotencyConflict(entry.key)
        last = self._barrier.missing == 1
        event: Event = "all_answered" if last else "feed"
        self.phase = next_phase(event, self.phase)
        self._elapsed(at)
        self._active_s = max(self._active_s, at.mono_s)
        self._last_feed_ms = entry.at_ms
        remaining = self._barrier.answer(entry.query_id, entry.response)
        self._record_answer(exchange, entry, remaining)
        if last:
            self._metrics.rounds += 1
        return remaining

    def answers_of_pause(self) -> dict[str, str]:
        """The answers to the last pause that have come, by query id, in the order asked."""
        return self._barrier.texts()

    # The end

    def end(self, state: TerminalState, at: Instant) -> None:
        """End the session in `state`; `TransitionError` if the phase does not allow it.

        A failure is `fail` while running. While paused only supervision can give one: it is `abandon`.
        """
        event: Event = "abandon"
        if isinstance(state, Completed):
            event = "complete"
        elif isinstance(state, Cancelled):
            event = "cancel"
        elif self.phase == "running":
            event = "fail"
        phase = next_phase(event, self.phase)
        self._elapsed(at)
        self.phase = phase
        self.terminal = state

    # What the script tells; not taken once the session has ended, whose last entry holds what is shown

    def log(self, level: str, source: str, message: str, ts_ms: int) -> None:
        """Keep a log line; `ts_ms` is Unix milliseconds."""
        if self.terminal is None:
            self._notes.log(level, source, message, ts_ms)

    def set_progress(self, step: Any, total: Any, message: str | None) -> None:
        """Keep the script's progress."""
        if self.terminal is None:
            self._notes.set_progress(step, total, message)

    def record(self, key: str, value: Any, most_bytes: int | None = None) -> bool:
        """Keep a custom statistic, a JSON value. False if all would be more than `most_bytes` of JSON with it."""
        return self.terminal is not None or self._notes.record(key, value, most_bytes)

    def view(self) -> View:
        """What a journal entry holds of logs, progress and custom statistics."""
        return self._notes.view()

    def restore_view(self, view: View) -> None:
        """Take logs, progress and custom statistics from a journal entry."""
        self._notes.restore(view)

    # Looking

    def event(self) -> Paused | Finished | None:
        """The event that the session is in; None while its Lua runs. The caller's own, whatever he does with it."""
        if self.terminal is not None:
            return Finished(self.terminal.own(), self._stats(self._elapsed_ms))
        return Paused(tuple([query.own() for query in self.pending])) if self.phase == "paused" else None

    def event_after(self, pause_no: int) -> Paused | Finished | None:
        """What the last answer of pause `pause_no` led to, as it was then; None while its Lua runs."""
        following = pause_no + 1
        if following < len(self._pause_starts):
            first = self._pause_starts[following]
            is_last = following + 1 == len(self._pause_starts)
            end = None if is_last else self._pause_starts[following + 1]
            return Paused(tuple(exchange.query.own() for exchange in self._transcript.between(first, end)))
        return self.event() if self.terminal is not None else None

    def stats(self, at: Instant) -> dict[str, Any]:
        """`{"auto": …, "custom": …}`: what was counted, and what the script recorded."""
        return self._stats(self._elapsed(at))

    def snapshot(
        self, pending_filter: PendingFilter | None, include_history: bool, at: Instant
    ) -> dict[str, Any]:
        """What an observer sees, in every phase."""
        metrics = running_metrics(
            self._metrics,
            self._transcript,
            self._notes,
            elapsed_ms=self._elapsed(at),
            budget_remaining=self.budget_remaining(at),
            include_history=include_history,
        )
        return snapshot(
            phase=self.phase,
            started_ms=self.started.at_ms,
            last_activity_ms=self._last_feed_ms,
            metrics=metrics,
            pending=self.pending,
            pending_filter=pending_filter,
        )

    def transcript(self) -> list[dict[str, Any]]:
        """Every query with its answer, in the order asked; an answer that has not come is None."""
        return self._transcript.to_list()

    def is_expired(self, ttl_s: float, at: Instant) -> bool:
        """Whether at least `ttl_s` seconds have passed since the start or the last accepted feed."""
        return max(0.0, at.mono_s - self._active_s) >= ttl_s

    def wall_ms(self, at: Instant) -> int:
        """Unix milliseconds at which `elapsed_ms` is what it is at `at`: never decreasing, fixed at the end.

        An `Ended` entry stamped with it gives the same `elapsed_ms` after a restart, whatever the clock did.
        """
        return self.started.at_ms + self._elapsed(at)

    def _elapsed(self, at: Instant) -> int:
        if self.terminal is None:
            self._elapsed_ms = max(self._elapsed_ms, at.wall_ms - self.started.at_ms)
        return self._elapsed_ms

    def _stats(self, elapsed_ms: int) -> dict[str, Any]:
        auto = self._metrics.to_json(elapsed_ms)
        if self._budget is not None:
            auto["budget"] = self._budget.to_json()
        return {"auto": auto, "custom": self._notes.custom()}

    def _numbers_after(self, queries: Sequence[LlmQuery]) -> dict[str, int]:
        numbers: dict[str, int] = {}
        for query in queries:
            prefix, _, number = query.id.rpartition("-")
            expected = numbers.get(prefix, self._next_numbers.get(prefix, 0))
            if number != str(expected):
                raise ValueError(f"a pause needs the ids that were issued, got {query.id!r}")
            numbers[prefix] = expected + 1
        if not numbers:
            raise ValueError("a pause needs at least one query")
        return numbers

    def _unanswered(self, query_id: str) -> Exchange:
        if self.phase in TERMINAL:
            next_phase("feed", self.phase)
        exchange = self._transcript.find(query_id)
        if exchange is None:
            raise UnknownQuery(query_id)
        if exchange.response is not None:
            raise AlreadyResponded(query_id)
        next_phase("feed", self.phase)
        return exchange

    def _record_answer(self, exchange: Exchange, entry: Answered, remaining: int) -> None:
        if self._batch_left == 0:
            self._batch_left = entry.batch
        self._batch_left -= 1
        tokens = self._metrics.answered(exchange.prompt_tokens, entry.response, entry.usage)
        exchange.prompt_tokens, exchange.response_tokens = tokens
        exchange.response = entry.response
        exchange.completed_ms = entry.at_ms
        exchange.named = entry.named
        exchange.outcome = remaining - self._batch_left
        if entry.key is not None:
            exchange.key = entry.key
            self._keys[entry.key] = exchange


def _repeat_of(first: Exchange, key: str, query_id: str | None, response: str) -> Repeat:
    same_query = not first.named if query_id is None else query_id == first.query.id
    if not same_query or response != first.response:
        raise IdempotencyConflict(key)
    return Repeat(first.query.id, first.pause_no, first.outcome)
