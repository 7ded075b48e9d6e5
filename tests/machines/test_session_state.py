"""The pure state of a session against the model: every event in every phase."""

from __future__ import annotations

import json
import os
import pickle
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from moonward.actors.errors import IdempotencyConflict, TransitionError
from moonward.actors.journal import entries
from moonward.actors.query import QueryResponse, QuerySpec, TokenUsage
from moonward.actors.rebuild import rebuild
from moonward.actors.session_state import Instant, SessionState
from moonward.actors.terminal import Cancelled, Completed, Failed, TerminalState

from .model import FULL, KEYS, SPECS, TEXTS, USAGES, Model

START_MS = 1_700_000_000_000
TICKS = st.sampled_from([0, 1, 40, 5000, -30, -100_000])
LIMITS = st.sampled_from([None, 0, 3, 60, 9000])


class SessionMachine(RuleBasedStateMachine):
    """Every event in every phase, with clocks that step backwards and hosts that restart."""

    @initialize(calls=LIMITS, elapsed=LIMITS, tokens=LIMITS, steps=st.integers(0, 7), data=st.data())
    def start(
        self, calls: int | None, elapsed: int | None, tokens: int | None, steps: int, data: st.DataObject
    ) -> None:
        """A session of any budget; most have come some way before anything odd happens."""
        limits = {"max_llm_calls": calls, "max_elapsed_ms": elapsed, "max_tokens": tokens}
        self.model = Model(limits, START_MS)
        ctx = json.dumps({"budget": limits, "task": "t"})
        first = entries.Started("s-1", "return 1", ctx, "5.5", 1, 2, "prelude", START_MS)
        self.now = Instant(START_MS, 50.0)
        self.journal: list[entries.Entry] = [first]
        self.state = SessionState(first, self.now)
        self.active_s = self.now.mono_s
        self.told_since_entry = False
        for _ in range(steps):
            self.advance(data)

    # Doing, and refusing

    def tick(self, tick_ms: int) -> None:
        """Both clocks move; the wall clock may be stepped back, the other one only seems to."""
        self.now = Instant(self.now.wall_ms + tick_ms, self.now.mono_s + tick_ms / 1000)

    def seen(self) -> None:
        if self.model.ended is None:
            self.model.elapsed = max(self.model.elapsed, self.now.wall_ms - START_MS)

    def refuse(self, error: type[Exception], event: Any) -> None:
        """The event is refused with this error, and not a bit of the state is another after it."""
        before = pickle.dumps(self.state)
        with pytest.raises(error):
            event()
        assert pickle.dumps(self.state) == before

    def apply(self, responses: list[QueryResponse], targets: list[str]) -> None:
        """Take the new answers of one feed, as a session does after its checks."""
        self.seen()
        answered = [
            entries.Answered(
                target,
                given.response,
                self.now.wall_ms,
                given.usage,
                given.idempotency_key,
                given.query_id is not None,
                len(targets),
            )
            for target, given in zip(targets, responses, strict=True)
        ]
        counts = [self.state.answer(entry, self.now) for entry in answered]
        left = self.model.answer(responses, targets, self.now.wall_ms)
        self.journal.append(answered[0] if len(answered) == 1 else entries.Batch(answered))
        assert counts == list(range(left + len(targets) - 1, left - 1, -1))
        self.active_s = max(self.active_s, self.now.mono_s)

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
        if self.model.phase != "running":
            self.refuse(TransitionError, lambda: self.state.pause(queries, self.now))
            return
        if not queries:
            self.refuse(ValueError, lambda: self.state.pause(queries, self.now))
            return
        self.seen()
        assert self.model.pause(prefixes, self.now.wall_ms) == queries
        self.state.pause(queries, self.now)
        view = self.state.view()
        self.journal.append(entries.Paused(queries, [entries.Ask("", len(queries))], self.now.wall_ms, view))
        self.told_since_entry = False

    @precondition(lambda self: self.model.ended is None)
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        self.advance(data)

    def advance(self, data: st.DataObject) -> None:
        """What is allowed in this phase: the script asks, or one of its questions is answered."""
        if self.model.phase == "running":
            shape = data.draw(st.sampled_from([(1, 0), (3, 0), (1, 2), (0, 3)]))
            main, children = [data.draw(st.lists(SPECS, min_size=n, max_size=n)) for n in shape]
            self.pause(main, [[spec] for spec in children], data.draw(TICKS))
            return
        asked = data.draw(st.lists(st.sampled_from(self.model.open()), min_size=1, max_size=2, unique=True))
        unused = sorted({"a", "b", "c", "d", "e"} - {each.key for each in self.model.asked if each.key})
        sole = len(self.model.open()) == 1
        given = []
        for each in asked:
            key = data.draw(st.sampled_from([None, *unused]))
            unused = [other for other in unused if other != key]
            query_id = None if sole and data.draw(st.booleans()) else each.id
            given.append(QueryResponse(query_id, data.draw(st.sampled_from(TEXTS)), data.draw(USAGES), key))
        self.tick(data.draw(TICKS))
        assert self.state.check_batch(given) == [each.id for each in asked]
        self.apply(given, [each.id for each in asked])

    @precondition(lambda self: self.model.asked)
    @rule(data=st.data(), key=KEYS, text=st.sampled_from(TEXTS), usage=USAGES, tick=TICKS)
    def feed(
        self, data: st.DataObject, key: str | None, text: str, usage: TokenUsage | None, tick: int
    ) -> None:
        self.tick(tick)
        open_ids = [each.id for each in self.model.open()]
        ids = [each.id for each in self.model.asked]
        choices = [None, None, "q-999", *ids[-4:], *open_ids]
        self.feed_one(QueryResponse(data.draw(st.sampled_from(choices)), text, usage, key))

    @precondition(lambda self: any(each.key for each in self.model.asked))
    @rule(data=st.data(), same=st.booleans(), named=st.booleans(), tick=TICKS)
    def retry_of_an_earlier_feed(self, data: st.DataObject, same: bool, named: bool, tick: int) -> None:
        self.tick(tick)
        first = data.draw(st.sampled_from([each for each in self.model.asked if each.key]))
        text = (first.answer or "") + ("" if same else "!")
        self.feed_one(QueryResponse(first.id if named else None, text, None, first.key))

    def feed_one(self, given: QueryResponse) -> None:
        expected = self.model.verdict(given.query_id, given.idempotency_key, given.response)
        check = (given.query_id, given.idempotency_key, given.response)
        if isinstance(expected, type):
            self.refuse(expected, lambda: self.state.check_feed(*check))
            return
        before = pickle.dumps(self.state)
        assert self.state.check_feed(*check) == expected
        assert pickle.dumps(self.state) == before
        if isinstance(expected, str):
            self.apply([given], [expected])

    @precondition(lambda self: self.model.asked)
    @rule(data=st.data(), tick=TICKS)
    def feed_batch(self, data: st.DataObject, tick: int) -> None:
        self.tick(tick)
        ids = (
            [each.id for each in self.model.open()] * 4
            + [each.id for each in self.model.asked]
            + [None, "q-999"]
        )
        response = st.builds(QueryResponse, st.sampled_from(ids), st.sampled_from(TEXTS), USAGES, KEYS)
        batch = data.draw(st.lists(response, min_size=1, max_size=4, unique_by=lambda given: given.query_id))
        expected = self.model.batch_verdict(batch)
        if isinstance(expected, type):
            self.refuse(expected, lambda: self.state.check_batch(batch))
            return
        assert self.state.check_batch(batch) == expected
        new = [(given, each) for given, each in zip(batch, expected, strict=True) if isinstance(each, str)]
        if new:
            self.apply([given for given, _ in new], [each for _, each in new])

    @precondition(lambda self: self.model.asked)
    @rule(data=st.data(), key=KEYS, tick=TICKS)
    def answer_unchecked(self, data: st.DataObject, key: str | None, tick: int) -> None:
        """An entry that no check let through is refused, too."""
        self.tick(tick)
        query_id = data.draw(st.sampled_from([each.id for each in self.model.asked] + ["q-999"]))
        entry = entries.Answered(query_id, "late", self.now.wall_ms, None, key)
        expected = self.model.verdict(query_id, None, "late")
        if any(key is not None and each.key == key for each in self.model.asked) and isinstance(
            expected, str
        ):
            expected = IdempotencyConflict
        if isinstance(expected, type):
            self.refuse(expected, lambda: self.state.answer(entry, self.now))

    @precondition(lambda self: self.model.pauses >= 1)
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
        allowed = self.model.phase == "running" or (
            self.model.phase == "paused" and not isinstance(state, Completed)
        )
        if not allowed:
            self.refuse(TransitionError, lambda: self.state.end(state, self.now))
            return
        self.seen()
        self.journal.append(entries.Ended(state, self.state.wall_ms(self.now), self.state.view()))
        self.state.end(state, self.now)
        self.model.end(state)
        self.told_since_entry = False

    @rule(
        level=st.sampled_from(["warn", "loud"]), step=st.integers(0, 9), value=st.sampled_from([1, "x", [1]])
    )
    def tell(self, level: str, step: int, value: Any) -> None:
        self.state.log(level, "alc.log", f"line {step}", START_MS + step)
        self.state.set_progress(step, 9, None)
        self.state.record(f"k{step % 2}", value)
        if self.model.ended is None:
            self.model.log(level, f"line {step}", START_MS + step)
            self.model.progress = {"step": step, "total": 9, "message": None}
            self.model.custom[f"k{step % 2}"] = value
            self.told_since_entry = True

    @rule(count=st.integers(1, 3), tick=TICKS)
    def ask_the_budget(self, count: int, tick: int) -> None:
        self.tick(tick)
        self.seen()
        first = self.model.spent(count)
        refusal = self.state.refusal(count, self.now)
        assert (refusal is None) == (first is None)
        assert refusal is None or refusal.startswith(f"budget_exceeded: {first} (")
        assert self.state.budget_remaining(self.now) == self.model.remaining()

    @rule(tick=TICKS)
    def host_restarts(self, tick: int) -> None:
        """From here on the state that was rebuilt from the journal goes on in the place of the live one."""
        self.tick(tick)
        self.seen()
        live = self.state
        rebuilt = rebuild(self.journal, self.now)
        if self.told_since_entry:
            rebuilt.restore_view(live.view())
        latest = Instant(START_MS + self.model.elapsed, self.now.mono_s)
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
        assert state.snapshot(FULL, True, self.now) == self.model.snapshot()
        assert state.stats(self.now) == self.model.stats()
        assert state.transcript() == self.model.transcript()

    @invariant()
    def is_in_the_events_of_the_model(self) -> None:
        state, model = self.state, self.model
        pending = tuple(each.query() for each in model.open())
        assert (state.phase, state.pending, state.queries_issued) == (model.phase, pending, len(model.asked))
        assert state.event() == model.event()
        for pause in range(model.pauses):
            assert state.event_after(pause) == model.event_after(pause)
        last = [each for each in model.asked if each.pause == model.pauses - 1]
        texts = {each.id: each.answer for each in last if each.answer is not None}
        assert list(state.answers_of_pause().items()) == list(texts.items())
        assert state.answered_bytes == sum(len(text.encode()) for text in texts.values())

    @invariant()
    def expires_by_the_other_clock(self) -> None:
        idle = max(0.0, self.now.mono_s - self.active_s)
        assert self.state.is_expired(0, self.now)
        assert self.state.is_expired(idle, self.now)
        assert not self.state.is_expired(idle + 0.001, self.now)


TestSessionMachine = SessionMachine.TestCase
TestSessionMachine.settings = settings(
    max_examples=5000 if os.environ.get("MOONWARD_TEST_LONG") else 100,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
