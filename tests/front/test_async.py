"""`AsyncRuntime` and `AsyncSession`: the event loop is never blocked, and a cancelled wait costs nobody anything."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import moonward
from moonward import Accepted, AsyncRuntime, AsyncSession, Completed, Finished, Paused, QueryResponse
from moonward.testing import nothing_left_behind

TWO = "local t = alc.llm_batch{{prompt='a'}, {prompt='b'}} return t[1] .. t[2] .. alc.llm('c')"


@pytest.fixture(autouse=True)
def leaves_nothing() -> Iterator[None]:
    with nothing_left_behind():
        yield


@asynccontextmanager
async def stuck(runtime: AsyncRuntime) -> AsyncIterator[None]:
    """While the block runs, the Runtime's own thread does nothing: whoever waits for it by blocking is stuck too."""
    reached, released = threading.Event(), threading.Event()

    def hold() -> None:
        reached.set()
        released.wait(30)

    runtime._core.loop.post(hold)
    await asyncio.to_thread(reached.wait, 30)
    try:
        yield
    finally:
        released.set()


def test_a_session_from_its_start_to_its_end() -> None:
    async def main() -> None:
        async with AsyncRuntime(warm_workers=1) as runtime:
            session = await runtime.start(TWO, {"task": "x"})
            event = await session.wait()
            assert isinstance(event, Paused)
            assert [query.id for query in event.queries] == ["q-0", "q-1"]
            assert await session.feed("1", query_id="q-0") == Accepted(1)
            event = await session.feed_batch([QueryResponse("q-1", "2")])
            assert isinstance(event, Paused)
            assert (await session.snapshot("full"))["pending"][0]["prompt"] == "c"
            assert await session.phase() == "paused"
            assert not await session.is_expired(3600)
            end = await runtime.feed(session.id, "3")
            assert isinstance(end, Finished)
            assert end.state == Completed("123")
            assert await session.finished() == await session.wait() == end
            assert [each["response"] for each in await session.transcript()] == ["1", "2", "3"]
            assert [each.id for each in await runtime.sessions()] == [session.id]
            assert list(await runtime.snapshots()) == [session.id]
            assert (await runtime.session(session.id)).id == session.id
            assert [event.kind async for event in session.events()][-1] == "finished"
            assert (await runtime.tree())["id"] == "runtime"

    asyncio.run(main())


CALLS: dict[str, Callable[[AsyncRuntime, AsyncSession], Awaitable[Any]]] = {
    "start": lambda runtime, session: runtime.start("return 1"),
    "advise": lambda runtime, session: runtime.advise("nothing"),
    "session": lambda runtime, session: runtime.session(session.id),
    "sessions": lambda runtime, session: runtime.sessions(),
    "snapshots": lambda runtime, session: runtime.snapshots(),
    "tree": lambda runtime, session: runtime.tree(),
    "prune": lambda runtime, session: runtime.prune(1e9),
    "fork": lambda runtime, session: runtime.fork(session.id, 1),
    "replay": lambda runtime, session: runtime.replay(session.id),
    "export": lambda runtime, session: runtime.export(session.id, Path("x")),
    "import_": lambda runtime, session: runtime.import_(Path("none")),
    "runtime feed": lambda runtime, session: runtime.feed(session.id, "x", query_id="q-0"),
    "runtime feed_batch": lambda runtime, session: runtime.feed_batch(
        session.id, [QueryResponse("q-0", "x")]
    ),
    "runtime cancel": lambda runtime, session: runtime.cancel(session.id),
    "phase": lambda runtime, session: session.phase(),
    "wait": lambda runtime, session: session.wait(),
    "finished": lambda runtime, session: session.finished(),
    "feed": lambda runtime, session: session.feed("x"),
    "feed_batch": lambda runtime, session: session.feed_batch([QueryResponse("q-0", "x")]),
    "cancel": lambda runtime, session: session.cancel(),
    "snapshot": lambda runtime, session: session.snapshot(),
    "is_expired": lambda runtime, session: session.is_expired(1),
    "transcript": lambda runtime, session: session.transcript(),
    "wake": lambda runtime, session: session.wake(),
    "events": lambda runtime, session: anext(AsyncSession(runtime._core, "s-none").events()),
    "runtime events": lambda runtime, session: anext(runtime.events((runtime._core.epoch, 2))),
    "close": lambda runtime, session: runtime.close(0.2),
}


def test_every_coroutine_is_among_those_that_are_tried() -> None:
    names = {name.removeprefix("runtime ") for name in CALLS}
    for owner in (AsyncRuntime, AsyncSession):
        for name, member in vars(owner).items():
            if not name.startswith("_") and callable(member) and name != "open":
                assert name in names


