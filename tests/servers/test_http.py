"""`moonward serve`: MCP over HTTP, for friends and for strangers."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from moonward.actors.errors import SettingsError
from moonward.servers.over_http import Listening
from moonward.servers.tokens import Tokens
from moonward.testing.leftovers import descendants

from .inside import ECHO, ERAS, answering, call, refusal, run, text_of, until
from .test_stdio import gone
from .web_server import ACCEPT, WAIT_S, WebServer, modern, request

BUSY = "while true do end"

TOKENS = "ann token-of-ann\nbob token-of-bob\n"

ANN = {"Authorization": "Bearer token-of-ann"}
BOB = {"Authorization": "Bearer token-of-bob"}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A server for whoever started it."""
    with WebServer(tmp_path_factory.mktemp("local") / "home") as web:
        assert web.url, web.told
        yield web


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A server for two users, that opens one directory to them."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "tokens").write_text(TOKENS)
    package = folder / "open" / "packages" / "which"
    package.mkdir(parents=True)
    (package / "init.lua").write_text("return {run = function() return 'open' end}")
    (folder / "open" / "script.lua").write_text("return 'from a file'")
    (folder / "secret.lua").write_text("return 'secret'")
    arguments = [
        "--allow-install",
        "--token-file",
        str(folder / "tokens"),
        "--allow-path",
        str(folder / "open"),
    ]
    with WebServer(folder / "home", *arguments) as web:
        assert web.url, web.told
        yield web


# -- friends


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("samples", [False, True])
def test_the_sdks_own_client_runs_a_session_to_its_end(local: WebServer, era: str, samples: bool) -> None:
    code = "alc.progress(1, 2) local a = alc.llm('a') return {a, alc.llm_batch({{prompt='b'}, {prompt='c'}})}"
    heard: list[float] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async def test() -> None:
        async with local.client(era, sampler=answering({}) if samples else None) as client:
            assert client.protocol_version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[era]
            result = await client.call_tool("alc_run", {"code": code}, progress_callback=listen)
            event = json.loads(text_of(result))
            assert heard == [1]
            if not samples:
                where = {"session_id": event["session_id"]}
                event = await call(client, "alc_continue", **where, response="re: a")
                responses = [
                    {"query_id": query["id"], "response": f"re: {query['prompt']}"}
                    for query in event["queries"]
                ]
                event = await call(client, "alc_continue", **where, responses=responses)
            assert event["result"] == ["re: a", ["re: b", "re: c"]]
            assert "not found" in await refusal(client, "alc_continue", session_id="s-x", response="x")

    run(test)


@pytest.mark.parametrize("era", ERAS)
def test_whoever_started_the_server_names_files_as_on_standard_input(
    local: WebServer, era: str, tmp_path: Path
) -> None:
    (tmp_path / "script.lua").write_text("return ctx.x")

    async def test() -> None:
        async with local.client(era) as client:
            done = await call(client, "alc_run", code_file=str(tmp_path / "script.lua"), ctx={"x": 1})
            assert done["result"] == 1

    run(test)


def test_closing_the_connection_ends_the_wait_and_not_the_session(local: WebServer) -> None:
    connection = local.connection()
    body = json.dumps(request("alc_run", code=BUSY)).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    connection.request("POST", "/mcp", body, headers | modern("alc_run"))

    async def test() -> None:
        async with local.client("auto") as client:

            async def running() -> Any:
                shown = (await call(client, "alc_status"))["sessions"]
                return [each["session_id"] for each in shown if each["phase"] == "running"]

            (session_id,) = await until(running)
            connection.close()
            assert (await call(client, "alc_status", session_id=session_id))["phase"] == "running"
            ended = await call(client, "alc_cancel", session_id=session_id, reason="enough")
            assert ended["reason"] == "enough"

    run(test)


# -- users


