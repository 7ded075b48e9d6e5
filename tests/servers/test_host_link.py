"""What is asked of a host, and how often."""

from __future__ import annotations

import mcp_types as types
from hypothesis import given
from hypothesis import strategies as st

from moonward.actors.query import LlmQuery
from moonward.servers.host_link import (
    MAX_ROUNDS,
    asked_again,
    may_ask,
    request_key,
    sampling_request,
    text_of,
)


@given(st.integers(0, 1000))
def test_no_call_has_more_rounds_than_clients_take_wherever_it_begins(first: int) -> None:
    rounds = 0
    while may_ask(first + rounds):
        rounds += 1
        assert rounds <= MAX_ROUNDS


def test_a_call_that_begins_a_session_has_all_the_rounds() -> None:
    assert [may_ask(pause_no) for pause_no in range(12)] == [True] * 10 + [False, True]


def test_the_state_names_the_session_and_the_pause_and_nothing_else() -> None:
    result = asked_again("s-1", 3, (LlmQuery("q-4", "secret prompt"), LlmQuery("q-5", "b")))
    assert result.request_state == '{"session_id":"s-1","pause":3}'
    assert result.input_requests is not None
    assert list(result.input_requests) == ["s-1/q-4", "s-1/q-5"]


@given(st.text(), st.text(), st.integers(0), st.integers(0))
def test_keys_of_requests_never_meet(one: str, other: str, number: int, second: int) -> None:
    first, last = LlmQuery(f"q-{number}", ""), LlmQuery(f"q-{second}", "")
    same = (one, number) == (other, second)
    assert (request_key(f"s-{one}", first) == request_key(f"s-{other}", last)) == same


def test_a_request_carries_all_that_the_script_said() -> None:
    query = LlmQuery("q-1", "why?", "be brief", 50, True, True, {"temperature": 0.5, "seed": 1})
    params = sampling_request(query).params
    assert params.system_prompt == "be brief"
    assert (params.max_tokens, params.temperature) == (50, 0.5)
    message = params.messages[0]
    assert (message.role, message.content) == ("user", types.TextContent(type="text", text="why?"))
    assert params.metadata == {
        "query_id": "q-1",
        "grounded": True,
        "underspecified": True,
        "extra": {"temperature": 0.5, "seed": 1},
    }


def test_a_temperature_that_is_no_number_is_left_out() -> None:
    for odd in ("warm", True):
        assert sampling_request(LlmQuery("q-1", "?", extra={"temperature": odd})).params.temperature is None


def test_an_answer_is_the_text_of_its_blocks() -> None:
    one = types.TextContent(type="text", text="a")
    picture = types.ImageContent(type="image", data="", mime_type="image/png")
    several = types.CreateMessageResultWithTools(role="assistant", model="m", content=[one, picture, one])
    assert text_of(several) == "aa"
    assert text_of(types.CreateMessageResult(role="assistant", model="m", content=one)) == "a"
    assert text_of(types.CreateMessageResult(role="assistant", model="m", content=picture)) is None
    assert text_of(types.ElicitResult(action="decline")) is None
    assert text_of(None) is None