@pytest.mark.parametrize("name", CALLS)
def test_no_call_blocks_the_event_loop_while_the_runtime_does_not_answer(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        async with AsyncRuntime(warm_workers=0, close_timeout=0.2) as runtime:
            session = await runtime.start(TWO)
            await session.wait()
            async with stuck(runtime):
                call = asyncio.ensure_future(CALLS[name](runtime, session))
                for _ in range(20):
                    await asyncio.sleep(0)
                assert not call.done()
                if name in ("events", "runtime events", "close"):
                    call.cancel()
            if name == "finished":
                call.cancel()
            await asyncio.wait([call])
            if not call.cancelled():
                call.exception()

    asyncio.run(main())


def test_opening_does_not_block_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        turns = 0
        opening = asyncio.ensure_future(AsyncRuntime(warm_workers=0).open())
        while not opening.done():
            turns += 1
            await asyncio.sleep(0)
        await (await opening).close()
        assert turns > 10

    asyncio.run(main())


def test_cancelling_who_waits_cancels_the_wait_alone() -> None:
    async def main() -> None:
        async with AsyncRuntime(warm_workers=1) as runtime:
            session = await runtime.start("while alc.llm('?') == 'on' do end return 'over'")
            await session.wait()
            ends = [asyncio.ensure_future(session.finished()) for _ in range(2)]
            await asyncio.sleep(0)
            ends[0].cancel()
            await asyncio.wait(ends[:1])
            assert ends[0].cancelled()
            assert await session.phase() == "paused"
            await session.feed("on")
            await session.feed("off")
            assert (await ends[1]).state == Completed("over")

    asyncio.run(main())


def test_a_cancelled_feed_that_nobody_looked_at_is_taken_back() -> None:
    async def main() -> None:
        async with AsyncRuntime(warm_workers=1) as runtime:
            session = await runtime.start("return alc.llm('?')")
            await session.wait()
            async with stuck(runtime):
                feeding = asyncio.ensure_future(session.feed("first"))
                await asyncio.sleep(0)
                feeding.cancel()
                await asyncio.wait([feeding])
            assert (await session.transcript())[0]["response"] is None
            end = await session.feed("second")
            assert isinstance(end, Finished)
            assert end.state == Completed("second")

    asyncio.run(main())


def test_a_cancelled_feed_that_was_accepted_counts() -> None:
    async def main() -> None:
        async with AsyncRuntime(warm_workers=1) as runtime:
            session = await runtime.start("if alc.llm('?') == 'x' then while true do end end")
            await session.wait()
            feeding = asyncio.ensure_future(session.feed("x"))
            async for event in session.events():
                if event.kind == "resumed":
                    break
            feeding.cancel()
            await asyncio.wait([feeding])
            assert feeding.cancelled()
            assert (await session.transcript())[0]["response"] == "x"
            with pytest.raises(moonward.AlreadyResponded):
                await session.feed("y", query_id="q-0")
            await session.cancel()

    asyncio.run(main())


def test_a_timeout_says_whether_the_answer_was_accepted() -> None:
    async def main() -> None:
        async with AsyncRuntime(warm_workers=1) as runtime:
            session = await runtime.start("if alc.llm('?') == 'x' then while true do end end")
            await session.wait()
            async with stuck(runtime):
                with pytest.raises(moonward.FeedTimeout, match="taken back") as caught:
                    await session.feed("x", timeout=0.01)
                assert (caught.value.query_id, caught.value.accepted) == (None, False)
                with pytest.raises(TimeoutError, match="nothing came within"):
                    await session.wait(timeout=0.01)
            while True:
                with pytest.raises(moonward.FeedTimeout) as caught:
                    await session.feed("x", timeout=0.05, idempotency_key="k")
                if caught.value.accepted is not False:
                    break
            assert (caught.value.query_id, caught.value.accepted) == ("q-0", True)
            await session.cancel()

    asyncio.run(main())


def test_a_runtime_that_was_not_opened_says_so() -> None:
    async def main() -> None:
        with pytest.raises(moonward.RuntimeClosed, match="is not open: use `async with`"):
            await AsyncRuntime().start("return 1")
        await AsyncRuntime().close()

    asyncio.run(main())


def test_opening_twice_opens_once_and_closing_twice_closes_once() -> None:
    async def main() -> None:
        runtime = AsyncRuntime(warm_workers=0)
        both = await asyncio.gather(runtime.open(), runtime.open())
        assert both == [runtime, runtime]
        core = runtime._core
        assert (await runtime.open())._core is core
        await asyncio.gather(runtime.close(), runtime.close())
        await runtime.close()
        with pytest.raises(moonward.RuntimeClosed):
            await runtime.sessions()

    asyncio.run(main())


def test_wrong_settings_are_told_when_it_is_opened() -> None:
    async def main() -> None:
        with pytest.raises(moonward.SettingsError, match="warm_workers"):
            async with AsyncRuntime(warm_workers=-1):
                pass

    asyncio.run(main())


@pytest.mark.parametrize("turns", [1, 2, 50, 10_000])
def test_cancelling_the_opening_leaves_nothing(turns: int) -> None:
    async def main() -> None:
        runtime = AsyncRuntime(warm_workers=1)
        opening = asyncio.ensure_future(runtime.open())
        for _ in range(turns):
            if opening.done():
                await runtime.close()
                return
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])

    asyncio.run(main())


def test_one_runtime_serves_several_event_loops() -> None:
    async def opened() -> AsyncRuntime:
        return await AsyncRuntime(warm_workers=1).open()

    async def run(runtime: AsyncRuntime) -> Any:
        session = await runtime.start("return alc.llm('?')")
        await session.wait()
        end = await session.feed("x")
        assert isinstance(end, Finished)
        return end.state

    runtime = asyncio.run(opened())
    states: list[Any] = []
    threads = [threading.Thread(target=lambda: states.append(asyncio.run(run(runtime)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    asyncio.run(runtime.close())
    assert states == [Completed("x")] * 4
