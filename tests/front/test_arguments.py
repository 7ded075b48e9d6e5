"""Wrong arguments at every door: a clear error that names what is wrong, nothing lost, nobody else harmed."""

from __future__ import annotations

import asyncio
import enum
import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import moonward
from moonward import Completed, MoonwardError, QueryResponse, SettingsError

EXAMPLES = 400 if os.environ.get("MOONWARD_TEST_LONG") else 40


class Text(str):
    """Text of a subclass."""


class Word(enum.StrEnum):
    YES = "yes"


class Hostile:
    """An object that hurts whoever looks at it closely."""

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ZeroDivisionError


JUNK = st.one_of(
    st.sampled_from(
        [
            None,
            True,
            0,
            -1,
            10**400,
            float("nan"),
            float("inf"),
            -0.5,
            b"bytes",
            "",
            "\0",
            "\ud800",
            "q-0",
            Text("text"),
            Word.YES,
            (),
            [],
            {},
            [None],
            ["x"],
            {"mode": "x"},
            {1: 2},
            {"a": object()},
            timedelta(seconds=-1),
            timedelta.max,
            object(),
            int,
            Hostile(),
            QueryResponse("q-0", "x"),
        ]
    ),
    st.text(st.characters(codec="utf-8"), max_size=5).map(lambda text: "s-" + text),
    st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=2)),
)


class Door(NamedTuple):
    """A call with arguments that are right, by name; `on_session`: of a `Session`, else of a `Runtime`."""

    method: str
    on_session: bool
    arguments: dict[str, Any]

    @property
    def name(self) -> str:
        """As a user would write it."""
        return f"{'Session' if self.on_session else 'Runtime'}.{self.method}"


def doors(session_id: str, folder: Path) -> list[Door]:
    response = QueryResponse("q-0", "x")
    feed = {"response": "x", "query_id": "q-0", "usage": None, "idempotency_key": None, "timeout": 5}
    look = {"pending_filter": None, "include_history": False}
    of = {"session_id": session_id}
    return [
        Door("start", False, {"code": "return 1", "ctx": None, "packages": (), "limits": None}),
        Door(
            "advise", False, {"strategy": "none", "task": None, "opts": None, "packages": (), "limits": None}
        ),
        Door("session", False, of),
        Door("feed", False, of | feed),
        Door("feed_batch", False, of | {"responses": [response], "timeout": 5}),
        Door("cancel", False, of | {"reason": ""}),
        Door("snapshots", False, look),
        Door("events", False, {"since": None}),
        Door("fork", False, of | {"at": 0}),
        Door("replay", False, of | {"code": None, "timeout": 5}),
        Door("export", False, of | {"path": folder / "x"}),
        Door("import_", False, {"path": folder / "none"}),
        Door("prune", False, {"older_than": 1e9}),
        Door("wait", True, {"timeout": 5}),
        Door("finished", True, {"timeout": 0}),
        Door("feed", True, feed),
        Door("feed_batch", True, {"responses": [response], "timeout": 5}),
        Door("cancel", True, {"reason": ""}),
        Door("snapshot", True, look),
        Door("is_expired", True, {"ttl": 5}),
        Door("wake", True, {"timeout": 5}),
        Door("events", True, {"since": None}),
    ]


PLACES = [(door.name, name) for door in doors("", Path()) for name in door.arguments]
"""Every argument of every call."""


def test_every_public_call_and_argument_is_among_those_that_are_tried() -> None:
    tried = set(PLACES)
    for owner in (moonward.Runtime, moonward.Session):
        for name, method in vars(owner).items():
            if name.startswith("_") or not inspect.isfunction(method) or name == "close":
                continue
            for argument in list(inspect.signature(method).parameters)[1:]:
                assert (f"{owner.__name__}.{name}", argument) in tried


@pytest.mark.parametrize(
    ("owner", "twin"), [(moonward.Runtime, moonward.AsyncRuntime), (moonward.Session, moonward.AsyncSession)]
)
def test_the_async_twin_has_every_name_with_the_same_arguments(owner: type, twin: type) -> None:
    for name, member in vars(owner).items():
        if name.startswith("_"):
            continue
        other = vars(twin)[name]
        if inspect.isfunction(member):
            ours, theirs = inspect.signature(member), inspect.signature(other)
            assert list(ours.parameters.values()) == list(theirs.parameters.values()), name
            assert inspect.iscoroutinefunction(other) or inspect.isasyncgenfunction(other), name


