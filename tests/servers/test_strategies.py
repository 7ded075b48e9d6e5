"""Strategies of `examples/strategies` run to their end by an MCP host, whose server is killed at every question."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from .raw_host import RawHost

TREE = Path(os.environ.get("MOONWARD_TEST_TREE") or Path(__file__).parents[2])
STRATEGIES = TREE / "examples" / "strategies"
OPTIONS = ("--package-path", str(STRATEGIES))


def answers_of(name: str) -> list[str]:
    """The answers that lie beside a strategy."""
    lines = (STRATEGIES / name / "answers.jsonl").read_text().splitlines()
    return [json.loads(line)["response"] for line in lines]


def beside(name: str, file: str) -> Any:
    """What lies in a file beside a strategy."""
    return json.loads((STRATEGIES / name / file).read_text())


def answered(event: dict[str, Any], answers: list[str]) -> dict[str, Any]:
    """The arguments of the call that answers an event, with the next of the answers."""
    where = {"session_id": event["session_id"]}
    if "queries" in event:
        responses = [{"query_id": query["id"], "response": answers.pop(0)} for query in event["queries"]]
        return {**where, "responses": responses}
    return {**where, "response": answers.pop(0)}


@pytest.mark.parametrize("name", ["debate", "map_reduce_summary"])
def test_a_strategy_comes_to_its_result_with_its_server_killed_in_the_middle(
    tmp_path: Path, name: str
) -> None:
    home = tmp_path / "home"
    answers = answers_of(name)
    host = RawHost(home, *OPTIONS)
    with host:
        event = host.call("alc_advice", strategy=name, opts=beside(name, "ctx.json"))
        event = host.call("alc_continue", **answered(event, answers))
        assert event["status"] == "needs_response"
        host.kill()
    with RawHost(home, *OPTIONS) as host:
        (held,) = host.call("alc_status")["sessions"]
        assert (held["session_id"], held["phase"], held["strategy"]) == (event["session_id"], "paused", name)
        # killed again, with an answer on its way of which nobody knows whether it counts
        arguments = answered(event, answers)
        host.begin_call("alc_continue", **with_key(arguments))
        host.kill()
    with RawHost(home, *OPTIONS) as host:
        event = host.call("alc_continue", **with_key(arguments))
        while event["status"] == "needs_response":
            event = host.call("alc_continue", **answered(event, answers))
        assert event["status"] == "completed"
        assert event["result"]["result"] == beside(name, "result.json")
        assert answers == []
        log = host.call("alc_log_view", session_id=held["session_id"])
        assert [each["response"] for each in log["transcript"]] == answers_of(name)


def with_key(arguments: dict[str, Any]) -> dict[str, Any]:
    """The same call, made so that it can be repeated."""
    if "responses" in arguments:
        keyed = [{**each, "idempotency_key": f"k-{each['query_id']}"} for each in arguments["responses"]]
        return {**arguments, "responses": json.dumps(keyed)}
    return {**arguments, "idempotency_key": "k-1"}
