"""Hosts whose model answers by itself: sampling in the older era, input requests in the newer one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from .inside import ECHO, ERAS, answering, call, client, run, server, until

LEGACY, MODERN = ERAS

MANY = "local t = {} for i = 1, ctx.n do t[i] = alc.llm('question ' .. i) end return t"

BATCH = "return alc.llm_batch({{prompt='a'}, {prompt='b'}, {prompt='c'}})"


@pytest.mark.parametrize("era", ERAS)
def test_questions_are_answered_without_being_seen(era: str, tmp_path: Path) -> None:
    code = "local a = alc.llm('one') local b = alc.llm_batch({{prompt='x'}, {prompt='y'}}) return {a, b}"

    async def test() -> None:
        async with client(tmp_path, era, sampler=answering({"x": "X"})) as host:
            done = await call(host, "alc_run", code=code)
            assert done["result"] == ["re: one", ["X", "re: y"]]

    run(test)


@pytest.mark.parametrize("era", ERAS)
def test_a_strategy_is_answered_as_well(era: str, tmp_path: Path) -> None:
    package = tmp_path / "packages" / "asker"
    package.mkdir(parents=True)
    (package / "init.lua").write_text("return {run = function(ctx) return alc.llm(ctx.task) end}")

    async def test() -> None:
        async with client(
            tmp_path, era, sampler=answering({}), package_paths=[tmp_path / "packages"]
        ) as host:
            assert (await call(host, "alc_advice", strategy="asker", task="why?"))["result"] == "re: why?"

    run(test)


def test_sampling_goes_on_for_as_long_as_the_script_asks(tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, LEGACY, sampler=answering({})) as host:
            done = await call(host, "alc_run", code=MANY, ctx={"n": 30})
            assert done["result"] == [f"re: question {i}" for i in range(1, 31)]

    run(test)


def test_input_requests_stop_where_clients_give_up_and_go_on_with_the_next_call(tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, MODERN, sampler=answering({})) as host:
            asked = await call(host, "alc_run", code=MANY, ctx={"n": 23})
            assert (asked["status"], asked["query_id"]) == ("needs_response", "q-10")
            where = {"session_id": asked["session_id"]}
            asked = await call(host, "alc_continue", **where, response="by hand")
            assert (asked["status"], asked["query_id"]) == ("needs_response", "q-21")
            done = await call(host, "alc_continue", **where, response="by hand")
            wanted = [f"re: question {i}" for i in range(1, 24)]
            wanted[10] = wanted[21] = "by hand"
            assert done["result"] == wanted

    run(test)


@pytest.mark.parametrize("era", ERAS)
def test_a_host_that_cannot_answer_is_told_the_question(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            assert (await call(host, "alc_run", code=ECHO))["status"] == "needs_response"

    run(test)


def refusing(*prompts: str) -> Any:
    """A model that answers with a picture, or not at all, where the prompt is one of these."""
    willing = answering({})

    async def sample(context: Any, params: types.CreateMessageRequestParams) -> Any:
        text = params.messages[0].content.text  # type: ignore[union-attr]
        if text not in prompts:
            return await willing(context, params)
        if text == "b":
            return types.ErrorData(code=-1, message="User rejected sampling request")
        picture = types.ImageContent(type="image", data="", mime_type="image/png")
        return types.CreateMessageResult(role="assistant", model="m", content=picture)

    return sample


def test_what_the_host_declines_to_sample_comes_back_as_a_question(tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, LEGACY, sampler=refusing("b", "c")) as host:
            asked = await call(host, "alc_run", code=BATCH)
            assert [query["id"] for query in asked["queries"]] == ["q-1", "q-2"]
            responses = [{"query_id": f"q-{i}", "response": f"{i}"} for i in (1, 2)]
            done = await call(host, "alc_continue", session_id=asked["session_id"], responses=responses)
            assert done["result"] == ["re: a", "1", "2"]

    run(test)


def test_what_the_host_leaves_unanswered_comes_back_as_a_question(tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, MODERN, sampler=refusing("c")) as host:
            asked = await call(host, "alc_run", code=BATCH)
            assert (asked["status"], asked["query_id"]) == ("needs_response", "q-2")
            done = await call(host, "alc_continue", session_id=asked["session_id"], response="by hand")
            assert done["result"] == ["re: a", "re: b", "by hand"]

    run(test)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("answer", ["\ud800", "x" * 5000])
def test_an_answer_that_cannot_be_taken_comes_back_as_a_question(
    era: str, tmp_path: Path, answer: str
) -> None:
    async def test() -> None:
        limits = {"max_frame_bytes": 4096, "max_result_bytes": 1024, "max_query_bytes": 1024}
        async with client(tmp_path, era, sampler=answering({"b": answer}), limits=limits) as host:
            asked = await call(host, "alc_run", code=BATCH)
            assert (asked["status"], asked["query_id"]) == ("needs_response", "q-1")
            done = await call(host, "alc_continue", session_id=asked["session_id"], response="by hand")
            assert done["result"] == ["re: a", "by hand", "re: c"]

    run(test)


def test_a_session_that_is_ended_meanwhile_ends_the_call_that_samples(tmp_path: Path) -> None:
    never = asyncio.Event()

    async def silent(_: Any, params: types.CreateMessageRequestParams) -> Any:
        await never.wait()

    async def test() -> None:
        async with client(tmp_path, LEGACY, sampler=silent) as host:
            waiting = asyncio.create_task(call(host, "alc_run", code=ECHO))

            async def paused() -> Any:
                return (await call(host, "alc_status"))["sessions"]

            (one,) = await until(paused)
            await call(host, "alc_cancel", session_id=one["session_id"], reason="enough")
            assert (await waiting)["reason"] == "enough"

    run(test)


# -- the newer era by hand: what a client that loses replies would do


async def begin(host: Client, **arguments: Any) -> types.InputRequiredResult:
    result = await host.session.call_tool("alc_run", arguments, allow_input_required=True)
    assert isinstance(result, types.InputRequiredResult)
    return result


def given(required: types.InputRequiredResult, *texts: str) -> dict[str, types.InputResponse]:
    keys = list(required.input_requests or ())[: len(texts)]
    return {
        key: types.CreateMessageResult(
            role="assistant", model="m", content=types.TextContent(type="text", text=text)
        )
        for key, text in zip(keys, texts, strict=True)
    }


async def again(
    host: Client, arguments: dict[str, Any], required: types.InputRequiredResult, *texts: str
) -> types.CallToolResult | types.InputRequiredResult:
    return await host.session.call_tool(
        "alc_run",
        arguments,
        input_responses=given(required, *texts),
        request_state=required.request_state,
        allow_input_required=True,
    )


TWO = {"code": "return {alc.llm('a'), alc.llm('b')}"}


def test_answers_that_come_twice_count_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, MODERN, sampler=answering({})) as host:
            first = await begin(host, **TWO)
            second = await again(host, TWO, first, "A")
            assert isinstance(second, types.InputRequiredResult)
            repeated = await again(host, TWO, first, "other")
            assert isinstance(repeated, types.InputRequiredResult)
            assert repeated.input_requests == second.input_requests
            done = await again(host, TWO, second, "B")
            assert isinstance(done, types.CallToolResult)
            assert done.structured_content["result"] == ["A", "B"]
            late = await again(host, TWO, first, "A")
            assert isinstance(late, types.CallToolResult)
            assert late.structured_content == done.structured_content

    run(test)


def test_keys_of_requests_are_never_used_twice(tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, MODERN, sampler=answering({})) as host:
            keys: list[str] = []
            for _ in range(2):
                required: Any = await begin(host, code=MANY, ctx={"n": 3})
                while isinstance(required, types.InputRequiredResult):
                    keys += required.input_requests or ()
                    required = await again(host, {"code": MANY, "ctx": {"n": 3}}, required, "x")
            assert len(keys) == len(set(keys)) == 6

    run(test)


def test_a_call_that_comes_back_without_answers_gets_the_question(tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, MODERN, sampler=answering({})) as host:
            first = await begin(host, **TWO)
            result = await again(host, TWO, first)
            assert isinstance(result, types.CallToolResult)
            assert result.structured_content["prompt"] == "a"

    run(test)


def test_a_forged_state_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, MODERN, sampler=answering({})) as host:
            first = await begin(host, **TWO)
            assert first.request_state is not None
            (key,) = first.input_requests or ()
            assert key.partition("/")[0] not in first.request_state
            for state in ('{"session_id":"s-1","pause":0}', first.request_state[:-4] + "AAAA", ""):
                forged = first.model_copy(update={"request_state": state})
                with pytest.raises(MCPError, match="Invalid or expired requestState"):
                    await again(host, TWO, forged, "A")
            with pytest.raises(MCPError, match="Invalid or expired requestState"):
                await again(host, {"code": "return 'other'"}, first, "A")

    run(test)


def test_the_state_outlives_the_server(tmp_path: Path) -> None:
    journal = f"sqlite:///{tmp_path / 'journal.db'}"

    async def test() -> None:
        async with client(tmp_path, MODERN, sampler=answering({}), journal=journal) as host:
            first = await begin(host, **TWO)
        async with client(tmp_path, MODERN, sampler=answering({}), journal=journal) as host:
            second = await again(host, TWO, first, "A")
            assert isinstance(second, types.InputRequiredResult)
            done = await again(host, TWO, second, "B")
            assert isinstance(done, types.CallToolResult)
            assert done.structured_content["result"] == ["A", "B"]

    run(test)


def test_two_hosts_of_one_server_each_answer_in_their_own_era(tmp_path: Path) -> None:
    async def test() -> None:
        async with server(tmp_path) as served:
            async with Client(served.server, mode=LEGACY, sampling_callback=answering({"a": "old"})) as old:
                async with Client(
                    served.server, mode=MODERN, sampling_callback=answering({"a": "new"})
                ) as new:
                    assert (await call(old, "alc_run", code="return alc.llm('a')"))["result"] == "old"
                    assert (await call(new, "alc_run", code="return alc.llm('a')"))["result"] == "new"

    run(test)
