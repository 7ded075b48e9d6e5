"""Progress of a script, as its host is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .inside import ERAS, answering, call, client, run

pytestmark = pytest.mark.parametrize("era", ERAS)

Report = tuple[float, float | None, str | None]


class Listener:
    """Hears what a host is told."""

    def __init__(self) -> None:
        self.heard: list[Report] = []

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.heard.append((progress, total, message))


def test_each_step_is_told_before_the_result_to_the_call_that_it_happened_in(
    era: str, tmp_path: Path
) -> None:
    code = "alc.progress(1, 3, 'draft') alc.llm('a') alc.progress(2, 3) alc.progress(3, 3, 'done')"

    async def test() -> None:
        async with client(tmp_path, era) as host:
            first, second = Listener(), Listener()
            result = await host.call_tool("alc_run", {"code": code}, progress_callback=first)
            assert first.heard == [(1, 3, "draft")]
            where = {"session_id": result.structured_content["session_id"]}
            await host.call_tool("alc_continue", {**where, "response": "x"}, progress_callback=second)
            assert second.heard == [(2, 3, None), (3, 3, "done")]
            assert first.heard == [(1, 3, "draft")]

    run(test)


def test_progress_always_grows_whatever_the_script_counts(era: str, tmp_path: Path) -> None:
    code = "for round = 1, 2 do for step = 1, 3 do alc.progress(step, 3, round .. '/' .. step) end end"

    async def test() -> None:
        async with client(tmp_path, era) as host:
            listener = Listener()
            await host.call_tool("alc_run", {"code": code}, progress_callback=listener)
            values = [progress for progress, _, _ in listener.heard]
            assert values == sorted(set(values))
            assert values[:3] == [1, 2, 3]
            wanted = ["1/1", "1/2", "1/3", "2/1", "2/2", "2/3"]
            assert [message for _, _, message in listener.heard] == wanted

    run(test)


def test_progress_is_told_while_the_hosts_model_answers(era: str, tmp_path: Path) -> None:
    code = "for i = 1, 4 do alc.progress(i, 4, alc.llm('q')) end"

    async def test() -> None:
        async with client(tmp_path, era, sampler=answering({"q": "A"})) as host:
            listener = Listener()
            await host.call_tool("alc_run", {"code": code}, progress_callback=listener)
            assert listener.heard == [(i, 4, "A") for i in range(1, 5)]

    run(test)


def test_odd_progress_does_no_harm(era: str, tmp_path: Path) -> None:
    code: Any = "alc.progress(0, 0) alc.progress(-5, 1e300, ('x'):rep(100)) return 'ok'"

    async def test() -> None:
        async with client(tmp_path, era) as host:
            listener = Listener()
            result = await host.call_tool("alc_run", {"code": code}, progress_callback=listener)
            assert result.structured_content["result"] == "ok"
            assert [progress for progress, _, _ in listener.heard] == [0, 0.001]
            assert (await call(host, "alc_run", code=code))["result"] == "ok"

    run(test)
