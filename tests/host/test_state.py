"""`alc.state.*`: values, namespaces, refusals."""

from __future__ import annotations

import itertools
import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moonward.actors.host import state_store
from moonward.actors.host.calls import HostCalls
from moonward.actors.host.ledger import CallOutcome

Call = Callable[..., CallOutcome]


def caller(calls: HostCalls, session: str = "s") -> Call:
    """Calls `state.<name>` with Python values, each under a number of its own."""
    numbers = itertools.count()

    def call(name: str, *args: Any) -> CallOutcome:
        return calls.perform(
            session, str(next(numbers)), "digest", f"state.{name}", json.dumps(args).encode()
        )

    return call


@pytest.fixture
def state(host: HostCalls) -> Call:
    return caller(host)


def test_a_value_comes_back_as_it_was(state: Call) -> None:
    value = '{"whole":1,"float":1.0,"list":[],"object":{},"null":null,"deep":[[{"a":"é"}]],"big":9223372036854775807}'
    assert state("set", "ns", "k", json.loads(value)) == CallOutcome()
    assert state("get", "ns", "k").result == value


def test_a_key_that_was_never_set_gives_nothing(state: Call) -> None:
    assert state("get", "ns", "k") == CallOutcome()
    assert state("has", "ns", "k").result == "false"


def test_null_is_a_value(state: Call) -> None:
    state("set", "ns", "k", None)
    assert state("get", "ns", "k").result == "null"
    assert state("has", "ns", "k").result == "true"


def test_namespaces_do_not_see_each_other(state: Call) -> None:
    state("set", "one", "k", 1)
    state("set", "two", "k", 2)
    assert state("get", "one", "k").result == "1"
    state("delete", "one", "k")
    assert state("get", "two", "k").result == "2"
    assert state("keys", "one").result == "[]"


def test_keys_come_in_the_order_of_their_bytes(state: Call) -> None:
    for key in ("b", "é", "B", "a", "", "a\0b", "a'; DROP TABLE state; --"):
        assert state("set", "ns", key, 1).error is None
    assert json.loads(state("keys", "ns").result or "") == [
        "",
        "B",
        "a",
        "a\0b",
        "a'; DROP TABLE state; --",
        "b",
        "é",
    ]
    assert state("get", "ns", "a\0b").result == "1"
    assert state("get", "ns", "a\0c").result is None


def test_delete_says_whether_there_was_a_value(state: Call) -> None:
    state("set", "ns", "k", 1)
    assert state("delete", "ns", "k").result == "true"
    assert state("delete", "ns", "k").result == "false"
    assert state("get", "ns", "k").result is None


def test_set_nx_stores_only_the_first(state: Call) -> None:
    assert state("set_nx", "ns", "k", "first").result == "true"
    assert state("set_nx", "ns", "k", "second").result == "false"
    assert state("get", "ns", "k").result == '"first"'


def test_incr_counts_from_its_default_and_keeps_the_kind_of_number(state: Call) -> None:
    assert state("incr", "ns", "n").result == "1"
    assert state("incr", "ns", "n", 5).result == "6"
    assert state("incr", "ns", "n", -7).result == "-1"
    assert state("incr", "ns", "m", 2, 40).result == "42"
    assert state("incr", "ns", "m", None, None).result == "43"
    assert state("incr", "ns", "n", 1.0).result == "0.0"
    assert state("incr", "ns", "n", 1).result == "1.0"


@pytest.mark.parametrize("stored", ["1", True, None, [1], {"n": 1}])
def test_incr_on_what_is_no_number_is_an_error_and_changes_nothing(state: Call, stored: Any) -> None:
    state("set", "ns", "k", stored)
    assert "must be a number" in (state("incr", "ns", "k").error or "")
    assert json.loads(state("get", "ns", "k").result or "") == stored


@pytest.mark.parametrize(("start", "delta"), [(2**63 - 1, 1), (-(2**63), -1), (1.7e308, 1.7e308)])
def test_a_sum_that_lua_cannot_hold_is_an_error_and_changes_nothing(
    state: Call, start: Any, delta: Any
) -> None:
    state("set", "ns", "k", start)
    assert state("incr", "ns", "k", delta).error is not None
    assert json.loads(state("get", "ns", "k").result or "") == start


@pytest.mark.parametrize(
    ("name", "args", "complaint"),
    [
        ("get", ["ns", 1], "alc.state.get: key must be a string, got number"),
        ("get", ["ns", None], "key must be a string, got nil"),
        ("set", ["ns", {}, 1], "key must be a string, got table"),
        ("delete", ["ns"], "key must be a string, got nil"),
        ("incr", ["ns", "k", "1"], "alc.state.incr: delta must be a number, got string"),
        ("incr", ["ns", "k", 1, True], "default must be a number, got boolean"),
        ("get", [None, "k"], "namespace must be a string"),
        ("get", ["", "k"], "namespace must not be empty"),
        ("get", ["n" * 257, "k"], "namespace is longer than 256 bytes"),
        ("set", ["ns", "k" * 1025, 1], "key is longer than 1024 bytes"),
        ("set", ["ns", "é" * 513, 1], "key is longer than 1024 bytes"),
        ("get", ["ns", "k", 1], "arguments are expected"),
        ("keys", [], "arguments are expected"),
        ("set", ["ns", "k", "x" * (4 << 20)], "larger than 4194304"),
    ],
)
def test_a_wrong_argument_is_an_error_that_says_which(
    state: Call, name: str, args: list[Any], complaint: str
) -> None:
    outcome = state(name, *args)
    assert complaint in (outcome.error or "")
    assert outcome.result is None
    assert state("keys", "ns").result == "[]"


