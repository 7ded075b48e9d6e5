"""The strategies of `examples/strategies`, run to their end with the answers that lie beside them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

import moonward
from moonward.actors.host.package_list import list_packages
from moonward.actors.library import library
from moonward.testing import Faults, FaultyRuntime

TREE = Path(os.environ.get("MOONWARD_TEST_TREE") or Path(__file__).parents[2])
STRATEGIES = TREE / "examples" / "strategies"
SCRIPTED = sorted(file.parent.name for file in STRATEGIES.glob("*/answers.jsonl"))

LIBRARY = [
    entry.name for entry in library().entries() if entry.name != "null" and not entry.name.startswith("math.")
]
"""Every function of the first two layers; mathematics aside."""


class Script:
    """A model that gives the answers of a file in their order."""

    def __init__(self, name: str) -> None:
        lines = (STRATEGIES / name / "answers.jsonl").read_text().splitlines()
        self.asked: list[moonward.LlmQuery] = []
        self._answers = iter([json.loads(line)["response"] for line in lines])

    def __call__(self, query: moonward.LlmQuery) -> str:
        self.asked.append(query)
        return str(next(self._answers))

    def left(self) -> list[str]:
        return list(self._answers)


def loaded(name: str, file: str) -> Any:
    return json.loads((STRATEGIES / name / file).read_text())


def rounded(value: Any) -> Any:
    """A value whose floats differ no more between machines."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 9) if isinstance(value, float) else value


def run(name: str, data_dir: Path, faults: Faults | None = None) -> tuple[Any, Script]:
    """The result of a strategy, and what is left of its script."""
    script = Script(name)
    with FaultyRuntime(faults, journal="memory:", data_dir=data_dir, package_paths=[STRATEGIES]) as runtime:
        session = runtime.advise(name, opts=loaded(name, "ctx.json"))
        finished = moonward.drive(session, script)
        # one that was killed after a reply may have said its last word by then
        unless_over = sum(each.point != "replied" for each in runtime.faults.history)
        assert unless_over <= session.snapshot()["restarts"] <= len(runtime.faults.history)
    assert isinstance(finished.state, moonward.Completed), finished.state
    assert isinstance(finished.state.result, dict)
    return finished.state.result["result"], script


@pytest.mark.parametrize("name", SCRIPTED)
def test_a_strategy_comes_to_its_result_with_all_its_answers(name: str, tmp_path: Path) -> None:
    result, script = run(name, tmp_path)
    assert rounded(result) == rounded(loaded(name, "result.json"))
    assert script.left() == []


@pytest.mark.parametrize("point", ["ask", "asked", "replied", "call"])
@pytest.mark.parametrize("name", SCRIPTED)
def test_a_worker_that_is_killed_in_the_middle_changes_neither_questions_nor_result(
    name: str, point: Any, tmp_path: Path
) -> None:
    result, script = run(name, tmp_path / "calm")
    middle = max(2, len(script.asked) // 2)
    for visit in dict.fromkeys((middle, 2, 1)):  # as far in as the strategy has such a point
        faults = Faults().add("kill", point, strand="", nth=visit)
        again, killed = run(name, tmp_path / f"killed-{visit}", faults)
        assert rounded(again) == rounded(result)
        assert killed.asked == script.asked
        assert killed.left() == []
        if faults.history:
            return
    raise AssertionError(f"{name} never came to {point}")


def test_a_second_run_finds_what_the_first_one_kept(tmp_path: Path) -> None:
    run("run_counter", tmp_path)
    result, _ = run("run_counter", tmp_path)
    assert (result["run"], result["first"], result["weight"]) == (2, False, 11.0)
    assert len(result["history"]) == 2
    assert result["noted"] is None


def test_a_session_left_in_the_middle_goes_on_in_another_runtime(tmp_path: Path) -> None:
    script = Script("card_keeper")
    options: dict[str, Any] = {
        "journal": f"sqlite:///{tmp_path}/journal.db",
        "data_dir": tmp_path,
        "package_paths": [STRATEGIES],
    }
    with moonward.Runtime(**options) as runtime:
        session = runtime.advise("card_keeper", opts=loaded("card_keeper", "ctx.json"))
        for _ in range(4):  # two variants are measured, and one card is kept
            paused = session.wait()
            assert isinstance(paused, moonward.Paused)
            session.feed(script(paused.queries[0]))
    with moonward.Runtime(**options) as runtime:
        finished = moonward.drive(runtime.session(session.id), script)
    assert isinstance(finished.state, moonward.Completed), finished.state
    assert isinstance(finished.state.result, dict)
    assert finished.state.result["result"] == loaded("card_keeper", "result.json")
    assert len(list((tmp_path / "cards" / "card_keeper").glob("*.json"))) == 3


def test_the_strategies_use_every_function_of_the_library() -> None:
    source = "".join(file.read_text() for file in STRATEGIES.glob("*/init.lua"))
    missing = [name for name in LIBRARY if not re.search(rf"alc\.{re.escape(name)}\b", source)]
    assert missing == []


def test_every_strategy_describes_itself_and_is_described() -> None:
    packages = list_packages([STRATEGIES])
    assert {info.name for info in packages} == {*SCRIPTED, "evalframe"}
    readme = (STRATEGIES / "README.md").read_text()
    for info in packages:
        assert info.version, info.name
        assert info.description, info.name
        assert f"`{info.name}`" in readme
