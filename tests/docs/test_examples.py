"""The code that the documents show runs."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import moonward
from moonward.actors.host.package_list import list_packages


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


def test_the_strategy_of_the_tutorial_runs_with_its_answers(tree: Path, tmp_path: Path) -> None:
    page = (tree / "docs" / "strategies.md").read_text()
    (source,) = re.findall(r"^```lua\n(.*?)^```", page, flags=re.S | re.M)
    answers = re.findall(r"^```json\n(.*?)^```", page, flags=re.S | re.M)[0]
    command, printed = re.findall(r"^\$ moonward (.*--answers answers.jsonl)\n(.*)$", page, flags=re.M)[0]
    folder = tmp_path / "packages" / "second_opinion"
    folder.mkdir(parents=True)
    (folder / "init.lua").write_text(source)
    (tmp_path / "answers.jsonl").write_text(answers)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "moonward", *shlex.split(command)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.stdout == printed + "\n", done.stderr
    assert [info.version for info in list_packages([tmp_path / "packages"])] == ["1.0.0"]


def test_the_strategy_of_the_tutorial_runs_embedded_and_is_sure_when_all_agree(
    tree: Path, tmp_path: Path
) -> None:
    page = (tree / "docs" / "strategies.md").read_text()
    (source,) = re.findall(r"^```lua\n(.*?)^```", page, flags=re.S | re.M)
    (tmp_path / "packages" / "second_opinion").mkdir(parents=True)
    (tmp_path / "packages" / "second_opinion" / "init.lua").write_text(source)
    names: dict[str, Any] = {"my_model": lambda prompt: "Jupiter"}
    (block,) = blocks(tree / "docs" / "strategies.md")
    exec(block.replace('"packages"', repr(str(tmp_path / "packages"))), names)
    assert names["finished"].state.result["result"] == {"answer": "Jupiter", "sure": True}
