"""Sessions of a real Runtime, with real workers, against the same model as the pure state.

The script does what its `ctx` says: it asks, logs and counts step by step, and ends in a value, an error or a loop. In
between its worker is killed, its actor is lost, it is put to sleep and woken, its host is restarted; none of that is
in the model, which must not be able to tell.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from moonward import (
    Accepted,
    AmbiguousQuery,
    Cancelled,
    Completed,
    Failed,
    FeedTimeout,
    Finished,
    Paused,
    QueryResponse,
    SessionRestarting,
    TransitionError,
)
from moonward.actors.query import QuerySpec, TokenUsage
from moonward.actors.session_state import Repeat
from moonward.testing import FaultyRuntime

from .model import KEYS, SPECS, TEXTS, USAGES, Model, Verdict

T = TypeVar("T")

PATIENCE_S = 20.0

SCRIPT = """
local said = {}
for _, step in ipairs(ctx.plan) do
  for _, line in ipairs(step.logs) do alc.log('warn', line) end
  if step.progress then alc.progress(step.progress, 9) end
  if step.stat then alc.stats.record('k', step.stat) end
  local ok, got
  if #step.asks == 1 then
    ok, got = pcall(alc.llm, step.asks[1].prompt, step.asks[1])
    if ok then got = {got} end
  else
    ok, got = pcall(alc.llm_batch, step.asks)
  end
  if ok then
    for _, text in ipairs(got) do said[#said + 1] = text end
  else
    said[#said + 1] = got:match('budget_exceeded: [%w_]+')
  end
end
if ctx.ends == 'error' then error('the end', 0) end
while ctx.ends == 'spin' do end
return said
"""

STEPS = st.fixed_dictionaries(
    {
        "asks": st.lists(SPECS, min_size=1, max_size=3),
        "logs": st.lists(st.sampled_from(["one", "二"]), max_size=2),
        "progress": st.sampled_from([None, 1, 2]),
        "stat": st.sampled_from([None, 1, "x"]),
    }
)
LIMITS = st.sampled_from([None, None, 2, 5, 40])


class Host:
    """The Runtime, which may be replaced by another on the same journal."""

    def __init__(self, journal: str) -> None:
        self.journal = journal
        self.is_durable = journal != "memory:"
        self.runtime = self._open()

    def _open(self) -> FaultyRuntime:
        return FaultyRuntime(
            journal=self.journal,
            durability="relaxed",
            warm_workers=2,
            restart_intensity=1000,
            restart_period=0.001,
        )

    def restart(self) -> None:
        self.runtime.close()
        self.runtime = self._open()


def again(work: Callable[[], T]) -> T:
    """`work()`, tried again while the session is being restarted."""
    while True:
        try:
            return work()
        except SessionRestarting:
            continue


class RealSessionMachine(RuleBasedStateMachine):
    """One session; `self.model` says what it must be told."""

    host: Host

    @initialize(
        plan=st.lists(STEPS, min_size=1, max_size=4),
        ends=st.sampled_from(["return", "return", "error", "spin"]),
        calls=LIMITS,
        tokens=LIMITS,
    )
    def start(self, plan: list[dict[str, Any]], ends: str, calls: int | None, tokens: int | None) -> None:
        limits = {"max_llm_calls": calls, "max_tokens": tokens}
        self.model = Model(limits)
        self.ends = ends
        self.left = list(plan)
        self.said: list[str] = []
        self.was_refused = False
        self.shown: set[str] = set()
        self.last_feed_ms: int | None = None
        self.marks: set[str] = set()
        self.lost_notes = False
        ctx = {"plan": [self.encoded(step) for step in plan], "ends": ends, "budget": limits}
        self.id = self.host.runtime.start(SCRIPT, ctx).id
        self.session = self.host.runtime.session(self.id)
        self.run_on()

    @staticmethod
    def encoded(step: dict[str, Any]) -> dict[str, Any]:
        asks = [
            {
                name: value
                for name in spec.__struct_fields__
                if (value := getattr(spec, name)) not in (None, {})
            }
            for spec in step["asks"]
        ]
        return {name: value for name, value in (step | {"asks": asks}).items() if value is not None}

    def run_on(self) -> None:
        """What the script does until it waits, ends or spins."""
        model = self.model
        while self.left:
            step = self.left.pop(0)
            for line in step["logs"]:
                model.log("warn", line)
            if step["progress"] is not None:
                model.progress = {"step": step["progress"], "total": 9, "message": None}
            if step["stat"] is not None:
                model.custom["k"] = step["stat"]
            specs: list[QuerySpec] = step["asks"]
            limit = model.spent(len(specs))
            if limit is None:
                model.pause([("q", spec) for spec in specs])
                self.was_refused = False
                return
            self.said.append(f"budget_exceeded: {limit}")
            self.was_refused = True
        if self.ends == "return":
            model.end(Completed(self.said))
        elif self.ends == "error":
            model.end(Failed("the end", "budget" if self.was_refused else "lua"))

    @property
    def spins(self) -> bool:
        return self.model.phase == "running"

    # What is told

    def see(self, event: object) -> None:
        """The handle was shown an event, which must be the model's."""
        if isinstance(event, Paused):
            self.shown |= {query.id for query in event.queries}

    def is_same(self, event: object, expected: object) -> None:
        if isinstance(event, Finished):
            event.metrics["auto"]["elapsed_ms"] = 0
            if self.lost_notes:
                event.metrics["custom"] = self.model.custom
        assert event == expected

    def verdict(self, given: QueryResponse, *, by_handle: bool) -> Verdict:
        expected = self.model.verdict(given.query_id, given.idempotency_key, given.response)
        unseen = by_handle and given.query_id is None and expected not in self.shown
        return AmbiguousQuery if unseen and isinstance(expected, str) else expected

    # Feeds

    def feed(self, given: QueryResponse, *, by_handle: bool) -> None:
        expected = self.verdict(given, by_handle=by_handle)
        door: Any = self.session if by_handle else self.host.runtime
        names = [] if by_handle else [self.id]
        if isinstance(expected, type):
            with pytest.raises(expected):
                again(lambda: door.feed(*names, given))
            return
        if isinstance(expected, Repeat):
            outcome = (
                Accepted(expected.remaining)
                if expected.remaining
                else self.model.event_after(expected.pause_no)
            )
        else:
            outcome = self.accept([given], [expected])
        event = self.check_feed(lambda timeout: door.feed(*names, given, timeout=timeout), outcome)
        if by_handle:
            self.see(event)

    def accept(
        self, responses: list[QueryResponse], targets: list[str]
    ) -> Accepted | Paused | Finished | None:
        """The model takes new answers; what the feed must return, or None if it can only time out."""
        waiting = [each.id for each in self.model.asked if each.pause == self.model.pauses - 1]
        left = self.model.answer(responses, targets)
        self.last_feed_ms = None
        if left:
            return Accepted(left)
        self.said += [self.model.find(query_id).answer or "" for query_id in waiting]
        self.run_on()
        return self.model.event()

    def check_feed(self, feed: Callable[[float], Any], outcome: object) -> object:
        """Feed; what came of it, which must be the model's."""
        if outcome is not None:
            event = again(lambda: feed(PATIENCE_S))
            self.is_same(event, outcome)
            return event
        while True:  # its Lua spins: nothing can follow
            with pytest.raises(FeedTimeout) as caught:
                again(lambda: feed(0.02))
            if caught.value.accepted is not False:
                return None

    @precondition(lambda self: self.model.asked)
    @rule(data=st.data(), key=KEYS, text=st.sampled_from(TEXTS), usage=USAGES, by_handle=st.booleans())
    def feed_anything(
        self, data: st.DataObject, key: str | None, text: str, usage: TokenUsage | None, by_handle: bool
    ) -> None:
        open_ids = [each.id for each in self.model.open()]
        choices = [None, None, "q-999", *[each.id for each in self.model.asked][-4:], *open_ids]
        given = QueryResponse(data.draw(st.sampled_from(choices)), text, usage, key)
        self.feed(given, by_handle=by_handle)

    @precondition(lambda self: self.model.open())
    @rule(data=st.data(), text=st.sampled_from(TEXTS), keyed=st.booleans(), by_handle=st.booleans())
    def answer_a_pending_query(self, data: st.DataObject, text: str, keyed: bool, by_handle: bool) -> None:
        asked = data.draw(st.sampled_from(self.model.open()))
        key = f"key of {asked.id}" if keyed else None
        self.feed(QueryResponse(asked.id, text, None, key), by_handle=by_handle)

    @precondition(lambda self: any(each.key for each in self.model.asked))
    @rule(data=st.data(), same=st.booleans(), named=st.booleans(), by_handle=st.booleans())
    def retry_of_an_earlier_feed(self, data: st.DataObject, same: bool, named: bool, by_handle: bool) -> None:
        first = data.draw(st.sampled_from([each for each in self.model.asked if each.key]))
        text = (first.answer or "") + ("" if same else "!")
        self.feed(QueryResponse(first.id if named else None, text, None, first.key), by_handle=by_handle)

    @precondition(lambda self: self.model.asked)
    @rule(data=st.data())
    def feed_batch(self, data: st.DataObject) -> None:
        ids = [each.id for each in self.model.open()] * 4 + [each.id for each in self.model.asked] + ["q-999"]
        response = st.builds(QueryResponse, st.sampled_from(ids), st.sampled_from(TEXTS), USAGES, KEYS)
        batch = data.draw(st.lists(response, min_size=1, max_size=3, unique_by=lambda given: given.query_id))
        expected = self.model.batch_verdict(batch)
        if isinstance(expected, type):
            with pytest.raises(expected):
                again(lambda: self.session.feed_batch(batch))
            return
        new = [(given, each) for given, each in zip(batch, expected, strict=True) if isinstance(each, str)]
        last = expected[-1]
        outcome: object
        if new:
            outcome = self.accept([given for given, _ in new], [each for _, each in new])
        else:
            assert isinstance(last, Repeat)
            outcome = Accepted(last.remaining) if last.remaining else self.model.event_after(last.pause_no)
        if outcome is None and any(given.idempotency_key is None for given in batch):
            self.check_once(batch)
            return
        self.see(self.check_feed(lambda timeout: self.session.feed_batch(batch, timeout=timeout), outcome))

    def check_once(self, batch: list[QueryResponse]) -> None:
        """A feed that can only time out, and cannot be tried again: it is taken, or else it was not looked at yet."""
        while True:
            with pytest.raises(FeedTimeout) as caught:
                self.session.feed_batch(batch, timeout=0.5)
            if caught.value.accepted is not False:
                return

    @precondition(lambda self: len(self.model.open()) > 1)
    @rule(text=st.sampled_from(TEXTS))
    def feed_without_patience(self, text: str) -> None:
        """What `FeedTimeout` says of an answer is so."""
        given = QueryResponse(self.model.open()[0].id, text)
        patience_s = 0.0
        while (error := self.timeout_of(given, patience_s)) is not None and error.accepted is False:
            assert error.query_id == given.query_id
            assert again(self.session.transcript) == self.model.transcript()
            patience_s = 2 * patience_s + 0.001
        assert self.accept([given], [str(given.query_id)]) == Accepted(len(self.model.open()))

    def timeout_of(self, given: QueryResponse, patience_s: float) -> FeedTimeout | None:
        try:
            again(lambda: self.session.feed(given, timeout=patience_s))
        except FeedTimeout as error:
            return error
        return None

    # Ends

    @rule(reason=st.sampled_from(["", "enough"]), rarely=st.integers(0, 5))
    def cancel(self, reason: str, rarely: int) -> None:
        if self.model.ended is not None:
            with pytest.raises(TransitionError):
                again(lambda: self.session.cancel(reason))
        elif rarely == 0 or self.spins:
            self.lost_notes = (
                self.spins
            )  # what a running script told is not durable yet, and may not have come yet
            self.model.end(Cancelled(reason))
            self.is_same(again(lambda: self.session.cancel(reason)), self.model.event())

    # What the model cannot tell

    @precondition(lambda self: "killed" not in self.marks)
    @rule()
    def kill_its_worker(self) -> None:
        if not self.has_actor:
            return
        self.marks.add("killed")
        events = self.session.events()
        before = again(self.session.snapshot)["restarts"]
        if self.host.runtime.kill_worker(self.id) and self.model.ended is None:
            next(event for event in events if event.kind == "restarted" and event.data["count"] > before)

    @property
    def has_actor(self) -> bool:
        return self.id in self.host.runtime._core.services.registry.actors

    @precondition(lambda self: "lost" not in self.marks)
    @rule()
    def lose_its_actor(self) -> None:
        self.marks.add("lost")
        if self.has_actor:
            self.host.runtime.lose_session(self.id)

    @rule()
    def put_it_to_sleep(self) -> None:
        def sleep(services: Any) -> None:
            actor = services.registry.actors.get(self.id)
            if actor is not None:
                actor.hibernate()

        self.host.runtime._on_loop(sleep)
        if self.model.phase == "paused":
            assert again(self.session.snapshot)["residency"] == "hibernated"

    @rule()
    def wake_it(self) -> None:
        if self.model.ended is not None:
            with pytest.raises(TransitionError):
                again(self.session.wake)
        else:
            again(self.session.wake)

    @precondition(lambda self: self.host.is_durable and "restarted" not in self.marks)
    @rule()
    def restart_its_host(self) -> None:
        self.marks.add("restarted")
        self.host.restart()
        self.session = self.host.runtime.session(self.id)
        self.shown = set()

    @rule()
    def take_another_handle(self) -> None:
        self.session = self.host.runtime.session(self.id)
        self.shown = set()

    # What is shown

    @precondition(lambda self: not self.spins)
    @rule()
    def wait(self) -> None:
        event = again(lambda: self.session.wait(PATIENCE_S))
        self.is_same(event, self.model.event())
        self.see(event)

    @precondition(lambda self: self.spins)
    @rule()
    def wait_in_vain(self) -> None:
        with pytest.raises(FeedTimeout, match="nothing came within"):
            again(lambda: self.session.wait(0.005))

    @invariant()
    def shows_what_the_model_shows(self) -> None:
        if not self.spins:  # the script may still be on its way there
            again(lambda: self.host.runtime.session(self.id).wait(PATIENCE_S))
        assert again(lambda: self.session.phase) == self.model.phase
        assert again(self.session.transcript) == self.model.transcript()
        shot = again(lambda: self.session.snapshot("full", include_history=True))
        for name in ("residency", "restarts", "confinement"):
            del shot[name]
        if self.spins or self.lost_notes:
            expected = self.model.snapshot()
            for part in (shot, expected):
                for name in ("recent_logs", "progress"):
                    part["metrics"].pop(name, None)
            self.without_times(shot)
            assert shot == expected
            return
        logs = [log for log in shot["metrics"]["recent_logs"] if log["source"] != "engine"]
        shot["metrics"]["recent_logs"] = logs
        self.without_times(shot)
        expected = self.model.snapshot()
        assert len(logs) >= min(len(self.model.logs), 15)
        expected["metrics"]["recent_logs"] = self.model.logs[len(self.model.logs) - len(logs) :]
        assert shot == expected

    def without_times(self, shot: dict[str, Any]) -> None:
        metrics = shot["metrics"]
        assert shot["started_at"] <= shot["last_activity_at"]
        if self.last_feed_ms is not None:
            assert shot["last_activity_at"] == self.last_feed_ms
        self.last_feed_ms = shot["last_activity_at"]
        assert metrics["elapsed_ms"] >= 0
        metrics["elapsed_ms"] = shot["started_at"] = shot["last_activity_at"] = 0
        if metrics["tokens"]["current_query"]:
            assert metrics["tokens"]["current_query"]["started_waiting_at"] > 0
            metrics["tokens"]["current_query"]["started_waiting_at"] = 0
        for entry in metrics["conversation_history"]:
            assert entry["started_at"] > 0
            entry["started_at"] = 0
            assert (entry["completed_at"] is None) == (entry["response"] is None)
            entry["completed_at"] = None if entry["response"] is None else 0
        for log in metrics.get("recent_logs", ()):
            log["ts"] = 0

    @invariant()
    def is_idle_since_now(self) -> None:
        assert again(lambda: self.session.is_expired(0))
        assert not again(lambda: self.session.is_expired(3600))

    def teardown(self) -> None:
        if hasattr(self, "session") and self.model.ended is None:
            again(lambda: self.session.cancel("over"))


def run(host: Host, examples: int) -> None:
    is_long = bool(os.environ.get("MOONWARD_TEST_LONG"))
    machine = type("Machine", (RealSessionMachine,), {"host": host})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples * 50 if is_long else examples,
            stateful_step_count=25,
            deadline=None,
            derandomize=not is_long,
            database=None,
            phases=[
                Phase.generate
            ],  # shrinking takes minutes with real processes, and steps that are timed do not repeat
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(3600 if os.environ.get("MOONWARD_TEST_LONG") else 120)
@pytest.mark.parametrize("journal", ["memory:", "sqlite:///{}/j.db"], ids=["memory", "sqlite"])
def test_real_sessions_are_what_the_model_says(journal: str, tmp_path: Path) -> None:
    host = Host(journal.format(tmp_path))
    try:
        run(host, 40)
    finally:
        host.runtime.close()
