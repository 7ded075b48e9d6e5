"""Progress of a script, as its host is told of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from moonward.actors.event_stream import EventStream
from moonward.servers.progress import telling_progress

from .inside import ERAS, answering, call, client, run

each_era = pytest.mark.parametrize("era", ERAS)

Report = tuple[float, float | None, str | None]


class SlowHost:
    """A host that takes what it is told when it is let to."""

    def __init__(self) -> None:
        self.heard: list[float] = []
        self.may_hear = asyncio.Event()

    async def tell_progress(self, progress: float, total: float | None, message: str | None) -> None:
        await self.may_hear.wait()
        self.heard.append(progress)


def test_a_slow_host_is_told_everything_before_the_call_ends() -> None:
    async def test() -> None:
        stream, host = EventStream("e", 100, "s-1"), SlowHost()

        def report(step: int) -> None:
            stream.push(("progress", "s-1", 0, {"step": step, "total": 3, "message": None}))

        async def the_call() -> None:
            async with telling_progress(host, stream, 1):  # type: ignore[arg-type]
                report(2)
                await asyncio.sleep(0)
                report(3)

        report(1)
        call_ = asyncio.create_task(the_call())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not call_.done()
        host.may_hear.set()
        await call_
        assert host.heard == [2, 3]

    run(test)


def test_a_call_that_is_given_up_stops_telling() -> None:
    async def test() -> None:
        stream, host = EventStream("e", 100, "s-1"), SlowHost()

        async def the_call() -> None:
            async with telling_progress(host, stream, 0):  # type: ignore[arg-type]
                stream.push(("progress", "s-1", 0, {"step": 1, "total": 3, "message": None}))
                await asyncio.Event().wait()

        call_ = asyncio.create_task(the_call())
        for _ in range(10):
            await asyncio.sleep(0)
        call_.cancel()
        await asyncio.wait([call_])
        host.may_hear.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert host.heard == []
        assert len(asyncio.all_tasks()) <= 2

    run(test)


class TalkativeScript:
    """Reports again as soon as it was heard, like a script in a tight loop."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
        self.reports = 0
        self.was_told_twice = asyncio.Event()

    async def tell_progress(self, progress: float, total: float | None, message: str | None) -> None:
        if self.reports == 2:
            self.was_told_twice.set()
        self.report()

    def report(self) -> None:
        self.reports += 1
        self._stream.push(("progress", "s-1", 0, {"step": self.reports, "total": 3, "message": None}))


def test_a_script_that_reports_without_end_does_not_keep_the_server_from_other_calls() -> None:
    async def test() -> None:
        stream = EventStream("e", 100, "s-1")
        script = TalkativeScript(stream)
        script.report()
        async with telling_progress(script, stream, 0):  # type: ignore[arg-type]
            await script.was_told_twice.wait()

    run(test)


class Listener:
    """Hears what a host is told."""

    def __init__(self) -> None:
        self.heard: list[Report] = []

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.heard.append((progress, total, message))


@each_era
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


@each_era
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


@each_era
def test_progress_is_told_while_the_hosts_model_answers(era: str, tmp_path: Path) -> None:
    code = "for i = 1, 4 do alc.progress(i, 4, alc.llm('q')) end"

    async def test() -> None:
        async with client(tmp_path, era, sampler=answering({"q": "A"})) as host:
            listener = Listener()
            await host.call_tool("alc_run", {"code": code}, progress_callback=listener)
            assert listener.heard == [(i, 4, "A") for i in range(1, 5)]

    run(test)


@each_era
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
