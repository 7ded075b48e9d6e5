"""What a host that has never seen this server learns: tools, instructions, prompts, resources, completions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from jsonschema import Draft202012Validator, validate
from mcp.shared.exceptions import MCPError

from .inside import ECHO, ERAS, call, client, run

pytestmark = pytest.mark.parametrize("era", ERAS)

TOOLS = {
    "alc_run": {"code", "code_file", "ctx", "project_root"},
    "alc_continue": {"session_id", "response", "query_id", "responses", "usage", "idempotency_key"},
    "alc_advice": {"strategy", "task", "opts", "project_root"},
    "alc_status": {"session_id", "pending_filter", "include_history"},
    "alc_cancel": {"session_id", "reason"},
    "alc_result": {"session_id"},
    "alc_info": set(),
    "alc_note": {"session_id", "content", "title"},
    "alc_log_view": {"session_id", "limit", "max_chars"},
    "alc_stats": {"strategy", "days"},
    "alc_pkg_install": {"url", "name", "force"},
    "alc_pkg_list": {"project_root"},
    "alc_pkg_remove": {"name"},
}
"""The tools of the contract, and their arguments; `force` is the seed system's."""


def test_the_tools_are_those_of_the_contract_and_described(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era, warm_workers=0) as host:
            tools = {tool.name: tool for tool in (await host.list_tools()).tools}
            assert {name: set(tool.input_schema["properties"]) for name, tool in tools.items()} == TOOLS
            for tool in tools.values():
                for schema in (tool.input_schema, tool.output_schema):
                    Draft202012Validator.check_schema(schema)
                    assert schema is not None
                    assert schema["type"] == "object"
                assert tool.description
                assert tool.title
                for about in tool.input_schema["properties"].values():
                    assert about["description"]
            assert tools["alc_run"].input_schema["properties"]["ctx"]["type"] == "object"
            assert tools["alc_continue"].input_schema["required"] == ["session_id"]
            reading = {name for name, tool in tools.items() if tool.annotations.read_only_hint}
            assert reading == {"alc_status", "alc_info", "alc_log_view", "alc_stats", "alc_pkg_list"}

    run(test)