def test_what_one_user_began_is_not_there_for_another(shared: WebServer) -> None:
    status, asked = shared.call("alc_run", ANN, code=ECHO)
    assert status == 200
    session_id = asked["structuredContent"]["session_id"]
    where = {"session_id": session_id}
    tries: list[tuple[str, dict[str, Any]]] = [
        ("alc_continue", {**where, "response": "stolen"}),
        ("alc_status", {**where, "pending_filter": "full"}),
        ("alc_cancel", where),
        ("alc_result", where),
        ("alc_log_view", where),
        ("alc_note", {**where, "content": "x"}),
    ]
    for tool, arguments in tries:
        _, refused = shared.call(tool, BOB, **arguments)
        assert refused["isError"] is True
        assert refused["content"][0]["text"] == f"session '{session_id}' not found"
    assert shared.call("alc_status", BOB)[1]["structuredContent"]["active_sessions"] == 0
    assert shared.call("alc_status", ANN)[1]["structuredContent"]["active_sessions"] == 1
    done = shared.call("alc_continue", ANN, **where, response="4")[1]["structuredContent"]
    assert done["result"] == "4"
    for tool in ("alc_log_view", "alc_stats"):
        seen = [shared.call(tool, who)[1]["structuredContent"] for who in (ANN, BOB)]
        totals = [each.get("total", each.get("total_sessions")) for each in seen]
        assert totals == [1, 0]


@pytest.mark.parametrize("era", ERAS)
def test_resources_and_states_are_bound_to_their_user_too(shared: WebServer, era: str) -> None:
    async def test() -> None:
        async with (
            shared.client(era, token="token-of-ann") as ann,
            shared.client(era, token="token-of-bob") as bob,
        ):
            asked = await call(ann, "alc_run", code=ECHO)
            uri = f"alc://sessions/{asked['session_id']}"
            assert json.loads((await ann.read_resource(uri)).contents[0].text)["phase"] == "paused"  # type: ignore[union-attr]
            assert uri in [each.uri for each in (await ann.list_resources()).resources]
            assert uri not in [each.uri for each in (await bob.list_resources()).resources]
            for address in (uri, f"{uri}/transcript"):
                with pytest.raises(MCPError, match="not found"):
                    await bob.read_resource(address)
            assert (await call(ann, "alc_info"))["user"] == "ann"
            await call(ann, "alc_cancel", session_id=asked["session_id"])

    run(test)


def test_a_users_state_serves_no_other_user(shared: WebServer) -> None:
    capable = {"io.modelcontextprotocol/clientCapabilities": {"sampling": {}}}
    begun = request("alc_run", code=ECHO)
    begun["params"]["_meta"].update(capable)
    _, text = shared.post(begun, modern("alc_run") | ANN)
    required = json.loads(text)["result"]
    assert required["resultType"] == "input_required"
    (key,) = required["inputRequests"]
    content = {"type": "text", "text": "4"}
    begun["params"]["inputResponses"] = {key: {"role": "assistant", "model": "m", "content": content}}
    begun["params"]["requestState"] = required["requestState"]
    status, text = shared.post(begun, modern("alc_run") | BOB)
    assert status == 400
    assert "Invalid or expired requestState" in text
    _, text = shared.post(begun, modern("alc_run") | ANN)
    assert json.loads(text)["result"]["structuredContent"]["result"] == "4"


def test_a_connection_of_the_older_era_serves_no_other_user(shared: WebServer) -> None:
    opened = shared.opened(ANN)
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    assert shared.post(ping, opened | BOB)[0] == 404
    assert shared.post(ping, opened)[0] == 401
    assert shared.post(ping, opened | ANN)[0] == 200


def test_users_name_files_only_where_they_may(shared: WebServer) -> None:
    folder = Path(shared.process.args[-1]).parent  # type: ignore[index, arg-type]

    def told(tool: str, **arguments: Any) -> str:
        return str(shared.call(tool, ANN, **arguments)[1]["content"][0]["text"])

    assert "from a file" in told("alc_run", code_file=f"{folder}/open/script.lua")
    assert "open" in told("alc_advice", strategy="which", project_root=f"{folder}/open")
    for path in (f"{folder}/secret.lua", f"{folder}/open/../secret.lua", "/etc/passwd", "/dev/zero"):
        assert "in no directory that this server opens to you" in told("alc_run", code_file=path)
        assert "in no directory that this server opens to you" in told("alc_pkg_install", url=path)
    assert "must be an absolute path" in told("alc_run", code_file="secret.lua")
    assert "only https" in told("alc_pkg_install", url=f"file://{folder}")
    code = "return require('which').run()"
    for root in (str(folder), "/"):
        assert "in no directory" in told("alc_run", code=code, project_root=root)
    for name in ("../which", "/etc/passwd", "which/../../x"):
        assert "is not allowed" in told("alc_advice", strategy=name)
        assert "is not allowed" in told("alc_pkg_remove", name=name)
    assert told("alc_pkg_install", url=f"{folder}/open/packages/which").startswith('{"installed":["which"]')


