"""Lines that other languages' JSON libraries write and the SDK's reader does not take: whoever waits is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from moonward.servers.lenient_stream import request_id

from .raw_host import RawHost

HALF = "\\ud83d"
"""Half of an emoji, as JavaScript writes a text that was cut in the middle of one."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawHost]:
    with RawHost(tmp_path_factory.mktemp("odd") / "home") as greeted:
        yield greeted
        assert greeted.hang_up() == 0


def run_line(number: int, ctx: str) -> str:
    """A call of `alc_run` whose context is the JSON text `ctx`."""
    arguments = f'{{"code": "return ctx.a", "ctx": {ctx}}}'
    return (
        f'{{"method": "tools/call", "params": {{"name": "alc_run", "arguments": {arguments}}},'
        f' "jsonrpc": "2.0", "id": {number}}}'
    )


def test_half_an_emoji_is_a_character_that_stands_for_what_is_none(host: RawHost) -> None:
    host.send(run_line(901, f'{{"a": "cut {HALF}, \\\\ud83d, whole \\ud83d\\ude00"}}'))
    assert host.result(901)["result"] == "cut \ufffd, \\ud83d, whole \U0001f600"


def test_an_answer_that_was_cut_in_an_emoji_is_taken(host: RawHost) -> None:
    session_id = host.call("alc_run", code="return alc.llm('q')")["session_id"]
    call = {"name": "alc_continue", "arguments": {"session_id": session_id, "response": "cut \ud83d"}}
    host.send(json.dumps({"jsonrpc": "2.0", "id": 902, "method": "tools/call", "params": call}))
    assert host.result(902)["result"] == "cut \ufffd"


@pytest.mark.parametrize(
    "a", ["[" * 300 + "]" * 300, "1" * 5000, "1e999", "-Infinity", "[" * 100_000 + "]" * 100_000, '"\\x"']
)
def test_a_call_with_what_few_readers_take_is_answered(host: RawHost, a: str) -> None:
    host.send(run_line(903, f'{{"a": {a}}}'))
    reply = host.reply(903)
    assert (
        "error" in reply or reply["result"]["isError"] or '"error"' in reply["result"]["content"][0]["text"]
    )


@pytest.mark.parametrize(
    "message",
    [
        {"method": 5},
        {"method": "ping", "params": [1]},
        {"method": "tools/call", "params": "x"},
        {"jsonrpc": "1.0", "method": "ping"},
    ],
)
def test_a_request_of_the_wrong_shape_is_refused_by_its_id(host: RawHost, message: dict[str, Any]) -> None:
    host.send({"jsonrpc": "2.0", "id": 904, **message})
    assert host.reply(904)["error"]["code"] == -32600


def test_each_message_of_a_batch_is_taken_as_if_it_were_alone(host: RawHost) -> None:
    pings = [{"jsonrpc": "2.0", "id": number, "method": "ping"} for number in (905, "906")]
    host.send(json.dumps([*pings, 5, {"jsonrpc": "2.0", "id": 907, "method": 5}]))
    assert {host.receive()["id"] for _ in range(3)} == {905, "906", 907}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"id": 5, "params": {"id": 6', 5),
        ('{"params": {"id": 6, "a": ["id", 7]}, "x": "\\"id\\": 8", "id" :\t"a\\"b"', 'a"b'),
        ('{"id": 1.5}', None),
        ('{"id": -3 }', -3),
        ('{"id": null}', None),
        ('["id", 5]', None),
        ('{"a": "id", "b": 5}', None),
        ("{", None),
        ("", None),
    ],
)
def test_the_id_of_a_request_is_found_in_what_cannot_be_read(line: str, expected: int | str | None) -> None:
    assert request_id(line) == expected
