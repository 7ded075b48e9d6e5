"""The state of a session against a model that is too simple to be wrong: lists, and sums over them."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from moonward.actors.errors import (
    AlreadyResponded,
    AmbiguousQuery,
    IdempotencyConflict,
    TransitionError,
    UnknownQuery,
)
from moonward.actors.interaction import Finished, Paused
from moonward.actors.journal import entries
from moonward.actors.pending_filter import PendingFilter
from moonward.actors.query import LlmQuery, QueryResponse, QuerySpec, TokenUsage
from moonward.actors.rebuild import rebuild
from moonward.actors.session_state import Instant, Repeat, SessionState
from moonward.actors.terminal import Cancelled, Completed, Failed, TerminalState

START_MS = 1_700_000_000_000
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
TICKS = st.sampled_from([0, 1, 40, 5000, -30, -100_000])
LIMITS = st.sampled_from([None, 0, 3, 60, 9000])


def estimate(text: str | None) -> int:
    plain = sum(ord(char) < 128 for char in text or "")
    other = len(text or "") - plain
    return (plain + 3) // 4 + (other * 2 + 2) // 3


def size(text: str | None) -> int:
    return len((text or "").encode())


class Asked:
    """One query of the model."""

    def __init__(self, query_id: str, spec: QuerySpec, pause: int, at_ms: int) -> None:
        self.id, self.spec, self.pause, self.at_ms = query_id, spec, pause, at_ms
        self.answer: str | None = None
        self.usage = TokenUsage()
        self.done_ms: int | None = None
        self.key: str | None = None
        self.named = True
        self.left = -1

    def query(self) -> LlmQuery:
        return LlmQuery.of(self.id, self.spec)

    def prompt_tokens(self) -> int:
        given = self.usage.prompt_tokens
        return estimate(self.spec.prompt) + estimate(self.spec.system) if given is None else given

    def response_tokens(self) -> int:
        given = self.usage.completion_tokens
        return estimate(self.answer) if given is None else given


def token_sum(parts: list[tuple[int, bool]]) -> dict[str, Any]:
    """The JSON of a sum of (tokens, reported by the host)."""
    source = "definite"
    if parts:
        source = "provided" if all(reported for _, reported in parts) else "estimated"
    return {"tokens": sum(tokens for tokens, _ in parts), "source": source}


class SessionMachine(RuleBasedStateMachine):
    """Every event in every phase, with clocks that step backwards and hosts that restart."""

    @initialize(calls=LIMITS, elapsed=LIMITS, tokens=LIMITS, steps=st.integers(0, 7), data=st.data())
    def start(
        self, calls: int | None, elapsed: int | None, tokens: int | None, steps: int, data: st.DataObject
    ) -> None:
        """A session of any budget; most have come some way before anything odd happens."""
        limits = {"max_llm_calls": calls, "max_elapsed_ms": elapsed, "max_tokens": tokens}
        self.budget = {name: value for name, value in limits.items() if value is not None}
        ctx = json.dumps({"budget": limits, "task": "t"})
        first = entries.Started("s-1", "return 1", ctx, "5.5", 1, 2, "prelude", START_MS)
        self.now = Instant(START_MS, 50.0)
        self.journal: list[entries.Entry] = [first]
        self.state = SessionState(first, self.now)
        self.asked: list[Asked] = []
        self.phase = "running"
        self.pauses = self.rounds = self.elapsed = 0
        self.last_feed_ms = START_MS
        self.active_s = self.now.mono_s
        self.logs: list[dict[str, Any]] = []
        self.progress: dict[str, Any] | None = None
        self.custom: dict[str, Any] = {}
        self.ended: TerminalState | None = None
        self.told_since_entry = False
        for _ in range(steps):
            self.advance(data)

    # What the model knows

    def open(self) -> list[Asked]:
        return [each for each in self.asked if each.answer is None] if self.phase == "paused" else []

    def find(self, query_id: str) -> Asked:
        return next(each for each in self.asked if each.id == query_id)

    def verdict(self, query_id: str | None, key: str | None, text: str) -> str | Repeat | type[Exception]:
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

    def auto(self) -> dict[str, Any]:
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
        auto = self.auto()
        used = {
            "max_llm_calls": ("llm_calls", auto["llm_calls"]),
            "max_elapsed_ms": ("elapsed_ms", self.elapsed),
            "max_tokens": ("tokens", auto["total_tokens"]["tokens"]),
        }
        left = {used[name][0]: max(0, limit - used[name][1]) for name, limit in self.budget.items()}
        return left or None

    def expected_snapshot(self) -> dict[str, Any]:
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
            "conversation_history": [
                {
                    "query_id": each.id,
                    "prompt": each.spec.prompt,
                    "response": each.answer,
                    "prompt_tokens": each.prompt_tokens(),
                    "response_tokens": 0 if each.answer is None else each.response_tokens(),
                    "started_at": each.at_ms,
                    "completed_at": each.done_ms,
                }
                for each in self.asked[-10:]
            ],
        }
        if self.progress is not None:
            metrics["progress"] = self.progress
        if self.budget:
            metrics["budget_remaining"] = self.remaining()
        shown: dict[str, Any] = {
            "state": self.phase if self.ended is None else "terminal",
            "phase": self.phase,
            "started_at": START_MS,
            "last_activity_at": self.last_feed_ms,
            "metrics": metrics,
        }
        if self.phase == "paused":
            shown["pending_queries"] = len(self.open())
            shown["pending"] = [FULL.project(each.query()) for each in self.open()]
        return shown

    # Doing, and refusing

    def tick(self, tick_ms: int) -> None:
        """Both clocks move; the wall clock may be stepped back, the other one only seems to."""
        self.now = Instant(self.now.wall_ms + tick_ms, self.now.mono_s + tick_ms / 1000)

    def seen(self) -> None:
        if self.ended is None:
            self.elapsed = max(self.elapsed, self.now.wall_ms - START_MS)

    def refuse(self, error: type[Exception], event: Any) -> None:
        """The event is refused with this error, and not a bit of the state is another after it."""
        before = pickle.dumps(self.state)
        with pytest.raises(error):
            event()
        assert pickle.dumps(self.state) == before

    def apply(self, responses: list[QueryResponse], targets: list[str]) -> None:
        """Take the new answers of one feed, as a session does after its checks."""
        self.seen()
        left = len(self.open()) - len(targets)
        counts = []
        answered = []
        for target, given in zip(targets, responses, strict=True):
            entry = entries.Answered(
                target,
                given.response,
                self.now.wall_ms,
                given.usage,
                given.idempotency_key,
                given.query_id is not None,
                len(targets),
            )
            answered.append(entry)
            counts.append(self.state.answer(entry, self.now))
            asked = self.find(target)
            asked.answer, asked.usage = given.response, given.usage or TokenUsage()
            asked.done_ms, asked.key, asked.named = self.now.wall_ms, given.idempotency_key, entry.named
            asked.left = left
        self.journal.append(answered[0] if len(answered) == 1 else entries.Batch(answered))
        assert counts == list(range(left + len(targets) - 1, left - 1, -1))
        self.last_feed_ms = self.now.wall_ms
        self.active_s = max(self.active_s, self.now.mono_s)
        if left == 0:
            self.phase, self.rounds = "running", self.rounds + 1

    @rule(
        main=st.lists(SPECS, max_size=2),
        children=st.lists(st.lists(SPECS, max_size=1), max_size=2),
        tick=TICKS,
    )
    def ask(self, main: list[QuerySpec], children: list[list[QuerySpec]], tick: int) -> None:
        self.pause(main, children, tick)

    def pause(self, main: list[QuerySpec], children: list[list[QuerySpec]], tick: int) -> None:
        self.tick(tick)
        asks: list[tuple[int | None, list[QuerySpec]]] = [(None, main), *enumerate(children)]
        queries = self.state.issue(asks)
        assert self.state.issue(asks) == queries
        prefixes = [("q" if child is None else f"f-{child}", spec) for child, specs in asks for spec in specs]
        if self.phase != "running":
            self.refuse(TransitionError, lambda: self.state.pause(queries, self.now))
            return
        if not queries:
            self.refuse(ValueError, lambda: self.state.pause(queries, self.now))
            return
        self.seen()
        for (prefix, spec), query in zip(prefixes, queries, strict=True):
            number = sum(each.id.rpartition("-")[0] == prefix for each in self.asked)
            assert query == LlmQuery.of(f"{prefix}-{number}", spec)
            self.asked.append(Asked(query.id, spec, self.pauses, self.now.wall_ms))
        self.state.pause(queries, self.now)
        self.pauses += 1
        self.phase = "paused"
        view = self.state.view()
        self.journal.append(entries.Paused(queries, [entries.Ask("", len(queries))], self.now.wall_ms, view))
        self.told_since_entry = False

    @precondition(lambda self: self.ended is None)
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        self.advance(data)

    def advance(self, data: st.DataObject) -> None:
        """What is allowed in this phase: the script asks, or one of its questions is answered."""
        if self.phase == "running":
            shape = data.draw(st.sampled_from([(1, 0), (3, 0), (1, 2), (0, 3)]))
            main, children = [data.draw(st.lists(SPECS, min_size=n, max_size=n)) for n in shape]
            self.pause(main, [[spec] for spec in children], data.draw(TICKS))
            return
        asked = data.draw(st.lists(st.sampled_from(self.open()), min_size=1, max_size=2, unique=True))
        unused = sorted({"a", "b", "c", "d", "e"} - {each.key for each in self.asked if each.key})
        sole = len(self.open()) == 1
        given = []
        for each in asked:
            key = data.draw(st.sampled_from([None, *unused]))
            unused = [other for other in unused if other != key]
            query_id = None if sole and data.draw(st.booleans()) else each.id
            given.append(QueryResponse(query_id, data.draw(st.sampled_from(TEXTS)), data.draw(USAGES), key))
        self.tick(data.draw(TICKS))
        assert self.state.check_batch(given) == [each.id for each in asked]
        self.apply(given, [each.id for each in asked])

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), key=KEYS, text=st.sampled_from(TEXTS), usage=USAGES, tick=TICKS)
    def feed(
        self, data: st.DataObject, key: str | None, text: str, usage: TokenUsage | None, tick: int
    ) -> None:
        self.tick(tick)
        open_ids = [each.id for each in self.open()]
        ids = [each.id for each in self.asked]
        choices = [None, None, "q-999", *ids[-4:], *open_ids]
        self.feed_one(QueryResponse(data.draw(st.sampled_from(choices)), text, usage, key))

    @precondition(lambda self: any(each.key for each in self.asked))
    @rule(data=st.data(), same=st.booleans(), named=st.booleans(), tick=TICKS)
    def retry_of_an_earlier_feed(self, data: st.DataObject, same: bool, named: bool, tick: int) -> None:
        self.tick(tick)
        first = data.draw(st.sampled_from([each for each in self.asked if each.key]))
        text = (first.answer or "") + ("" if same else "!")
        self.feed_one(QueryResponse(first.id if named else None, text, None, first.key))

    def feed_one(self, given: QueryResponse) -> None:
        expected = self.verdict(given.query_id, given.idempotency_key, given.response)
        check = (given.query_id, given.idempotency_key, given.response)
        if isinstance(expected, type):
            self.refuse(expected, lambda: self.state.check_feed(*check))
            return
        before = pickle.dumps(self.state)
        assert self.state.check_feed(*check) == expected
        assert pickle.dumps(self.state) == before
        if isinstance(expected, str):
            self.apply([given], [expected])

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), tick=TICKS)
    def feed_batch(self, data: st.DataObject, tick: int) -> None:
        self.tick(tick)
        ids = [each.id for each in self.open()] * 4 + [each.id for each in self.asked] + [None, "q-999"]
        response = st.builds(QueryResponse, st.sampled_from(ids), st.sampled_from(TEXTS), USAGES, KEYS)
        batch = data.draw(st.lists(response, min_size=1, max_size=4, unique_by=lambda given: given.query_id))
        expected = self.batch_verdict(batch)
        if isinstance(expected, type):
            self.refuse(expected, lambda: self.state.check_batch(batch))
            return
        assert self.state.check_batch(batch) == expected
        new = [(given, each) for given, each in zip(batch, expected, strict=True) if isinstance(each, str)]
        if new:
            self.apply([given for given, _ in new], [each for _, each in new])

    def batch_verdict(self, batch: list[QueryResponse]) -> list[str | Repeat] | type[Exception]:
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

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), key=KEYS, tick=TICKS)
    def answer_unchecked(self, data: st.DataObject, key: str | None, tick: int) -> None:
        """An entry that no check let through is refused, too."""
        self.tick(tick)
        query_id = data.draw(st.sampled_from([each.id for each in self.asked] + ["q-999"]))
        entry = entries.Answered(query_id, "late", self.now.wall_ms, None, key)
        expected = self.verdict(query_id, None, "late")
        if any(key is not None and each.key == key for each in self.asked) and isinstance(expected, str):
            expected = IdempotencyConflict
        if isinstance(expected, type):
            self.refuse(expected, lambda: self.state.answer(entry, self.now))

    @precondition(lambda self: self.pauses >= 1)
    @rule(
        state=st.sampled_from(
            [
                Completed({"a": [1]}),
                Failed("boom"),
                Failed("lost", "crash"),
                Cancelled("why"),
                Cancelled("expired"),
            ]
        ),
        tick=TICKS,
    )
    def end(self, state: TerminalState, tick: int) -> None:
        self.tick(tick)
        allowed = self.phase == "running" or (self.phase == "paused" and not isinstance(state, Completed))
        if not allowed:
            self.refuse(TransitionError, lambda: self.state.end(state, self.now))
            return
        self.seen()
        self.journal.append(entries.Ended(state, self.state.wall_ms(self.now), self.state.view()))
        self.state.end(state, self.now)
        self.ended, self.phase = state, state.phase
        self.told_since_entry = False

    @rule(
        level=st.sampled_from(["warn", "loud"]), step=st.integers(0, 9), value=st.sampled_from([1, "x", [1]])
    )
    def tell(self, level: str, step: int, value: Any) -> None:
        self.state.log(level, "alc.log", f"line {step}", START_MS + step)
        self.state.set_progress(step, 9, None)
        self.state.record(f"k{step % 2}", value)
        if self.ended is None:
            kept = level if level == "warn" else "info"
            line = {"ts": START_MS + step, "level": kept, "source": "alc.log", "message": f"line {step}"}
            self.logs.append(line)
            self.progress = {"step": step, "total": 9, "message": None}
            self.custom[f"k{step % 2}"] = value
            self.told_since_entry = True

    @rule(count=st.integers(1, 3), tick=TICKS)
    def ask_the_budget(self, count: int, tick: int) -> None:
        self.tick(tick)
        self.seen()
        used = {"max_llm_calls": len(self.asked), "max_elapsed_ms": self.elapsed}
        used["max_tokens"] = self.auto()["total_tokens"]["tokens"]
        over = {name for name, limit in self.budget.items() if used[name] >= limit}
        if "max_llm_calls" in self.budget and len(self.asked) + count > self.budget["max_llm_calls"]:
            over.add("max_llm_calls")
        first = next((name for name in used if name in over), None)
        refusal = self.state.refusal(count, self.now)
        assert (refusal is None) == (first is None)
        assert refusal is None or refusal.startswith(f"budget_exceeded: {first} (")
        assert self.state.budget_remaining(self.now) == self.remaining()

    @rule(tick=TICKS)
    def host_restarts(self, tick: int) -> None:
        """From here on the state that was rebuilt from the journal goes on in the place of the live one."""
        self.tick(tick)
        self.seen()
        live = self.state
        rebuilt = rebuild(self.journal, self.now)
        if self.told_since_entry:
            rebuilt.restore_view(live.view())
        latest = Instant(START_MS + self.elapsed, self.now.mono_s)
        for state in (live, rebuilt):
            state.stats(latest)
        assert rebuilt.snapshot(FULL, True, latest) == live.snapshot(FULL, True, latest)
        assert rebuilt.stats(latest) == live.stats(latest)
        assert rebuilt.transcript() == live.transcript()
        assert rebuilt.event() == live.event()
        assert rebuilt.answers_of_pause() == live.answers_of_pause()
        self.state = rebuilt
        self.active_s = self.now.mono_s

    # What must hold after each step

    @invariant()
    def shows_what_the_model_shows(self) -> None:
        self.seen()
        state = self.state
        assert state.snapshot(FULL, True, self.now) == self.expected_snapshot()
        assert state.stats(self.now) == {"auto": self.auto(), "custom": self.custom}
        assert state.transcript() == [
            {"query_id": a.id, "prompt": a.spec.prompt, "system": a.spec.system, "response": a.answer}
            for a in self.asked
        ]

    @invariant()
    def is_in_the_events_of_the_model(self) -> None:
        state = self.state
        pending = tuple(each.query() for each in self.open())
        assert (state.phase, state.pending, state.queries_issued) == (self.phase, pending, len(self.asked))
        end = Finished(self.ended, {"auto": self.auto(), "custom": self.custom}) if self.ended else None
        assert state.event() == (end or (Paused(pending) if self.phase == "paused" else None))
        for pause in range(self.pauses):
            following = tuple(each.query() for each in self.asked if each.pause == pause + 1)
            assert state.event_after(pause) == (Paused(following) if following else end)
        last = [each for each in self.asked if each.pause == self.pauses - 1]
        texts = {each.id: each.answer for each in last if each.answer is not None}
        assert list(state.answers_of_pause().items()) == list(texts.items())

    @invariant()
    def expires_by_the_other_clock(self) -> None:
        idle = max(0.0, self.now.mono_s - self.active_s)
        assert self.state.is_expired(0, self.now)
        assert self.state.is_expired(idle, self.now)
        assert not self.state.is_expired(idle + 0.001, self.now)


TestSessionMachine = SessionMachine.TestCase
TestSessionMachine.settings = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