def test_several_users_change_shared_packages_only_where_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKENS)
    with WebServer(tmp_path / "home", "--token-file", str(tmp_path / "tokens")) as web:
        for tool, arguments in (
            ("alc_pkg_install", {"url": "https://x/y"}),
            ("alc_pkg_remove", {"name": "y"}),
        ):
            refused = web.call(tool, ANN, **arguments)[1]
            assert "installing and removing packages is not open to you" in refused["content"][0]["text"]
        assert web.call("alc_pkg_list", ANN)[1]["structuredContent"]["packages"] == []


# -- strangers


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer "}],
)
def test_without_a_token_nothing_is_served(shared: WebServer, headers: dict[str, str]) -> None:
    for body in (request("alc_run", code="return 1"), b"{", b"x" * 100_000):
        status, text = shared.post(body, modern("alc_run") | headers)
        assert status == 401
        assert "Authentication required" in text
    connection = shared.connection()
    connection.request("GET", "/mcp", headers=headers)
    assert connection.getresponse().status == 401
    connection.close()


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Host", "evil.example", 421),
        ("Host", "evil.example:80", 421),
        ("Host", "127.0.0.1.evil.example", 421),
        ("Host", "localhost@evil.example", 421),
        ("Origin", "http://evil.example", 403),
        ("Origin", "https://127.0.0.1.evil.example", 403),
        ("Origin", "null", 403),
        ("Host", "localhost:1", 200),
        ("Host", "[::1]:99", 200),
        ("Origin", "http://localhost:3000", 200),
    ],
)
def test_host_and_origin_must_be_known(local: WebServer, header: str, value: str, status: int) -> None:
    assert local.call("alc_info", {header: value})[0] == status
    hello = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    if status != 200:
        assert local.post(hello, {header: value})[0] == status


def test_a_body_that_is_too_large_is_refused_without_being_read(local: WebServer) -> None:
    connection = local.connection()
    headers = modern("alc_run") | {"Content-Type": "application/json", "Content-Length": str(1 << 40)}
    connection.request("POST", "/mcp", b"", headers)
    assert connection.getresponse().status == 413
    connection.close()
    with socket.create_connection(("127.0.0.1", local.port), timeout=30) as wire:
        wire.sendall(
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        try:
            for _ in range(64):
                wire.sendall(chunk)
        except OSError:
            pass  # it has stopped listening, which is what was wanted
        try:
            answer = wire.recv(100)
        except ConnectionResetError:
            answer = b"413"
        assert b"413" in answer
    assert local.call("alc_info")[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"[" * 100_000,
        b"9" * 100_000,
        b"\xff\xfe",
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 5}}',
        b'{"jsonrpc": "2.0", "id": {"a": 1}, "method": "ping"}',
    ],
)
def test_a_body_that_makes_no_sense_is_a_clients_error(local: WebServer, body: bytes) -> None:
    for headers in ({}, modern("alc_run")):
        assert 400 <= local.post(body, headers)[0] < 500
    assert local.call("alc_info")[0] == 200


def test_odd_requests_are_refused_and_the_server_goes_on(local: WebServer) -> None:
    assert local.post(request("alc_info"), modern("alc_info") | {"Content-Type": "text/plain"})[0] == 400
    assert local.post(request("alc_info"), modern("alc_run"))[0] == 400
    assert local.post(request("alc_info"), {"Mcp-Session-Id": "../../x"})[0] == 404
    for path in ("/", "/mcp/../etc/passwd", "/sse", "/api/v1", "/metrics", "/healthz"):
        assert local.post(request("alc_info"), path=path)[0] == 404
    for junk in (b"\0" * 100, b"GET /mcp HTTP/9.9\r\n\r\n", b"A" * 100_000):
        with socket.create_connection(("127.0.0.1", local.port), timeout=30) as wire:
            wire.sendall(junk)
            wire.shutdown(socket.SHUT_WR)
            try:
                while wire.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    surrogate = {"x": "\ud800"}
    status, refused = local.call("alc_run", code="return ctx.x", ctx=surrogate)
    assert (status, refused["isError"]) == (200, True)
    assert "ctx must be a JSON object" in refused["content"][0]["text"]
    assert local.call("alc_info")[0] == 200


