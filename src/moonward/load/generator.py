"""Puts a load on an `AsyncRuntime`: starts sessions when they are due, and answers them as a model would.

Guarantees:
- With a rate, a session is due when the schedule says so, however the ones before it fare, and its times count from
  then. So do the times of answers: from when the model has thought enough, not from when this program got round to it.
- What this program adds by its own lateness is measured, too (`lag`).
- Whatever ends the load, the sessions that are still under way are cancelled.

What does not work: measuring a Runtime that needs more than its share of the processors from the same process. Then
`lag` grows, and with it everything else.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from random import Random
from typing import Any, Final

from moonward.actors.errors import TransitionError
from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.actors.query import QueryResponse
from moonward.aio import AsyncRuntime, AsyncSession
from moonward.load.arrivals import due_times
from moonward.load.plan import Answers, NoAnswerLeft, Plan
from moonward.load.tally import Tally
from moonward.supervisor.errors import MoonwardError

TELL_S: Final = 0.5
"""Seconds between two calls of `on_progress`; arbitrary."""


def precise_loop() -> asyncio.AbstractEventLoop:
    """An event loop whose timers are right to the microsecond; one over epoll rounds them up to a millisecond.

    Make it before the Runtime: `select` takes low descriptors only.
    """
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


class Generator:
    """One load on one Runtime. `stop` ends it early; the tally holds what happened until then."""

    def __init__(self, runtime: AsyncRuntime, plan: Plan, tally: Tally) -> None:
        self._runtime = runtime
        self._plan = plan
        self._tally = tally
        self._random = Random(plan.seed)
        self._places = asyncio.Semaphore(plan.concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        self._window = (0.0, 0.0)

    def stop(self) -> None:
        """End it now."""
        self._tally.is_interrupted = True
        self._stopped.set()

    async def run(self, on_progress: Callable[[float], None] = lambda elapsed_s: None) -> None:
        """Do it. `on_progress` hears the seconds since the beginning now and then."""
        begin_s = self._now_s()
        self._window = begin_s + self._plan.warm_up_s, begin_s + self._plan.warm_up_s + self._plan.duration_s
        teller = asyncio.create_task(self._tell(begin_s, on_progress))
        arrivals = asyncio.create_task(self._arrive(begin_s))
        try:
            await self._unless_stopped(arrivals, None)
            self._tally.elapsed_s = max(0.0, min(self._now_s(), self._window[1]) - self._window[0])
            if self._tasks:
                await self._unless_stopped(asyncio.gather(*self._tasks), self._plan.drain_s)
        finally:
            left = [teller, arrivals, *self._tasks]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _unless_stopped(self, work: asyncio.Future[Any], patience_s: float | None) -> None:
        stopped = asyncio.create_task(self._stopped.wait())
        done, _ = await asyncio.wait((work, stopped), timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if work in done:
            work.result()
        else:
            work.cancel()

    async def _tell(self, begin_s: float, on_progress: Callable[[float], None]) -> None:
        while True:
            on_progress(self._now_s() - begin_s)
            await asyncio.sleep(TELL_S)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()

    # -- arrivals ---------------------------------------------------------------------------------------------

    async def _arrive(self, begin_s: float) -> None:
        end_s = self._window[1]
        if self._plan.rate is None:
            await asyncio.gather(*(self._one_after_another(end_s) for _ in range(self._plan.concurrency)))
            return
        for due in due_times(self._plan.rate, self._plan.arrivals, self._random):
            due_s = begin_s + due
            if due_s >= end_s:
                break
            await self._until(due_s)
            self._start(due_s)
        await self._until(end_s)

    async def _one_after_another(self, end_s: float) -> None:
        while self._now_s() < end_s:
            await asyncio.wait([self._start(self._now_s())])

    def _start(self, due_s: float) -> asyncio.Task[None]:
        task = asyncio.create_task(self._in_turn(due_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _until(self, due_s: float) -> None:
        left_s = due_s - self._now_s()
        if left_s > 0:
            await asyncio.sleep(left_s)

    async def _in_turn(self, due_s: float) -> None:
        tally, counts = self._tally, due_s >= self._window[0]
        tally.arrived += counts
        tally.waiting += 1
        try:
            await self._places.acquire()
        except asyncio.CancelledError:
            tally.unstarted += counts
            raise
        finally:
            tally.waiting -= 1
        tally.began()
        try:
            await self._live(due_s, counts=counts)
        except (MoonwardError, NoAnswerLeft) as error:
            tally.errors[type(error).__name__] += counts
        except asyncio.CancelledError:
            tally.unfinished += counts
            raise
        finally:
            tally.under_way -= 1
            self._places.release()

    # -- one session ------------------------------------------------------------------------------------------

    async def _live(self, due_s: float, *, counts: bool) -> None:
        self._took("lag", due_s, counts=counts)
        session = await self._begun()
        try:
            event = await session.wait()
            self._took("start", due_s, counts=counts)
            thought_s = 0.0
            answers = self._plan.model.answers()
            while isinstance(event, Paused):
                event, pause_s = await self._answer(session, event, answers, counts=counts)
                thought_s += pause_s
        except BaseException:
            await _cancel(session)
            raise
        self._took("life", due_s + thought_s, counts=counts)
        self._tally.ends[event.state.phase] += counts
        self._tally.ended_meanwhile += self._is_in_window()

    async def _begun(self) -> AsyncSession:
        """A session; one that was on its way when this task was cancelled is cancelled, too."""
        start = asyncio.ensure_future(
            self._runtime.start(self._plan.code, self._plan.ctx, packages=self._plan.packages)
        )
        try:
            return await asyncio.shield(start)
        except asyncio.CancelledError:
            await _cancel(await start)
            raise

    async def _answer(
        self, session: AsyncSession, paused: Paused, answers: Answers, *, counts: bool
    ) -> tuple[Paused | Finished, float]:
        """Answer a pause; the event after it, and how long the model thought (its questions side by side)."""
        asked_s = self._now_s()
        thinking = [(query, asked_s + self._plan.think.draw(self._random)) for query in paused.queries]
        try:
            events = await asyncio.gather(
                *(
                    self._feed(session, answers.answer(query), due_s, counts=counts)
                    for query, due_s in thinking
                )
            )
        except TransitionError:  # it ended meanwhile, by a limit or a lost worker: the end says so
            events = []
        thought_s = max(due_s for _, due_s in thinking) - asked_s
        for event in events:
            if not isinstance(event, Accepted):
                return event, thought_s
        return await session.wait(), thought_s

    async def _feed(
        self, session: AsyncSession, response: QueryResponse, due_s: float, *, counts: bool
    ) -> Accepted | Paused | Finished:
        await self._until(due_s)
        self._took("lag", due_s, counts=counts)
        event = await session.feed(response)
        self._took("accept" if isinstance(event, Accepted) else "answer", due_s, counts=counts)
        self._tally.answered_meanwhile += self._is_in_window()
        return event

    def _took(self, name: str, since_s: float, *, counts: bool) -> None:
        if counts:
            self._tally.took(name, self._now_s() - since_s)

    def _is_in_window(self) -> bool:
        return self._window[0] <= self._now_s() < self._window[1]


async def _cancel(session: AsyncSession) -> None:
    try:
        await asyncio.shield(session.cancel("the load is over"))
    except TransitionError:
        pass  # it ended meanwhile