@pytest.fixture(scope="module")
def runtime() -> Iterator[moonward.Runtime]:
    with moonward.Runtime(warm_workers=2) as shared:
        yield shared


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where files may appear whose names nobody chose."""
    folder = tmp_path_factory.mktemp("doors")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


def call(runtime: moonward.Runtime, session: moonward.Session, door: Door, arguments: dict[str, Any]) -> Any:
    return getattr(session if door.on_session else runtime, door.method)(**arguments)


def call_twin(
    runtime: moonward.Runtime, session: moonward.Session, door: Door, arguments: dict[str, Any]
) -> Any:
    async def main() -> Any:
        async_runtime = moonward.AsyncRuntime()
        async_runtime._held = runtime._core
        async_session = moonward.AsyncSession(runtime._core, session.id)
        outcome = getattr(async_session if door.on_session else async_runtime, door.method)(**arguments)
        if inspect.isasyncgen(outcome):
            try:
                return await anext(outcome)
            finally:
                await outcome.aclose()
        return await outcome

    return asyncio.run(main())


@pytest.mark.parametrize("how", [call, call_twin], ids=["threads", "coroutines"])
@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_a_wrong_argument_is_refused_by_an_error_of_ours_and_nothing_is_lost(
    runtime: moonward.Runtime, folder: Path, place: tuple[str, str], how: Callable[..., Any]
) -> None:
    ends_at_once = place == ("Session.finished", "timeout")  # some would wait for ever, as they should
    code = "return 'fine'" if ends_at_once else "return alc.llm('?')"
    session = runtime.start(code)
    session.wait(10)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(JUNK)
    def attempt(junk: Any) -> None:
        nonlocal session
        door = next(each for each in doors(session.id, folder) if each.name == place[0])
        succeeded = True
        try:
            how(runtime, session, door, door.arguments | {place[1]: junk})
        except moonward.FeedTimeout as error:
            succeeded = bool(error.accepted)
        except MoonwardError:
            succeeded = False
        if not ends_at_once and session.phase != "paused":
            assert succeeded
            assert door.method in ("feed", "feed_batch", "cancel")
            session = runtime.start(code)
            session.wait(10)

    attempt()
    if not ends_at_once:
        assert session.transcript()[0]["response"] is None
        session.feed("fine", query_id="q-0", timeout=10)
    assert session.finished(10).state == Completed("fine")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: moonward.QueryResponse(3, "x"), "query_id must be a string, got int"),
        (lambda: moonward.QueryResponse("q-0", None), "response must be a string, got NoneType"),
        (lambda: moonward.QueryResponse("q-0", "\ud800"), "response holds a lone surrogate at character 0"),
        (lambda: moonward.QueryResponse("q-0", "x", {}), "usage must be a TokenUsage or None, got dict"),
        (lambda: moonward.QueryResponse("q-0", "x", None, 3), "idempotency_key must be a string, got int"),
        (lambda: moonward.TokenUsage(-1), "usage.prompt_tokens must be a non-negative integer"),
        (lambda: moonward.TokenUsage(None, True), "usage.completion_tokens must be a non-negative integer"),
        (lambda: moonward.TokenUsage(10**30), "usage.prompt_tokens must be .* up to 2.53"),
        (lambda: moonward.Budget(max_llm_calls=-1), "budget.max_llm_calls must be a non-negative integer"),
        (lambda: moonward.Budget(max_tokens="3"), "budget.max_tokens must be a non-negative integer"),
        (
            lambda: moonward.PendingFilter(query_id=1),
            "pending_filter query_id must be true or false, got number",
        ),
        (lambda: moonward.PendingFilter(prompt="full"), "pending_filter prompt must be a PromptProjection"),
        (lambda: moonward.PromptProjection("some"), "unknown pending_filter prompt mode 'some'"),
        (
            lambda: moonward.PromptProjection("preview"),
            "pending_filter prompt.chars must be a non-negative integer",
        ),
        (lambda: moonward.PendingFilter.preset("all"), "unknown pending_filter preset 'all'"),
        (lambda: moonward.PendingFilter.preset("preview", -1), "prompt.chars must be a non-negative integer"),
        (lambda: moonward.Limits(memory_bytes="1"), "limits.memory_bytes must be an integer"),
        (lambda: moonward.Settings(idle_ttl="x"), "idle_ttl must be a number of seconds"),
        (lambda: moonward.LlmQuery(3, "x"), "id must be a string, got int"),
        (lambda: moonward.LlmQuery("q-0", None), "prompt must be a string, got NoneType"),
        (lambda: moonward.LlmQuery("q-0", "x", 3), "system must be a string, got int"),
        (lambda: moonward.LlmQuery("q-0", "x", None, "7"), "max_tokens must be an integer"),
        (lambda: moonward.LlmQuery("q-0", "x", None, 7, 1), "grounded and underspecified must be"),
        (lambda: moonward.LlmQuery("q-0", "x", extra={"a": []}), "extra must be an object of strings"),
        (lambda: moonward.LlmQuery("q-0", "x", extra=[]), "extra must be an object of strings"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_by_name(make: Callable[[], Any], what: str) -> None:
    with pytest.raises(SettingsError, match=what):
        make()


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (moonward.LlmQuery("q-0", "x"), "prompt"),
        (moonward.QueryResponse("q-0", "x"), "response"),
        (moonward.TokenUsage(1), "prompt_tokens"),
        (moonward.Budget(), "max_tokens"),
        (moonward.PendingFilter(), "prompt"),
        (moonward.PromptProjection(), "mode"),
        (moonward.Limits(), "memory_bytes"),
        (moonward.Settings(), "journal"),
        (moonward.Accepted(1), "remaining"),
        (moonward.Paused(()), "queries"),
        (moonward.Finished(Completed(1), {}), "state"),
        (moonward.Completed(1), "result"),
        (moonward.Failed("x"), "error"),
        (moonward.Cancelled("x"), "reason"),
    ],
)
def test_values_are_immutable(value: object, field: str) -> None:
    with pytest.raises(AttributeError):
        setattr(value, field, None)


def nested(levels: int) -> dict[str, Any]:
    ctx: dict[str, Any] = {}
    for _ in range(levels - 1):
        ctx = {"a": ctx}
    return ctx


@pytest.mark.parametrize(
    ("ctx", "problem"),
    [
        ({"n": 10**309}, "a number out of range"),
        ({"n": [-(10**400)]}, "a number out of range"),
        (nested(513), "more than 512 levels"),
        ({"n": float("nan")}, "Out of range float"),
    ],
)
def test_a_context_that_no_script_could_read_is_refused_at_the_start(
    runtime: moonward.Runtime, ctx: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SettingsError, match=f"^ctx .*{problem}"):
        runtime.start("return 1", ctx)


def test_the_deepest_context_and_the_largest_number_can_be_read(runtime: moonward.Runtime) -> None:
    ctx = {"deep": nested(511), "large": int(sys.float_info.max), "text": "9" * 400}
    end = runtime.start("return {ctx.large, #ctx.text}", ctx).wait(10)
    assert isinstance(end, moonward.Finished)
    assert end.state == Completed([sys.float_info.max, 400])


def test_text_and_numbers_of_subclasses_are_taken_as_what_they_are(tmp_path: Path) -> None:
    class Count(enum.IntEnum):
        THREE = 3

    with moonward.Runtime(warm_workers=1, journal=f"sqlite:///{tmp_path}/j.db") as runtime:
        session = runtime.start(Text("return {alc.llm('a'), alc.llm('b'), ctx.x}"), {"x": Text("c")})
        session.wait(10)
        session.feed(Text("1"), query_id=Text("q-0"), idempotency_key=Text("k"), timeout=10)
        usage = moonward.TokenUsage(Count.THREE, Count.THREE)
        end = session.feed(QueryResponse("q-1", Word.YES, usage), timeout=10)
        assert isinstance(end, moonward.Finished)
        assert end.state == Completed(["1", "yes", "c"])
        assert [type(each["response"]) for each in session.transcript()] == [str, str]
        assert runtime.start("alc.llm('?')").cancel(Text("why")).state == moonward.Cancelled("why")


def test_fields_belong_into_the_response_or_beside_the_text_not_both(runtime: moonward.Runtime) -> None:
    session = runtime.start("return alc.llm('?')")
    session.wait(10)
    for beside in ({"query_id": "q-0"}, {"usage": {"prompt_tokens": 1}}, {"idempotency_key": "k"}):
        with pytest.raises(SettingsError, match="belong into the QueryResponse"):
            session.feed(QueryResponse("q-0", "x"), **beside)  # type: ignore[arg-type]
    session.cancel()


def test_an_answer_that_does_not_fit_into_a_frame_is_refused_and_the_session_waits_on(
    runtime: moonward.Runtime,
) -> None:
    session = runtime.start(
        "local t = alc.llm_batch{{prompt='a'}, {prompt='b'}} return #t[1] + #t[2]",
        limits={"max_frame_bytes": 1 << 20},
    )
    session.wait(10)
    with pytest.raises(SettingsError, match="the answers of a pause may have 983040 bytes together"):
        session.feed("é" * 500_000, query_id="q-0")
    session.feed("é" * 400_000, query_id="q-0")
    with pytest.raises(SettingsError, match="these would have 1000000"):
        session.feed("x" * 200_000, query_id="q-1")
    with pytest.raises(SettingsError, match="response is too long"):
        session.feed_batch([QueryResponse("q-1", "x" * 200_000)])
    assert session.feed("x" * 183_040, query_id="q-1", timeout=10) == session.finished(10)
    assert session.finished().state == Completed(983_040)


def test_a_start_that_names_a_folder_that_is_none_leaves_nothing(runtime: moonward.Runtime) -> None:
    held = len(runtime.snapshots())
    for packages in ("/", ["/nowhere"], [3], 3, [b"/"], ["\0"]):
        with pytest.raises(SettingsError, match="packages"):
            runtime.start("return 1", packages=packages)  # type: ignore[arg-type]
    assert len(runtime.snapshots()) == held


def test_what_a_caller_does_to_values_it_was_given_hurts_nobody(runtime: moonward.Runtime) -> None:
    session = runtime.start("alc.stats.record('k', {1}) return {alc.llm('?', {temperature = 0.5}), {x = 1}}")
    event = session.wait(10)
    assert isinstance(event, moonward.Paused)
    event.queries[0].extra.clear()
    next(each for each in session.events() if each.kind == "paused").data["queries"].clear()
    shot = session.snapshot("full", True)
    shot["pending"].clear()
    shot["metrics"].clear()
    session.transcript().clear()
    again = session.wait(10)
    assert isinstance(again, moonward.Paused)
    assert again.queries[0].extra == {"temperature": 0.5}
    ends: list[moonward.Finished] = []
    waiting = [threading.Thread(target=lambda: ends.append(session.finished(10))) for _ in range(2)]
    for thread in waiting:
        thread.start()
    fed = session.feed("a", query_id="q-0", timeout=10)
    for thread in waiting:
        thread.join(10)
    assert isinstance(fed, moonward.Finished)
    for end in (fed, *ends):
        assert isinstance(end.state, Completed)
        assert end.state.result == ["a", {"x": 1}]
        assert end.metrics["custom"] == {"k": [1]}
        end.state.result[1].clear()
        end.metrics["custom"]["k"].clear()
    assert session.finished(10).state == Completed(["a", {"x": 1}])
    assert session.finished(10).metrics["custom"] == {"k": [1]}


def test_a_lost_worker_is_replaced_whatever_a_caller_did_to_the_options_of_its_query() -> None:
    from moonward.testing import FaultyRuntime

    with FaultyRuntime(warm_workers=1) as runtime:
        session = runtime.start("return alc.llm('?', {temperature = 0.5})")
        event = session.wait(10)
        assert isinstance(event, moonward.Paused)
        event.queries[0].extra["model"] = "mine"
        for told in session.events():
            if told.kind == "paused":
                told.data["queries"][0].extra.clear()
                break
        runtime.kill_worker(session.id)
        assert next(each for each in session.events() if each.kind == "restarted")
        session.feed("a", query_id="q-0")
        assert session.finished(10).state == Completed("a")