def test_results_are_what_their_schemas_say(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            schemas = {tool.name: tool.output_schema for tool in (await host.list_tools()).tools}
            batch = "return alc.llm_batch({{prompt='a'}, {prompt='b'}})"
            asked = await call(host, "alc_run", code=ECHO)
            several = await call(host, "alc_run", code=batch)
            where = {"session_id": several["session_id"]}
            results: list[tuple[str, dict[str, Any]]] = [
                ("alc_run", asked),
                ("alc_run", several),
                ("alc_run", await call(host, "alc_run", code="error('x')")),
                ("alc_continue", await call(host, "alc_continue", **where, query_id="q-0", response="x")),
                ("alc_continue", await call(host, "alc_continue", **where, query_id="q-1", response="x")),
                ("alc_result", await call(host, "alc_result", **where)),
                ("alc_status", await call(host, "alc_status")),
                ("alc_status", await call(host, "alc_status", **where)),
                ("alc_cancel", await call(host, "alc_cancel", session_id=asked["session_id"])),
                ("alc_note", await call(host, "alc_note", **where, content="x")),
                ("alc_log_view", await call(host, "alc_log_view")),
                ("alc_log_view", await call(host, "alc_log_view", **where)),
                ("alc_stats", await call(host, "alc_stats")),
                ("alc_info", await call(host, "alc_info")),
                ("alc_pkg_list", await call(host, "alc_pkg_list")),
            ]
            for tool, result in results:
                schema = schemas[tool]
                assert schema is not None
                validate(result, schema)

    run(test)


def test_the_instructions_tell_how_a_session_goes(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era, warm_workers=0) as host:
            assert host.protocol_version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[era]
            assert host.instructions is not None
            for word in (
                "alc_advice",
                "alc_run",
                "alc_continue",
                "needs_response",
                "responses",
                "alc_status",
            ):
                assert word in host.instructions

    run(test)


def test_a_session_is_a_resource_with_a_transcript(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            asked = await call(host, "alc_run", code="return {alc.llm('a'), alc.llm('b')}")
            session_id = asked["session_id"]
            await call(host, "alc_continue", session_id=session_id, response="A")
            library, listed = (await host.list_resources()).resources
            assert library.uri == "alc://types/alc.d.lua"
            assert listed.uri == f"alc://sessions/{session_id}"
            shot = await read(host, listed.uri)
            assert (shot["session_id"], shot["phase"], shot["pending"][0]["prompt"]) == (
                session_id,
                "paused",
                "b",
            )
            transcript = await read(host, f"{listed.uri}/transcript")
            assert [(each["prompt"], each["response"]) for each in transcript] == [("a", "A"), ("b", None)]
            await call(host, "alc_cancel", session_id=session_id)
            assert [each.uri for each in (await host.list_resources()).resources] == [library.uri]
            (definitions,) = (await host.read_resource(library.uri)).contents
            assert isinstance(definitions, types.TextResourceContents)
            assert definitions.text.startswith("---@meta")
            assert "function alc.llm(" in definitions.text
            assert (await read(host, listed.uri))["phase"] == "cancelled"

    run(test)


async def read(host: Any, uri: str) -> Any:
    (contents,) = (await host.read_resource(uri)).contents
    assert isinstance(contents, types.TextResourceContents)
    assert contents.uri == uri
    return json.loads(contents.text)


def test_a_package_is_a_resource(era: str, tmp_path: Path) -> None:
    folder = tmp_path / "packages" / "mine"
    folder.mkdir(parents=True)
    source = 'local M = {}\nM.meta = { name = "mine", version = "0.2.0" }\nreturn M\n'
    (folder / "init.lua").write_text(source)

    async def test() -> None:
        async with client(tmp_path, era, package_paths=[tmp_path / "packages"]) as host:
            templates = (await host.list_resource_templates()).resource_templates
            assert {each.uri_template for each in templates} == {
                "alc://sessions/{session_id}",
                "alc://sessions/{session_id}/transcript",
                "alc://packages/{name}/init.lua",
                "alc://packages/{name}/meta",
            }
            (contents,) = (await host.read_resource("alc://packages/mine/init.lua")).contents
            assert isinstance(contents, types.TextResourceContents)
            assert (contents.text, contents.mime_type) == (source, "text/x-lua")
            assert (await read(host, "alc://packages/mine/meta"))["version"] == "0.2.0"

    run(test)


@pytest.mark.parametrize(
    "uri",
    [
        "alc://sessions/s-nobody",
        "alc://sessions/s-nobody/transcript",
        "alc://sessions/../../etc/passwd",
        "alc://packages/../secrets/init.lua",
        "alc://packages/%2e%2e/init.lua",
        "alc://packages/nowhere/meta",
        "alc://packages/nowhere/init.lua",
        "alc://unknown/thing",
        "https://example.com/x",
        "file:///etc/passwd",
        "alc://sessions/" + "x" * 10_000,
    ],
)
def test_an_address_that_leads_nowhere_is_an_error(era: str, tmp_path: Path, uri: str) -> None:
    async def test() -> None:
        async with client(tmp_path, era, warm_workers=0) as host:
            with pytest.raises(MCPError, match="not found") as caught:
                await host.read_resource(uri)
            assert len(str(caught.value)) < 1000

    run(test)


def test_prompts_are_filled_in(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era, warm_workers=0) as host:
            prompts = {prompt.name: prompt for prompt in (await host.list_prompts()).prompts}
            assert [(each.name, each.required) for each in prompts["advice"].arguments or ()] == [
                ("task", True)
            ]
            assert [(each.name, each.required) for each in prompts["new_package"].arguments or ()] == [
                ("name", True),
                ("category", False),
            ]
            task = "解の精度を上げて {task}"
            (message,) = (await host.get_prompt("advice", {"task": task})).messages
            assert message.role == "user"
            assert isinstance(message.content, types.TextContent)
            assert task in message.content.text
            (message,) = (await host.get_prompt("new_package", {"name": "x", "category": "voting"})).messages
            assert isinstance(message.content, types.TextContent)
            assert "named x (voting)" in message.content.text
            for name, arguments in (("nobody", {}), ("advice", {}), ("advice", {"task": ""})):
                with pytest.raises(MCPError, match=r"not found|needs the argument 'task'"):
                    await host.get_prompt(name, arguments)

    run(test)


def test_arguments_of_addresses_are_completed(era: str, tmp_path: Path) -> None:
    for name in ("alpha", "beta"):
        (tmp_path / "packages" / name).mkdir(parents=True)
        (tmp_path / "packages" / name / "init.lua").write_text("return {}")

    async def test() -> None:
        async with client(tmp_path, era, package_paths=[tmp_path / "packages"]) as host:
            session_id = (await call(host, "alc_run", code=ECHO))["session_id"]

            async def offered(uri: str, argument: str, begun: str) -> list[str]:
                ref = types.ResourceTemplateReference(uri=uri)
                completion = (await host.complete(ref, {"name": argument, "value": begun})).completion
                assert (completion.total, completion.has_more) == (len(completion.values), False)
                return completion.values

            assert await offered("alc://packages/{name}/init.lua", "name", "") == ["alpha", "beta"]
            assert await offered("alc://packages/{name}/meta", "name", "b") == ["beta"]
            assert await offered("alc://sessions/{session_id}", "session_id", "s-") == [session_id]
            assert await offered("alc://sessions/{session_id}", "name", "") == []
            ref = types.PromptReference(name="advice")
            assert (await host.complete(ref, {"name": "task", "value": ""})).completion.values == []

    run(test)
