"""`moonward mcp` as hosts meet it: a process with three pipes."""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

import moonward
from moonward.testing.leftovers import descendants

from .inside import ECHO, ERAS, answering, call, run
from .raw_host import COMMAND, RawHost

BUSY = "while true do end"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawHost]:
    """A host and its server for the tests that leave both as they were."""
    with RawHost(tmp_path_factory.mktemp("shared") / "home") as greeted:
        yield greeted
        assert greeted.hang_up() == 0


@pytest.fixture
def host(shared: RawHost) -> RawHost:
    shared.notifications.clear()
    return shared


@pytest.mark.parametrize("version", ["2024-11-05", "2025-11-25"])
def test_hosts_of_every_handshake_are_served(tmp_path: Path, version: str) -> None:
    with RawHost(tmp_path / "home", version=version) as host:
        assert host.greeting["protocolVersion"] == version
        assert host.greeting["serverInfo"]["name"] == "moonward"
        assert host.greeting["serverInfo"]["version"] == moonward.__version__
        assert "alc_continue" in host.greeting["instructions"]
        assert {"tools", "resources", "prompts", "completions"} <= set(host.greeting["capabilities"])
        names = {tool["name"] for tool in host.request("tools/list")["result"]["tools"]}
        assert {"alc_run", "alc_continue", "alc_advice", "alc_status"} <= names
        done = host.request("tools/call", name="alc_run", arguments={"code": "return 1 + 2"})["result"]
        assert json.loads(done["content"][0]["text"])["result"] == 3
        assert host.hang_up() == 0


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("samples", [False, True])
def test_the_sdks_own_client_runs_a_session_to_its_end(tmp_path: Path, era: str, samples: bool) -> None:
    environ = {"ALC_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    command = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=environ, cwd=tmp_path)
    code = "local a = alc.llm('a') print('noise') return {a, alc.llm_batch({{prompt='b'}, {prompt='c'}})}"

    async def test() -> None:
        sampler = answering({}) if samples else None
        async with Client(stdio_client(command), mode=era, sampling_callback=sampler) as client:
            assert client.protocol_version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[era]
            event = await call(client, "alc_run", code=code)
            if not samples:
                where = {"session_id": event["session_id"]}
                event = await call(client, "alc_continue", **where, response="re: a")
                responses = [
                    {"query_id": q["id"], "response": f"re: {q['prompt']}"} for q in event["queries"]
                ]
                event = await call(client, "alc_continue", **where, responses=responses)
            assert event["result"] == ["re: a", ["re: b", "re: c"]]
            (listed,) = (await call(client, "alc_log_view"))["sessions"]
            assert listed["llm_calls"] == 3

    run(test)


def test_sampling_by_hand(tmp_path: Path) -> None:
    with RawHost(tmp_path / "home", capabilities={"sampling": {}}) as host:
        number = host.begin_call("alc_run", code="return alc.llm('why?', {system = 's', temperature = 0.5})")
        while not host.asked:
            host.receive()
        (asked,) = host.asked
        assert asked["method"] == "sampling/createMessage"
        params = asked["params"]
        assert params["messages"] == [{"role": "user", "content": {"type": "text", "text": "why?"}}]
        assert (params["systemPrompt"], params["maxTokens"], params["temperature"]) == ("s", 1024, 0.5)
        content = {"type": "text", "text": "because"}
        host.send(
            {
                "jsonrpc": "2.0",
                "id": asked["id"],
                "result": {"role": "assistant", "model": "m", "content": content},
            }
        )
        assert host.result(number)["result"] == "because"


def test_nothing_but_the_protocol_is_on_standard_output_whatever_a_script_prints(host: RawHost) -> None:
    noise = 'print("dbg") print(\'{"jsonrpc": "2.0", "id": 1, "result": {}}\') io.write("x\\n") alc.log("error", "y")'
    done = host.call("alc_run", code=f"for i = 1, 300 do {noise} end return 42")
    assert done["result"] == 42
    assert host.call("alc_run", code="return 99")["result"] == 99


def test_prompts_and_answers_are_not_in_the_logs(tmp_path: Path) -> None:
    with RawHost(tmp_path / "home", "--log-level", "debug") as host:
        asked = host.call(
            "alc_run", code="print('SECRET-1') return alc.llm('SECRET-2' .. ctx.x)", ctx={"x": "SECRET-3"}
        )
        host.call("alc_continue", session_id=asked["session_id"], response="SECRET-4")
        host.call("alc_note", session_id=asked["session_id"], content="SECRET-5")
        host.send('{"jsonrpc": "2.0", "id": "SECRET-6"')
        host.refusal("alc_continue", session_id=asked["session_id"], responses="SECRET-7")
        host.hang_up()
        assert "session.started" in host.errors()
        assert "SECRET" not in host.errors()


def test_lines_that_are_no_messages_do_no_harm(host: RawHost) -> None:
    for line in (
        "",
        "{",
        "null",
        "[]",
        '{"jsonrpc": "1.0"}',
        '{"jsonrpc": "2.0", "method": 5}',
        "\0",
        "é" * 10,
    ):
        host.send(line)
    host.input.write(b"\xff\xfe\n")
    host.input.flush()
    assert host.call("alc_run", code="return 1")["result"] == 1
    assert host.request("tools/call", name="alc_run", arguments=[1])["error"]["code"] == -32602
    assert host.request("no/such/method")["error"]["code"] == -32601
    assert host.call("alc_run", code="return 2")["result"] == 2


def test_a_cancelled_request_leaves_the_session(host: RawHost) -> None:
    number = host.begin_call("alc_run", code=BUSY)
    sessions: list[dict[str, Any]] = []
    while not sessions:
        sessions = host.call("alc_status")["sessions"]
    host.notify("notifications/cancelled", requestId=number, reason="changed my mind")
    where = {"session_id": sessions[0]["session_id"]}
    assert host.call("alc_status", **where)["phase"] == "running"
    assert host.call("alc_cancel", **where, reason="enough")["reason"] == "enough"
    assert host.call("alc_result", **where)["status"] == "cancelled"


def test_calls_run_side_by_side(host: RawHost) -> None:
    code = "return alc.state.incr('c', 1, 0)"
    numbers = [host.begin_call("alc_run", code=code) for _ in range(8)]
    replies: dict[int, Any] = {}
    while len(replies) < 8:
        message = host.receive()
        if message.get("id") in numbers:
            replies[message["id"]] = message["result"]["structuredContent"]["result"]
    assert sorted(replies.values()) == list(range(1, 9))


def test_a_megabyte_goes_both_ways(host: RawHost) -> None:
    text = "é\u2028\n\0" * 100_000
    asked = host.call("alc_run", code="return {ctx.x, alc.llm(ctx.x)}", ctx={"x": text})
    assert asked["prompt"] == text
    done = host.call("alc_continue", session_id=asked["session_id"], response=text)
    assert done["result"] == [text, text]


# -- the end


def gone(pids: set[int]) -> bool:
    """Whether all these processes have ended, within ten seconds."""
    watched = []
    for pid in pids:
        try:
            watched.append(os.pidfd_open(pid))
        except ProcessLookupError:
            continue
    try:
        return all(select.select([fd], [], [], 10.0)[0] for fd in watched)
    finally:
        for fd in watched:
            os.close(fd)


def is_tidy(tmp_path: Path) -> bool:
    """Whether the journal was closed in order: its log is in its file."""
    data = tmp_path / "home" / "moonward"
    return (data / "journal.db").exists() and not (data / "journal.db-wal").exists()


MOMENTS = {
    "before a greeting": lambda host: None,
    "in the middle of a line": lambda host: host.input.write(b'{"jsonrpc": "2.0", "id": 7, "meth'),
    "after the greeting": lambda host: greet(host),
    "while a script runs": lambda host: (greet(host), host.begin_call("alc_run", code=BUSY), seen(host)),
    "while a session waits": lambda host: (greet(host), host.call("alc_run", code=ECHO)),
    "while it is asked to sample": lambda host: (
        greet(host, sampling={}),
        host.begin_call("alc_run", code=ECHO),
        host.receive(),
    ),
    "right after an answer": lambda host: (
        greet(host),
        host.begin_call(
            "alc_continue", session_id=host.call("alc_run", code=ECHO)["session_id"], response="4"
        ),
    ),
}


def greet(host: RawHost, **capabilities: Any) -> None:
    host.request(
        "initialize",
        protocolVersion="2025-06-18",
        capabilities=capabilities,
        clientInfo={"name": "by hand", "version": "0"},
    )
    host.notify("notifications/initialized")


def seen(host: RawHost) -> None:
    while not host.call("alc_status")["sessions"]:
        pass


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_host_may_leave_at_any_moment_and_nothing_is_left(tmp_path: Path, moment: str) -> None:
    with RawHost(tmp_path / "home", greets=False) as host:
        MOMENTS[moment](host)
        below = descendants(host.process.pid)
        assert host.hang_up() == 0
        assert gone(below)
        assert "Traceback" not in host.errors()
        assert is_tidy(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_server_and_leaves_the_sessions(tmp_path: Path, number: int) -> None:
    with RawHost(tmp_path / "home") as host:
        asked = host.call("alc_run", code=ECHO)
        host.begin_call("alc_run", code=BUSY)
        while len(host.call("alc_status")["sessions"]) < 2:
            pass
        below = descendants(host.process.pid)
        host.process.send_signal(number)
        assert host.process.wait(10) == -number
        assert gone(below)
        assert "Traceback" not in host.errors()
        assert is_tidy(tmp_path)
    if number != signal.SIGTERM:
        return
    with RawHost(tmp_path / "home") as host:
        phases = {each["session_id"]: each["phase"] for each in host.call("alc_status")["sessions"]}
        assert phases.pop(asked["session_id"]) == "paused"
        assert list(phases.values()) == ["running"]
        done = host.call("alc_continue", session_id=asked["session_id"], response="4")
        assert done["result"] == "4"


def test_a_session_goes_on_after_the_server_was_killed(tmp_path: Path) -> None:
    with RawHost(tmp_path / "home") as host:
        asked = host.call("alc_run", code="return {alc.llm('a'), alc.llm('b')}")
        where = {"session_id": asked["session_id"]}
        second = host.call("alc_continue", **where, response="A")
        below = descendants(host.process.pid)
        host.kill()
        assert gone(below)
    with RawHost(tmp_path / "home") as host:
        assert host.call("alc_result", **where) == second
        assert host.call("alc_continue", **where, response="B")["result"] == ["A", "B"]


def test_two_servers_share_a_journal(tmp_path: Path) -> None:
    with RawHost(tmp_path / "home") as one, RawHost(tmp_path / "home") as other:
        asked = one.call("alc_run", code=ECHO)
        where = {"session_id": asked["session_id"]}
        assert other.call("alc_status") == {"active_sessions": 0, "sessions": []}
        assert other.call("alc_status", **where)["phase"] == "paused"
        text = other.refusal("alc_continue", **where, response="4")
        assert f"belongs to process {one.process.pid}" in text
        one.kill()
        assert other.call("alc_status")["active_sessions"] == 1
        assert other.call("alc_continue", **where, response="4")["result"] == "4"


def test_a_server_without_a_journal_forgets_with_its_end(tmp_path: Path) -> None:
    with RawHost(tmp_path / "home", "--journal", "memory:") as host:
        assert host.call("alc_run", code=ECHO)["status"] == "needs_response"
        assert host.hang_up() == 0
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["stderr.log"]


def test_a_journal_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with RawHost(tmp_path / "home", greets=False, environ={"ALC_HOME": str(tmp_path / "file")}) as host:
        assert host.process.wait(20) == 1
        assert "cannot be made" in host.errors()
