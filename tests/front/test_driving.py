"""`drive` and `adrive`: a function answers until the session ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import moonward
from moonward import Cancelled, Completed, Finished, LlmQuery, QueryResponse, SettingsError
from moonward.testing import FaultyRuntime

BATCH = """
local t = alc.llm_batch{{prompt='0'}, {prompt='1'}, {prompt='2'}}
return {t[1], t[2], t[3], alc.llm('3')}
"""


@pytest.fixture(scope="module")
def runtime() -> Iterator[moonward.Runtime]:
    with moonward.Runtime(warm_workers=1) as shared:
        yield shared


Driver = Callable[..., Finished]


@pytest.fixture(params=["threads", "coroutines"])
def drive(request: pytest.FixtureRequest, runtime: moonward.Runtime) -> Driver:
    """`drive(code, responder, …)`, by `drive` and by `adrive`; the responder may block."""

    def with_threads(session: moonward.Session, responder: Any, **options: Any) -> Finished:
        return moonward.drive(session, responder, **options)

    def with_coroutines(session: moonward.Session, responder: Any, **options: Any) -> Finished:
        async def respond(query: LlmQuery) -> Any:
            return await asyncio.to_thread(responder, query)

        async def main() -> Finished:
            twin = moonward.AsyncSession(session._core, session.id)
            return await moonward.adrive(twin, respond, **options)

        return asyncio.run(main())

    return with_threads if request.param == "threads" else with_coroutines


@pytest.mark.parametrize("concurrency", [1, 2, 8])
def test_every_query_is_answered_until_the_session_ends(
    runtime: moonward.Runtime, drive: Driver, concurrency: int
) -> None:
    end = drive(runtime.start(BATCH), lambda query: "re " + query.prompt, concurrency=concurrency)
    assert end.state == Completed(["re 0", "re 1", "re 2", "re 3"])


def test_a_session_that_has_ended_already_is_its_end(runtime: moonward.Runtime, drive: Driver) -> None:
    session = runtime.start("return 1")
    session.wait(10)
    assert drive(session, lambda query: "never").state == Completed(1)


def test_no_more_queries_than_allowed_are_thought_about_at_once(
    runtime: moonward.Runtime, drive: Driver
) -> None:
    meeting = threading.Barrier(2, timeout=10)
    thinking = most = 0
    lock = threading.Lock()

    def responder(query: LlmQuery) -> str:
        nonlocal thinking, most
        with lock:
            thinking += 1
            most = max(most, thinking)
        meeting.wait()
        with lock:
            thinking -= 1
        return "x"

    drive(
        runtime.start("alc.llm_batch{{prompt='0'}, {prompt='1'}, {prompt='2'}, {prompt='3'}}"),
        responder,
        concurrency=2,
    )
    assert most == 2


def test_a_responder_may_report_usage_with_or_without_the_id(
    runtime: moonward.Runtime, drive: Driver
) -> None:
    usage = moonward.TokenUsage(10, 20)

    def responder(query: LlmQuery) -> QueryResponse:
        return QueryResponse(query.id if query.prompt == "a" else None, "x", usage)

    end = drive(runtime.start("alc.llm('a') alc.llm('b')"), responder)
    assert end.metrics["auto"]["total_tokens"] == {"tokens": 60, "source": "provided"}


@pytest.mark.parametrize("concurrency", [1, 3])
def test_what_a_responder_raises_is_raised_and_the_session_stays_paused(
    runtime: moonward.Runtime, drive: Driver, concurrency: int
) -> None:
    session = runtime.start(BATCH)

    def responder(query: LlmQuery) -> str:
        if query.prompt == "1":
            raise ZeroDivisionError("the model is away")
        return "x"

    with pytest.raises(ZeroDivisionError, match="the model is away"):
        drive(session, responder, concurrency=concurrency)
    assert session.phase == "paused"
    assert drive(session, lambda query: "y").state.phase == "completed"


def test_answers_that_others_were_thinking_about_are_given_when_one_raises(
    runtime: moonward.Runtime,
) -> None:
    session = runtime.start(BATCH)
    raised = threading.Event()

    def responder(query: LlmQuery) -> str:
        if query.prompt == "0":
            raised.set()
            raise ZeroDivisionError
        assert raised.wait(10)
        return "late"

    with pytest.raises(ZeroDivisionError):
        moonward.drive(session, responder, concurrency=3)
    assert [each["response"] for each in session.transcript()] == [None, "late", "late"]
    session.cancel()


@pytest.mark.parametrize("given", [None, 4, b"x", ["x"], QueryResponse("q-9", "x")])
def test_an_answer_of_a_wrong_type_or_to_another_query_is_refused(
    runtime: moonward.Runtime, drive: Driver, given: object
) -> None:
    session = runtime.start("alc.llm('?')")
    with pytest.raises(SettingsError, match="a responder"):
        drive(session, lambda query: given)
    assert session.phase == "paused"
    session.cancel()


@pytest.mark.parametrize("concurrency", [1, 3])
def test_what_somebody_else_answered_meanwhile_is_no_error(
    runtime: moonward.Runtime, drive: Driver, concurrency: int
) -> None:
    session = runtime.start(BATCH)

    def responder(query: LlmQuery) -> str:
        if query.prompt == "1":
            session.feed("theirs", query_id="q-1")
        return "ours"

    end = drive(session, responder, concurrency=concurrency)
    assert end.state == Completed(["ours", "theirs", "ours", "ours"])


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_session_that_somebody_ended_meanwhile_has_ended(
    runtime: moonward.Runtime, drive: Driver, concurrency: int
) -> None:
    session = runtime.start(BATCH)
    asked = []

    def responder(query: LlmQuery) -> str:
        asked.append(query.prompt)
        if query.prompt == "0":
            session.cancel("enough")
        return "x"

    assert drive(session, responder, concurrency=concurrency).state == Cancelled("enough")
    assert concurrency > 1 or asked == ["0"]


def test_a_session_that_is_being_restarted_is_driven_on() -> None:
    with FaultyRuntime(restart_intensity=10, warm_workers=0) as runtime:
        session = runtime.start("return {alc.llm('a'), alc.llm('b'), alc.llm('c')}")
        lost = []

        def responder(query: LlmQuery) -> str:
            if query.prompt == "b" and not lost:
                lost.append(query.id)
                runtime.lose_session(session.id)
            return "re " + query.prompt

        assert moonward.drive(session, responder).state == Completed(["re a", "re b", "re c"])
        assert lost == ["q-1"]


@pytest.mark.parametrize(
    ("arguments", "options", "what"),
    [
        ((3, str), {}, "session must be of type Session"),
        ((None, str), {}, "session must be of type Session"),
        (("session", 3), {}, "responder must be"),
        (("session", str), {"concurrency": 0}, "concurrency must be"),
        (("session", str), {"concurrency": True}, "concurrency must be"),
        (("session", str), {"concurrency": 1.5}, "concurrency must be"),
        (("twin", str), {}, "session must be of type Session, got AsyncSession"),
    ],
)
def test_wrong_arguments_are_refused(
    runtime: moonward.Runtime, arguments: tuple[Any, Any], options: dict[str, Any], what: str
) -> None:
    session = runtime.start("alc.llm('?')")
    twin = moonward.AsyncSession(session._core, session.id)
    given = {"session": session, "twin": twin}.get(arguments[0], arguments[0])
    with pytest.raises(SettingsError, match=what):
        moonward.drive(given, arguments[1], **options)
    session.cancel()


def awaiting(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_adrive_refuses_a_responder_that_cannot_be_awaited_and_a_session_of_threads(
    runtime: moonward.Runtime,
) -> None:
    session = runtime.start("alc.llm('?')")
    twin = moonward.AsyncSession(session._core, session.id)
    with pytest.raises(SettingsError, match="coroutine function"):
        awaiting(moonward.adrive(twin, lambda query: "x"))  # type: ignore[arg-type,return-value]
    with pytest.raises(SettingsError, match="session must be of type AsyncSession"):
        awaiting(moonward.adrive(session, None))  # type: ignore[arg-type]
    session.cancel()


def test_cancelling_adrive_cancels_its_responders_and_leaves_the_session_paused(
    runtime: moonward.Runtime,
) -> None:
    session = runtime.start(BATCH)
    ended = []
    thinking = threading.Event()

    async def responder(query: LlmQuery) -> str:
        try:
            thinking.set()
            await asyncio.Event().wait()
        finally:
            ended.append(query.id)
        return "never"

    async def main() -> None:
        twin = moonward.AsyncSession(session._core, session.id)
        driving = asyncio.create_task(moonward.adrive(twin, responder, concurrency=2))
        await asyncio.to_thread(thinking.wait, 10)
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving

    awaiting(main())
    assert ended
    assert session.phase == "paused"
    session.cancel()
