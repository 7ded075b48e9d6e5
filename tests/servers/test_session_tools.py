"""Running, answering, looking and ending through the tools, in both eras of the protocol."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from .inside import ECHO, ERAS, call, client, refusal, run, until

BATCH = "return alc.llm_batch({{prompt='a', max_tokens=5}, {prompt='b', system='be kind'}})"
BUSY = "while true do end"
UNKNOWN = "00000000-0000-0000-0000-000000000000"

pytestmark = pytest.mark.parametrize("era", ERAS)


def test_a_script_without_questions_ends_in_one_call(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            done = await call(host, "alc_run", code="return {sum = 1 + 2, ctx = ctx}", ctx={"a": [1, None]})
            assert done["status"] == "completed"
            assert done["result"] == {"sum": 3, "ctx": {"a": [1, None]}}
            assert set(done["stats"]) == {"auto", "custom"}

    run(test)


def test_one_question_is_told_flat_and_answered_without_its_id(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            asked = await call(host, "alc_run", code=ECHO)
            session_id = asked.pop("session_id")
            assert asked == {
                "status": "needs_response",
                "query_id": "q-0",
                "prompt": "What is 2+2?",
                "system": None,
                "max_tokens": 1024,
            }
            done = await call(host, "alc_continue", session_id=session_id, response="4")
            assert (done["status"], done["result"]) == ("completed", "4")

    run(test)


def test_several_questions_are_answered_together(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            asked = await call(host, "alc_run", code=BATCH)
            assert asked["queries"] == [
                {"id": "q-0", "prompt": "a", "system": None, "max_tokens": 5},
                {"id": "q-1", "prompt": "b", "system": "be kind", "max_tokens": 1024},
            ]
            responses = [{"query_id": "q-1", "response": "B"}, {"query_id": "q-0", "response": "A"}]
            done = await call(host, "alc_continue", session_id=asked["session_id"], responses=responses)
            assert done["result"] == ["A", "B"]

    run(test)


def test_several_questions_are_answered_one_by_one(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            asked = await call(host, "alc_run", code=BATCH)
            where = {"session_id": asked["session_id"]}
            text = await refusal(host, "alc_continue", **where, response="?")
            assert "2 queries are pending; say which one with query_id" in text
            half = await call(host, "alc_continue", **where, query_id="q-1", response="B")
            assert half == {"status": "accepted", "remaining": 1}
            text = await refusal(host, "alc_continue", **where, query_id="q-1", response="B")
            assert "'q-1' has been answered already" in text
            done = await call(host, "alc_continue", **where, query_id="q-0", response="A")
            assert done["result"] == ["A", "B"]

    run(test)


def test_a_failed_session_is_a_result_like_any_other(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            for code, kind, why in (
                ("error('on purpose')", "lua", "on purpose"),
                ("this is no Lua", "syntax", "syntax error"),
            ):
                failed = await call(host, "alc_run", code=code)
                assert (failed["status"], failed["error_kind"]) == ("error", kind)
                assert why in failed["error"]

    run(test)


def test_an_unknown_session_is_not_found_by_any_tool(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            for session_id in (UNKNOWN, "", "../../etc/passwd", "s-\0"):
                where = {"session_id": session_id}
                for tool in ("alc_status", "alc_cancel", "alc_result", "alc_log_view"):
                    assert "not found" in await refusal(host, tool, **where)
                assert "not found" in await refusal(host, "alc_continue", **where, response="x")
                assert "not found" in await refusal(host, "alc_note", **where, content="x")

    run(test)


@pytest.mark.parametrize(
    ("tool", "arguments", "why"),
    [
        ("alc_run", {}, "one of code and code_file must be given, and neither is"),
        ("alc_run", {"code": None, "code_file": None}, "and neither is"),
        ("alc_run", {"code": "return 1", "code_file": "x.lua"}, "and both are"),
        ("alc_run", {"code": 5}, "code must be a string, got number"),
        ("alc_run", {"code": "return 1", "ctx": [1]}, "ctx must be an object, got array"),
        ("alc_run", {"code_file": "/no/such/file.lua"}, "code_file: '/no/such/file.lua' not found"),
        ("alc_run", {"code": "return 1", "project_root": "/no/such"}, "'/no/such' is not a directory"),
        ("alc_advice", {}, "strategy is missing: a string is needed"),
        ("alc_advice", {"strategy": "nowhere"}, "module 'nowhere' not found"),
        ("alc_advice", {"strategy": "../../x"}, "is not allowed"),
        ("alc_advice", {"strategy": "x", "opts": 5}, "opts must be an object, got number"),
        ("alc_continue", {"response": "x"}, "session_id is missing"),
        ("alc_continue", {"session_id": 5, "response": "x"}, "session_id must be a string"),
        ("alc_status", {"pending_filter": "bogus"}, "unknown pending_filter preset 'bogus'"),
        ("alc_status", {"pending_filter": True}, "pending_filter must be a preset name"),
        ("alc_status", {"pending_filter": True}, "got bool"),
        ("alc_status", {"pending_filter": 5}, "got number"),
        ("alc_status", {"pending_filter": [1]}, "got array"),
        ("alc_status", {"pending_filter": None}, "got null"),
        ("alc_status", {"pending_filter": {"color": True}}, "unknown pending_filter field 'color'"),
        ("alc_status", {"include_history": "maybe"}, "include_history must be true or false"),
        ("alc_log_view", {"limit": "all"}, "limit must be a whole number"),
        ("alc_stats", {"days": -1}, "days must be a whole number from 0"),
        ("alc_pkg_install", {}, "url is missing"),
        ("alc_pkg_install", {"url": "/no/such", "force": "notbool"}, "force must be true or false"),
        ("alc_pkg_install", {"url": "/no/such"}, "neither a directory nor a Git URL"),
        ("alc_pkg_remove", {"name": 123}, "name must be a string"),
        ("alc_pkg_remove", {"name": "../x"}, "is not allowed"),
        ("alc_pkg_remove", {"name": "x"}, "is not installed"),
        ("alc_teleport", {}, "unknown tool 'alc_teleport'; there are: alc_run"),
    ],
)
def test_a_wrong_argument_is_refused_with_a_text_that_says_what_is_wrong(
    era: str, tmp_path: Path, tool: str, arguments: dict[str, Any], why: str
) -> None:
    async def test() -> None:
        async with client(tmp_path, era, warm_workers=0) as host:
            assert why in await refusal(host, tool, **arguments)
            assert (await call(host, "alc_status"))["active_sessions"] == 0

    run(test)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "one of response and responses must be given, and neither is"),
        ({"response": None, "responses": []}, "and neither is"),
        ({"response": "a", "responses": [{"query_id": "q-0", "response": "b"}]}, "and both are"),
        ({"responses": [{"response": "b"}]}, "responses[0]: query_id and response must both be given"),
        ({"responses": [{"query_id": "q-0"}]}, "responses[0]: query_id and response must both be given"),
        ({"responses": [5]}, "responses[0] must be an object"),
        ({"response": "a", "usage": {"prompt_tokens": -1}}, "usage.prompt_tokens must be a whole number"),
        ({"response": "a", "usage": {"prompt_tokens": 2**60}}, "usage.prompt_tokens must be a non-negative"),
        ({"response": "a", "usage": "cheap"}, "usage must be an object"),
        ({"response": "a", "query_id": "q-9"}, "query 'q-9' was never asked"),
        ({"response": "a", "idempotency_key": 5}, "idempotency_key must be a string"),
        (
            {"responses": [{"query_id": "q-0", "response": "a"}, {"query_id": "q-9", "response": "b"}]},
            "query 'q-9' was never asked",
        ),
    ],
)
def test_a_refused_answer_changes_nothing(
    era: str, tmp_path: Path, arguments: dict[str, Any], why: str
) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            where = {"session_id": (await call(host, "alc_run", code=ECHO))["session_id"]}
            before = await call(host, "alc_status", **where, pending_filter="full", include_history=True)
            text = await refusal(host, "alc_continue", **where, **arguments)
            assert why in text
            assert "usage.usage" not in text
            after = await call(host, "alc_status", **where, pending_filter="full", include_history=True)
            for shot in (before, after):
                del shot["metrics"]["elapsed_ms"]
            assert after == before
            done = await call(host, "alc_continue", **where, response="4")
            assert done["result"] == "4"

    run(test)


def test_arguments_may_be_written_as_clients_write_them(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            done = await call(
                host,
                "alc_run",
                code="return type(ctx) .. '/' .. ctx.task",
                ctx='{"task":"probe"}',
                code_file=None,
                project_root=None,
                host_mode=True,
            )
            assert done["result"] == "table/probe"
            asked = await call(host, "alc_run", code=BATCH, ctx=None)
            done = await call(
                host,
                "alc_continue",
                session_id=asked["session_id"],
                response=None,
                query_id=None,
                usage=None,
                responses='[{"id": "q-0", "response": {"score": 5}}, {"query_id": "q-1", "response": 4}]',
            )
            assert done["result"] == ['{"score": 5}', "4"]
            asked = await call(host, "alc_run", code=ECHO)
            usage = {"prompt_tokens": "12", "completion_tokens": 3.0, "cost": 1}
            done = await call(
                host, "alc_continue", session_id=asked["session_id"], response="4", usage=usage, responses=[]
            )
            assert done["stats"]["auto"]["total_tokens"] == {"tokens": 15, "source": "provided"}

    run(test)


def test_a_pending_filter_shows_what_is_asked(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era, prompt_preview_chars=4) as host:
            where = {"session_id": (await call(host, "alc_run", code=ECHO))["session_id"]}

            async def shown(filter_: Any) -> Any:
                return (await call(host, "alc_status", **where, pending_filter=filter_))["pending"]

            assert await shown("meta") == [{"query_id": "q-0", "max_tokens": 1024}]
            assert await shown("preview") == [
                {"query_id": "q-0", "max_tokens": 1024, "prompt_preview": "What"}
            ]
            full = {"query_id": "q-0", "max_tokens": 1024, "prompt": "What is 2+2?", "system": None}
            assert await shown("full") == [full]
            wanted = {"query_id": True, "prompt": {"mode": "preview", "chars": 6}}
            for written in (wanted, '{"query_id": true, "prompt": {"mode": "preview", "chars": 6}}'):
                assert await shown(written) == [{"query_id": "q-0", "prompt_preview": "What i"}]
            assert "pending" not in await call(host, "alc_status", **where)

    run(test)


def test_only_sessions_that_run_or_wait_are_active(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            empty = await host.call_tool("alc_status", {})
            assert empty.content[0].model_dump()["text"] == '{"active_sessions":0,"sessions":[]}'
            await call(host, "alc_run", code="return 1")
            assert await call(host, "alc_status") == {"active_sessions": 0, "sessions": []}
            session_id = (await call(host, "alc_run", code=ECHO))["session_id"]
            shown = await call(host, "alc_status", pending_filter="meta", include_history="true")
            assert shown["active_sessions"] == 1
            (one,) = shown["sessions"]
            assert (one["session_id"], one["phase"], one["pending_queries"]) == (session_id, "paused", 1)
            assert one["metrics"]["conversation_history"][0]["prompt"] == "What is 2+2?"
            assert "strategy" not in one
            await call(host, "alc_cancel", session_id=session_id)
            assert (await call(host, "alc_status"))["active_sessions"] == 0
            ended = await call(host, "alc_status", session_id=session_id)
            assert (ended["phase"], ended["state"]) == ("cancelled", "terminal")

    run(test)


def test_a_strategy_gets_its_task_and_options_and_is_named(era: str, tmp_path: Path) -> None:
    package = tmp_path / "packages" / "asker"
    package.mkdir(parents=True)
    (package / "init.lua").write_text(
        "return {run = function(ctx) return {alc.llm(ctx.task), ctx.depth} end}"
    )

    async def test() -> None:
        async with client(tmp_path, era, package_paths=[tmp_path / "packages"]) as host:
            asked = await call(host, "alc_advice", strategy="asker", task="why?", opts={"depth": 3})
            assert asked["prompt"] == "why?"
            status = await call(host, "alc_status", session_id=asked["session_id"])
            assert status["strategy"] == "asker"
            done = await call(host, "alc_continue", session_id=asked["session_id"], response="because")
            assert done["result"] == ["because", 3]

    run(test)


def test_a_projects_packages_are_found_first(era: str, tmp_path: Path) -> None:
    for root in ("mine", "theirs"):
        package = tmp_path / root / "packages" / "which"
        package.mkdir(parents=True)
        (package / "init.lua").write_text(f"return {{run = function() return '{root}' end}}")

    async def test() -> None:
        async with client(tmp_path, era, package_paths=[tmp_path / "theirs" / "packages"]) as host:
            project = str(tmp_path / "mine")
            assert (await call(host, "alc_advice", strategy="which"))["result"] == "theirs"
            done = await call(host, "alc_advice", strategy="which", project_root=project)
            assert done["result"] == "mine"
            code = "return require('which').run()"
            assert (await call(host, "alc_run", code=code, project_root=project))["result"] == "mine"

    run(test)


def test_code_may_be_in_a_file(era: str, tmp_path: Path) -> None:
    (tmp_path / "script.lua").write_text("\ufeff#!/usr/bin/env lua\nreturn ctx.x", encoding="utf-8")

    async def test() -> None:
        async with client(tmp_path, era) as host:
            done = await call(
                host, "alc_run", code_file=str(tmp_path / "script.lua"), code="", ctx={"x": "é"}
            )
            assert done["result"] == "é"

    run(test)


def test_a_busy_script_is_looked_at_and_ended(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            waiting = asyncio.create_task(call(host, "alc_run", code=BUSY))

            async def active() -> Any:
                return (await call(host, "alc_status"))["sessions"]

            (one,) = await until(active)
            assert (one["phase"], one["state"]) == ("running", "running")
            ended = await call(host, "alc_cancel", session_id=one["session_id"], reason="enough")
            assert (ended["status"], ended["reason"]) == ("cancelled", "enough")
            assert (await waiting)["status"] == "cancelled"
            again = await refusal(host, "alc_cancel", session_id=one["session_id"])
            assert "the session is cancelled" in again

    run(test)


def test_a_result_can_be_had_again_and_so_can_a_question(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            asked = await call(host, "alc_run", code=ECHO)
            where = {"session_id": asked["session_id"]}
            assert await call(host, "alc_result", **where) == asked
            done = await call(host, "alc_continue", **where, response="4")
            for _ in range(2):
                assert await call(host, "alc_result", **where) == done

    run(test)


def test_giving_up_a_call_gives_up_the_wait_and_not_the_session(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            asked = await call(
                host, "alc_run", code="local a = alc.llm('a') while alc.state.get('go') ~= a do end"
            )
            where = {"session_id": asked["session_id"]}
            waiting = asyncio.create_task(call(host, "alc_continue", **where, response="now"))

            async def runs() -> Any:
                return (await call(host, "alc_status", **where))["phase"] == "running"

            await until(runs)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert (await call(host, "alc_status", **where))["phase"] == "running"
            await call(host, "alc_run", code="alc.state.set('go', 'now')")
            assert (await call(host, "alc_result", **where))["status"] == "completed"

    run(test)


def test_an_answer_without_an_id_never_answers_a_question_that_was_not_seen(era: str, tmp_path: Path) -> None:
    code = (
        "local a = alc.llm('first') while alc.state.get('go') ~= 'now' do end return a .. alc.llm('second')"
    )

    async def test() -> None:
        async with client(tmp_path, era) as host:
            where = {"session_id": (await call(host, "alc_run", code=code))["session_id"]}
            lost = asyncio.create_task(call(host, "alc_continue", **where, response="one"))

            async def runs() -> Any:
                return (await call(host, "alc_status", **where))["phase"] == "running"

            async def asks() -> Any:
                return (await call(host, "alc_status", **where))["phase"] == "paused"

            await until(runs)
            lost.cancel()
            await asyncio.wait([lost])
            await call(host, "alc_run", code="alc.state.set('go', 'now')")
            await until(asks)
            text = await refusal(host, "alc_continue", **where, response="one")
            assert "alc_result shows what is pending" in text
            assert (await call(host, "alc_result", **where))["prompt"] == "second"
            assert (await call(host, "alc_continue", **where, response="two"))["result"] == "onetwo"

    run(test)


def test_an_idempotency_key_makes_it_safe_to_ask_again(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            code = "return {alc.llm('a'), alc.llm('b')}"
            where = {"session_id": (await call(host, "alc_run", code=code))["session_id"]}
            first = await call(host, "alc_continue", **where, response="A", idempotency_key="k-1")
            assert first["prompt"] == "b"
            assert await call(host, "alc_continue", **where, response="A", idempotency_key="k-1") == first
            text = await refusal(host, "alc_continue", **where, response="other", idempotency_key="k-1")
            assert "'k-1' was used before" in text
            assert (await call(host, "alc_continue", **where, response="B"))["result"] == ["A", "B"]

    run(test)


def test_more_sessions_than_are_held_are_refused(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era, max_sessions=1) as host:
            await call(host, "alc_run", code=ECHO)
            assert "1 live sessions are held" in await refusal(host, "alc_run", code=ECHO)

    run(test)
