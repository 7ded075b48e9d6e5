"""The conversation that the page on MCP shows is what a server says."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from moonward.cli.main import parser


@pytest.fixture
def record(tree: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("record_mcp", tree / "docs" / "record_mcp.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_recorded_conversation_is_what_a_server_says_today(
    tree: Path, record: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    written = (tree / "docs" / "mcp.md").read_text()
    spoken = record.page(written, record.conversation())
    assert record.settled(spoken) == record.settled(written), "run: python docs/record_mcp.py"


def test_the_configuration_for_a_host_is_three_lines_that_name_a_command(tree: Path) -> None:
    page = (tree / "docs" / "mcp.md").read_text()
    block = re.findall(r"^```json\n(.*?)^```", page, flags=re.S | re.M)[0]
    assert len(block.splitlines()) == 3
    (server,) = json.loads(block)["mcpServers"].values()
    assert server["command"] == "moonward"
    assert parser().parse_args(server["args"]).handler.__module__ == "moonward.cli.mcp"