@pytest.mark.parametrize(
    "args", [b"", b"{}", b"nope", b'["ns","\xff"]', b'["ns","\\ud800"]', b"[" * 200_000, b"[NaN]"]
)
def test_what_is_not_a_json_array_is_an_error(host: HostCalls, args: bytes) -> None:
    assert "alc.state.get: arguments" in (host.perform("s", "1", "d", "state.get", args).error or "")


def test_calls_that_do_not_exist_are_named(host: HostCalls) -> None:
    assert not host.is_known("state.drop")
    assert (
        host.perform("s", "1", "d", "state.drop", b"[]").error
        == "alc.state.drop: there is no such call of the host"
    )


def test_effects_are_told_from_reads(host: HostCalls) -> None:
    effects = {"set", "set_nx", "delete", "incr"}
    names = {name.removeprefix("state.") for name in state_store.OPERATIONS}
    assert {name for name in names if host.is_effect(f"state.{name}")} == effects
    assert names == effects | {"get", "has", "keys"}


def test_a_namespace_can_be_full_and_be_emptied(state: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_store, "MAX_SPACE_BYTES", 20)
    assert state("set", "ns", "k", "x" * 15).error is None  # 1 for the key, 17 with quotes
    assert "more than 20 bytes" in (state("set", "ns", "l", 100).error or "")
    assert state("set", "other", "l", 100).error is None
    assert state("set", "ns", "k", "y" * 15).error is None
    assert state("delete", "ns", "k").result == "true"
    assert state("set", "ns", "l", "x" * 16).error is None


def test_values_outlive_their_host_and_the_file_is_private(
    open_host: Callable[..., HostCalls], tmp_path: Path
) -> None:
    first = open_host()
    caller(first)("set", "ns", "k", [1])
    first.close()
    assert caller(open_host(), "t")("get", "ns", "k").result == "[1]"
    assert stat.S_IMODE((tmp_path / "state.db").stat().st_mode) == 0o600


def test_a_defect_of_the_host_tells_a_script_nothing(
    host: HostCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> None:
        raise ZeroDivisionError("/secret/path")

    monkeypatch.setattr(state_store, "checked", broken)
    outcome = host.perform("s", "1", "d", "state.get", b'["ns","k"]')
    assert outcome.error == "alc.state.get: the host failed inside this call"
    assert isinstance(outcome.cause, ZeroDivisionError)


keys = st.sampled_from(["a", "b", "c"])
numbers = st.one_of(st.integers(-100, 100), st.floats(-100, 100))
steps = st.one_of(
    st.tuples(st.just("set"), keys, st.one_of(numbers, st.text(max_size=3), st.none())),
    st.tuples(st.just("set_nx"), keys, numbers),
    st.tuples(st.just("incr"), keys, numbers, numbers),
    st.tuples(st.just("delete"), keys),
)


def model_step(model: dict[str, Any], name: str, key: str, *values: Any) -> None:
    """The same on a dict."""
    if name == "set" or (name == "set_nx" and key not in model):
        model[key] = values[0]
    elif name == "delete":
        model.pop(key, None)
    elif name == "incr" and isinstance(model.get(key, 0), int | float):
        model[key] = model.get(key, values[1]) + values[0]


@given(st.lists(steps, max_size=15))
@settings(max_examples=30, deadline=None)
def test_any_sequence_of_changes_ends_as_it_does_on_a_dict(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[tuple[Any, ...]]
) -> None:
    calls = HostCalls(tmp_path_factory.mktemp("state"))
    state, model = caller(calls), dict[str, Any]()
    for step in sequence:
        state(step[0], "ns", *step[1:])
        model_step(model, *step)
    stored = {key: json.loads(state("get", "ns", key).result or "") for key in model}
    assert stored == model
    assert json.loads(state("keys", "ns").result or "") == sorted(model)
    calls.close()


def test_keys_that_fit_no_result_are_refused_before_they_are_gathered(
    state: Call, host: HostCalls, tmp_path: Path
) -> None:
    assert state("set", "many", "k", 1).error is None
    with closing(sqlite3.connect(tmp_path / "state.db")) as db, db:
        rows = (("many", f"{number:0900}", "1") for number in range(5000))
        db.executemany("INSERT INTO state VALUES (?, ?, ?)", rows)
    assert state("keys", "many").error == "alc.state.keys: the keys are more than 4194304 bytes"


def test_the_namespace_that_the_host_names_is_the_only_one(host: HostCalls) -> None:
    for number, args in enumerate((b'["theirs","k",1]', b'["theirs","k",2]')):
        assert host.perform("s", str(number), "d", "state.set", args, "mine").error is None
    assert host.perform("s", "2", "d", "state.get", b'["theirs","k"]').result is None
    assert host.perform("s", "3", "d", "state.get", b'["any","k"]', "mine").result == "2"
    assert host.perform("s", "4", "d", "state.keys", b"[]", "mine").result == '["k"]'
    assert "must not be empty" in (host.perform("s", "5", "d", "state.get", b'["x","k"]', "").error or "")
