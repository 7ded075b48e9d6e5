"""The page on MCP leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path

from moonward.cli.main import parser

from .test_catalogue import TOOLS

SHARED = {"--journal", "--package-path", "--log-level", "--help"}
"""Options that the page on the command line describes."""


def test_the_page_has_every_tool_with_its_arguments(tree: Path) -> None:
    page = (tree / "docs" / "mcp.md").read_text()
    rows = dict(re.findall(r"^\| `(alc_\w+)` \|([^|]*)\|", page, flags=re.M))
    assert {name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows.items()} == TOOLS


def test_the_page_has_every_option_of_the_server(tree: Path) -> None:
    commands = next(each for each in parser()._actions if each.dest == "==SUPPRESS==" or each.choices)
    assert isinstance(commands.choices, dict)
    options = {option for action in commands.choices["serve"]._actions for option in action.option_strings}
    page = (tree / "docs" / "mcp.md").read_text()
    for option in options - SHARED - {"-h"}:
        assert f"{option}" in page, option
