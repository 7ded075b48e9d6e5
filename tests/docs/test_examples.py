"""The code that the documents show runs."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import moonward


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.S | re.M)


def test_every_python_block_compiles(tree: Path) -> None:
    pages = [tree / "README.md", *sorted((tree / "docs").glob("*.md"))]
    sources = [block for page in pages for block in blocks(page)]
    assert len(sources) > 5
    for source in sources:
        compile(source, "block", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_what_the_documents_take_from_the_package_is_there(tree: Path) -> None:
    for page in [tree / "README.md", *sorted((tree / "docs").glob("*.md"))]:
        for block in blocks(page):
            for name in re.findall(r"\bmoonward\.(\w+)", block):
                known = name in moonward.__all__ or find_spec(f"moonward.{name}") is not None
                assert known, f"{page.name} shows moonward.{name}"


def test_the_first_example_of_the_readme_runs(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"my_model": lambda prompt: str(eval(re.findall(r"(\d\+\d)", prompt)[0]))}
    exec(blocks(tree / "README.md")[0], names)
    assert capsys.readouterr().out == "Completed(result='4')\n"


@pytest.mark.parametrize("answer", ["4"])
def test_the_first_example_of_embedding_runs(tree: Path, answer: str) -> None:
    used: list[object] = []
    names: dict[str, Any] = {"my_model": lambda prompt, system: answer, "use": used.append}
    exec(blocks(tree / "docs" / "embedding.md")[0], names)
    assert used == [answer]
