"""What is taken from a worker and what is not: each rule at its edge, and frames of any bytes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moonward.actors.limits import Limits
from moonward.actors.screening import MAX_OPTIONS, Refused, Screen
from moonward.actors.worker.wire import AskRequest, Broke, Done, Hello, Notes

LOG = ["log", "info", "alc.log", "x"]


def body(tag: str, **fields: Any) -> bytes:
    """The body of a frame."""
    return msgspec.json.encode({"t": tag, **fields})


def ask(*prompts: str, **fields: Any) -> bytes:
    return body("ask", queries=[{"prompt": each, **fields} for each in prompts])


def refusal(screen: Screen, data: bytes) -> tuple[str, str] | None:
    """Kind and text of the loss for which a frame is refused; None if it is taken."""
    try:
        screen.read(data)
    except Refused as refused:
        return refused.loss.kind, refused.loss.detail
    return None


def assert_edge(good: bytes, bad: bytes, kind: str, says: str, **limits: Any) -> None:
    """The first is taken, the second is refused so."""
    assert refusal(Screen(Limits(**limits)), good) is None
    found = refusal(Screen(Limits(**limits)), bad)
    assert found is not None
    assert (found[0], says in found[1]) == (kind, True), found


def test_questions_are_counted() -> None:
    assert_edge(ask("a", "b"), ask("a", "b", "c"), "limit", "max_queries (2)", max_queries=2)
    assert_edge(ask("a"), body("ask", queries=[]), "protocol", "length >= 1")


def test_very_many_questions_are_refused_before_they_are_decoded() -> None:
    assert_edge(ask(*["x"] * 5000), ask(*["x"] * 12_000), "limit", "max_queries (5000)", max_queries=5000)


def test_questions_are_weighed() -> None:
    good, bad = ask("x" * 60, system="y" * 40), ask("x" * 60, system="y" * 41)
    assert_edge(good, bad, "limit", "max_query_bytes (100)", max_query_bytes=100)


def test_options_are_counted_in_frames_of_any_size() -> None:
    for prompt in ("x", "x" * 100_000):
        good = ask(prompt, extra={f"o{n}": n for n in range(MAX_OPTIONS)})
        bad = ask(prompt, extra={f"o{n}": n for n in range(MAX_OPTIONS + 1)})
        assert_edge(good, bad, "protocol", "options in a question")


def test_colons_in_a_text_are_no_options() -> None:
    assert refusal(Screen(Limits()), ask("{a: 'b'}, " * 20_000, extra={"o": "::::" * 1000})) is None


def test_a_result_is_weighed() -> None:
    limits: dict[str, Any] = {"max_result_bytes": 10}
    assert_edge(
        body("done", value="x" * 8), body("done", value="x" * 9), "limit", "max_result_bytes", **limits
    )


def test_a_result_that_no_journal_can_hold_is_refused() -> None:
    for value in (b"[" * 97 + b"]" * 97, b"9223372036854775808", b"1e999", b'"\\ud800"', b'"\xff"'):
        found = refusal(Screen(Limits()), b'{"t":"done","value":%s}' % value)
        assert found is not None
        assert found[0] == "protocol"


def test_notes_are_weighed_one_frame_at_a_time_and_all_together() -> None:
    big = ["log", "info", "alc.log", "x" * 4096]
    assert_edge(body("notes", notes=[big]), body("notes", notes=[big] * 30), "protocol", "notes")
    screen = Screen(Limits(max_notes_bytes=10_000))
    taken = 0
    while refusal(screen, body("notes", notes=[big])) is None:
        taken += 1
        assert taken < 1000
    assert refusal(screen, body("notes", notes=[LOG])) == ("limit", "max_notes_bytes (10000) exceeded")
    screen.answered()
    assert refusal(screen, body("notes", notes=[big])) is None


@pytest.mark.parametrize(
    "note",
    [
        [],
        ["mystery"],
        ["log", "info", "alc.log"],
        ["log", "info", "alc.log", "x", "y"],
        ["log", "info", "alc.log", 1],
        ["log", "x" * 17, "alc.log", "x"],
        ["log", "info", "x" * 17, "x"],
        ["progress", 1, 2],
        ["progress", "1", 2, None],
        ["progress", 1, 2, 3],
        ["progress", 1 << 63, 2, None],
        ["stat", 1, 1],
        ["stat", "k"],
        ["stat", "k", 1 << 63],
        {"log": 1},
        "log",
    ],
    ids=str,
)
def test_a_note_of_another_form_is_refused(note: Any) -> None:
    found = refusal(Screen(Limits()), body("notes", notes=[LOG, note]))
    assert found is not None
    assert found[0] == "protocol"


def test_notes_without_a_note_are_refused() -> None:
    assert refusal(Screen(Limits()), body("notes", notes=[])) == ("protocol", "0 notes in 24 bytes")


def charges(screen: Screen, *bodies: bytes) -> list[str | None]:
    """What is said of each of these requests, one after the other."""
    found: list[str | None] = []
    for each in bodies:
        request = screen.read(each)
        assert not isinstance(request, Hello | Notes | Done | Broke)
        try:
            screen.charge(request)
        except Refused as refused:
            found.append(refused.loss.detail)
        else:
            found.append(None)
    return found


CALL = body("call", name="state.get", args=["n", "k"])


def test_calls_are_counted_between_two_answers() -> None:
    screen = Screen(Limits(max_calls=3))
    too_much = "max_calls (3) exceeded"
    assert charges(screen, CALL, CALL, CALL) == [None] * 3
    assert charges(screen, ask("x"), CALL) == [None, too_much], "a question must be possible"
    screen.answered()
    assert charges(screen, CALL, CALL, CALL, CALL) == [None] * 3 + [too_much]


def test_questions_that_are_refused_again_and_again_are_calls() -> None:
    screen = Screen(Limits(max_calls=3))
    assert charges(screen, *[ask("x")] * 7) == [None] * 6 + ["max_calls (3) exceeded"]


def test_a_child_of_a_fork_counts_for_a_hundred_calls() -> None:
    fork = body("fork", strategies=["a", "b"], ctx={})
    assert charges(Screen(Limits(max_calls=400)), fork, fork, CALL) == [
        None,
        None,
        "max_calls (400) exceeded",
    ]


def test_frames_are_counted_in_each_slice() -> None:
    screen = Screen(Limits(max_frames_per_slice=2))
    assert [refusal(screen, body("notes", notes=[LOG])) for _ in range(2)] == [None, None]
    assert refusal(screen, ask("x")) == ("limit", "max_frames_per_slice (2) exceeded")
    screen.slice_begins()
    assert refusal(screen, ask("x")) is None


@pytest.mark.parametrize(
    "name", ["", "a" * 40, "state get", "STATE", "state.get.it", "\x1b[2J", "état", "a.b\n"]
)
def test_a_call_has_a_name_of_a_call(name: str) -> None:
    assert_edge(
        body("call", name="any.call", args=[]), body("call", name=name, args=[]), "protocol", "a call named"
    )


def test_a_module_has_a_name_of_bounded_length() -> None:
    assert_edge(
        body("require", name="a" * 1024), body("require", name="a" * 1025), "protocol", "a module name of"
    )
    assert_edge(
        body("require", name="a" * 1024), body("require", name="a" * 100_000), "protocol", "name of 100002"
    )


@pytest.mark.parametrize("field", ["clocks", "strategies", "error", "on_error", "kind"])
def test_no_part_is_larger_than_it_can_honestly_be(field: str) -> None:
    large = {"clocks": [[1, 1]] * 800_000, "strategies": [""] * 100_000}.get(field, "x" * 200_000)
    fields: dict[str, Any] = {"strategies": ["a"], "ctx": {}, "on_error": "skip"}
    tag = "fork"
    if field in ("error", "kind"):
        fields, tag = {"error": "e", "kind": "lua"}, "failed"
    found = refusal(Screen(Limits()), body(tag, **{**fields, field: large}))
    assert found is not None
    assert found[0] == "protocol"
    assert found[1].startswith(f"{field} of ")


def test_arguments_of_little_but_brackets_are_not_decoded() -> None:
    good = body("call", name="state.set", args=["n", "k", [[]] * 1000])
    bad = body("call", name="state.set", args=["n", "k", [[]] * 250_000])
    assert_edge(good, bad, "protocol", "arguments of more than 250000")


def test_what_is_said_of_a_frame_is_safe_to_show() -> None:
    found = refusal(Screen(Limits()), b'{"t":"done","value":1,"\\u001b[31m\\n\\u202ereversed":1}')
    assert found is not None
    assert found[1].isprintable()
    assert "\\x1b[31m\\n\\u202e" in found[1]


MESSAGES = st.fixed_dictionaries(
    {"t": st.sampled_from(["hello", "notes", "ask", "fork", "call", "require", "done", "failed", "x"])},
    optional={
        "queries": st.lists(
            st.dictionaries(
                st.sampled_from(["prompt", "system", "max_tokens", "extra"]), st.text() | st.integers()
            )
        ),
        "notes": st.lists(st.lists(st.sampled_from(["log", "stat", "progress", 1, None, "x"]) | st.floats())),
        "name": st.text(),
        "args": st.lists(st.integers()),
        "value": st.none() | st.floats() | st.integers() | st.text(),
        "clocks": st.lists(st.tuples(st.integers(), st.integers())),
        "strategies": st.lists(st.text()),
        "ctx": st.none() | st.dictionaries(st.text(), st.integers()),
        "error": st.text(),
        "kind": st.text(),
    },
)


@settings(deadline=None)
@given(st.binary(max_size=200) | MESSAGES.map(msgspec.json.encode) | MESSAGES.map(msgspec.json.encode).flatmap(
    lambda good: st.tuples(st.integers(0, len(good) - 1), st.binary(max_size=3)).map(
        lambda cut: good[: cut[0]] + cut[1] + good[cut[0] + 1 :]
    )
))  # fmt: skip
def test_any_bytes_are_a_message_or_a_loss(data: bytes) -> None:
    found = refusal(Screen(Limits(max_frame_bytes=4096)), data)
    if found is not None:
        assert found[0] in ("protocol", "limit")
        assert found[1].isprintable()
        return
    message = Screen(Limits(max_frame_bytes=4096)).read(data)
    if isinstance(message, Done):
        msgspec.msgpack.encode(msgspec.json.decode(message.value))
    if isinstance(message, AskRequest | Notes):
        msgspec.msgpack.encode(message)