# -- where it listens


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", "127.0.0.1.example.org", ""])
def test_no_other_address_without_a_token(host: str) -> None:
    with pytest.raises(SettingsError, match="a server that others can reach needs a token"):
        Listening(host=host)
    assert Listening(host=host, tokens=Tokens({"t": "ann"})).tokens is not None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_an_address_that_only_this_machine_has_needs_none(host: str) -> None:
    assert Listening(host=host).guest(None).is_trusted


def test_with_a_token_any_address_by_the_names_that_are_allowed(tmp_path: Path) -> None:
    arguments = ["--host", "0.0.0.0", "--allow-host", "moon.example", "--allow-origin", "https://app.example"]
    with WebServer(tmp_path / "home", *arguments, environ={"MOONWARD_SERVE_TOKEN": "s3cret"}) as web:
        assert web.url.startswith("http://0.0.0.0:")
        token = {"Authorization": "Bearer s3cret"}
        assert web.call("alc_info")[0] == 401
        for headers, status in (
            ({"Host": "moon.example:8000"}, 200),
            ({"Host": "sun.example"}, 421),
            ({"Host": "moon.example", "Origin": "https://app.example"}, 200),
            ({"Host": "moon.example", "Origin": "https://moon.example"}, 200),
            ({"Host": "moon.example", "Origin": "https://other.example"}, 403),
        ):
            assert web.call("alc_info", token | headers)[0] == status
        info = web.call("alc_info", token)[1]["structuredContent"]
        assert info["user"] == "token"
        status, _, errors = web.end()
        assert status == -15
        assert "s3cret" not in errors


def test_a_signal_answers_those_who_wait_and_leaves_the_sessions_and_the_logs_are_quiet(
    tmp_path: Path,
) -> None:
    with WebServer(tmp_path / "home") as web:
        headers = {
            **modern("alc_run"),
            "Content-Type": "application/json",
            "Accept": ACCEPT,
            "Host": "127.0.0.1",
        }
        whole = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        whole = f"POST /mcp HTTP/1.1\r\n{whole}Content-Length: 9\r\n\r\n{{"
        older = "".join(f"{name}: {value}\r\n" for name, value in web.opened().items())
        half_sent = (
            whole,
            whole[:20],
            (
                f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: {ACCEPT}\r\n"
                f"Content-Type: application/json\r\n{older}Content-Length: 9\r\n\r\n{{"
            ),
        )
        for sent in half_sent:  # clients that leave half-way
            with socket.create_connection(("127.0.0.1", web.port), WAIT_S) as half:
                half.sendall(sent.encode())

        async def test() -> None:
            async with web.client("auto") as client:
                asked = await call(client, "alc_run", code=ECHO)
                waiting = asyncio.create_task(refusal(client, "alc_run", code=BUSY))

                async def both() -> Any:
                    return len((await call(client, "alc_status"))["sessions"]) == 2

                await until(both)
                below = descendants(web.process.pid)
                web.process.terminate()
                assert (await waiting).startswith("the Runtime was closed (session s-")
                assert await asyncio.to_thread(web.process.wait, 10) == -15
                assert gone(below)
            sessions.append(asked["session_id"])

        sessions: list[str] = []
        run(test)
        _, output, errors = web.end()
        assert output == ""
        assert "Traceback" not in errors
    with WebServer(tmp_path / "home") as web:
        done = web.call("alc_continue", session_id=sessions[0], response="4")[1]["structuredContent"]
        assert done["result"] == "4"


def test_the_environment_of_what_it_starts_holds_no_token() -> None:
    from moonward.cli.serve import VARIABLE, without_secrets

    assert without_secrets({VARIABLE: "s3cret", "PATH": os.environ["PATH"]}) == {"PATH": os.environ["PATH"]}
