"""The storm over workers: sessions under kills, stops, garbled and lost frames, while parts of their host are lost.

Each session is given a plan of faults from the seed, at points that it is sure to come to. Beside that, once in so
many answers, a part of the host is lost: the zygote, an actor of the tree, the actor of a session. When all sessions
have ended they are exported, and run again without faults in another process: everything must be the same.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import moonward
from moonward.actors.services import Services
from moonward.testing import (
    Faults,
    FaultyRuntime,
    History,
    HistoryError,
    Holdings,
    Kind,
    PartLost,
    Point,
)
from moonward.testing.fault import kinds_at
from moonward.testing.faulty_runtime import Part as TreePart

from .calm_run import calm_runs
from .client import Client, Stopped
from .outcome import Outcome
from .progress import Progress
from .report import Report
from .scripts import QUERIES, Part, write_packages

SURE: tuple[Point, ...] = ("ask", "ask", "asked", "reply", "replied")
"""Points that every session comes to as often as it pauses; the one at which all kinds are possible twice as likely."""

MAYBE: tuple[Point, ...] = ("call", "called", "notes", "noted", "begun", "end")
"""Points for more faults: not every session comes to all of them."""

KINDS: tuple[Kind, ...] = ("kill", "kill", "kill", "garble", "garble", "stop", "stop", "slow", "drop")
"""Kinds of faults, the likelier ones more often."""

SHORT_S, SLICE_S = 0.05, 2.0
"""How long `slow` and most stops last, and the deadline that ends the others (`drop`, stops without an end)."""

FOREVER_CHANCE = 0.1
"""Share of stops that only the deadline of the slice ends. Arbitrary: each takes two seconds."""

TREE_LOSSES = 8
"""Most losses of actors of the tree: ten within a minute end the Runtime, by contract."""

LOOK_S = 0.002
"""Seconds between two looks at who is recovering: the resolution of the latencies."""

SETTLED_S = 5.0
"""Seconds in which everything that has ended must be gone."""


class Storm:
    """One storm over `sessions` sessions, each of which meets at least `least` faults."""

    def __init__(
        self,
        folder: Path,
        *,
        sessions: int,
        least: int,
        seed: int,
        journal: str = "memory:",
        losses: int = 12,
        progress: Progress | None = None,
    ) -> None:
        self._folder = folder
        self._parts = [Part.of(number) for number in range(sessions)]
        self._least = least
        self._losses = losses
        self._journal = journal
        self._random = random.Random(f"storm {seed}")
        self._faults = Faults(seed)
        self._history = History()
        self._progress = progress
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._finished: dict[int, moonward.Finished] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._recovering: dict[str, float] = {}
        self.report = Report(f"Storm over workers ({journal.partition(':')[0]})", seed, sessions)

    def blow(self) -> Report:
        """The whole storm; KeyboardInterrupt ends it early, with a report of what was."""
        began_s = time.monotonic()
        before = Holdings.now()
        try:
            self._blow()
        except KeyboardInterrupt:
            self._stop.set()
            self.report.interrupted = True
        settled(lambda: {kind: len(each) for kind, each in Holdings.now().beyond(before).items()})
        for kind, left in Holdings.now().beyond(before).items():
            self.report.leaked[kind] = len(left)
            self._problem(f"left behind, {kind}: {', '.join(left)}")
        self.report.seconds = time.monotonic() - began_s
        return self.report

    # -- plans ---------------------------------------------------------------------------------------------------

    def _plan(self, number: int) -> None:
        """The faults that a session is sure to meet, and a few that it may meet. It has not started yet."""
        dice = random.Random(f"{self._faults.seed} plan {number}")
        planned: set[tuple[Point, int]] = set()
        possible = len(set(SURE)) * self._parts[number].pauses
        while len(planned) < min(self._least, possible):
            planned.add((dice.choice(SURE), dice.randint(1, self._parts[number].pauses)))
        for point, nth in sorted(planned):
            self._add(dice, number, point, nth, strand="")
        for point in dice.sample(MAYBE, 2):
            self._add(dice, number, point, dice.randint(1, 6), strand=None)
        if dice.random() < 0.2:
            self._faults.add("fail", "start", session=number, nth=dice.randint(2, 4))

    def _add(self, dice: random.Random, number: int, point: Point, nth: int, *, strand: str | None) -> None:
        kind = dice.choice([each for each in KINDS if each in kinds_at(point)])
        for_s = None if kind == "stop" and dice.random() < FOREVER_CHANCE else SHORT_S
        self._faults.add(kind, point, session=number, strand=strand, nth=nth, for_s=for_s)

    # -- the storm -----------------------------------------------------------------------------------------------

    def _blow(self) -> None:
        packages = write_packages(self._folder)
        settings: dict[str, Any] = {
            "journal": self._journal,
            "data_dir": self._folder / "data",
            "restart_intensity": 10_000,
            "limits": {"slice_seconds": SLICE_S},
            "result_ttl": None,
            "max_sessions": 4 * len(self._parts) + 16,
        }
        with FaultyRuntime(self._faults, **settings) as runtime:
            sessions: list[moonward.Session] = []
            for part in self._parts:
                self._plan(part.number)
                sessions.append(runtime.start(part.code, part.ctx, packages=[packages]))
            with self._watching(runtime):
                self._play(runtime, sessions)
            self._faults.calm()
            for session in sessions:  # an actor that was lost at the very end is on its way back
                self._client(runtime, sessions, sessions.index(session), {}).play()
            self._judge(runtime, sessions)
            self._export(runtime, sessions)
        self._compare()

    def _play(self, runtime: FaultyRuntime, sessions: list[moonward.Session]) -> None:
        plan = self._plan_of_losses(len(sessions) * QUERIES)
        pool = ThreadPoolExecutor(len(sessions), thread_name_prefix="client")
        try:
            games = {
                pool.submit(self._client(runtime, sessions, number, plan).play): number
                for number in range(len(sessions))
            }
            for game in as_completed(games):
                number = games[game]
                try:
                    finished = game.result()
                except Stopped:
                    continue
                except Exception as error:
                    self._problem(f"session {number}: {type(error).__name__}: {error}")
                    continue
                self._finished[number] = finished
        except KeyboardInterrupt:
            self._stop.set()
            pool.shutdown(
                wait=False, cancel_futures=True
            )  # the Runtime's end ends the calls that are under way
            raise
        pool.shutdown()

    def _client(
        self,
        runtime: FaultyRuntime,
        sessions: list[moonward.Session],
        number: int,
        plan: dict[int, str],
    ) -> Client:
        def answered() -> None:
            with self._lock:
                self.report.queries += 1
                count = self.report.queries
                loss = plan.pop(count, None)
            if self._progress is not None:
                done, faults = len(self._finished), len(self._faults.history)
                self._progress.tell(
                    f"{count} answers, {faults} faults, {done} of {len(sessions)} sessions over"
                )
            if loss is not None:
                self._lose(runtime, sessions, loss)

        return Client(sessions[number], self._history, self._stop, self._tell, answered)

    def _tell(self, outcome: str) -> None:
        with self._lock:
            self.report.calls[outcome] += 1

    def _problem(self, text: str) -> None:
        with self._lock:
            self.report.problems.append(text)

    # -- losses of the host's parts --------------------------------------------------------------------------------

    def _plan_of_losses(self, answers: int) -> dict[int, str]:
        """After which answer which part is lost."""
        parts = [*get_args(TreePart), "zygote", "zygote", "session", "session"]
        left = TREE_LOSSES
        plan: dict[int, str] = {}
        for count in sorted(self._random.sample(range(2, answers), min(self._losses, answers - 2))):
            part = self._random.choice(parts)
            if part in get_args(TreePart):
                left -= 1
                part = part if left >= 0 else "session"
            plan[count] = part
        return plan

    def _lose(self, runtime: FaultyRuntime, sessions: list[moonward.Session], part: str) -> None:
        try:
            if part == "zygote":
                runtime.lose_zygote()
            elif part == "session":
                with self._lock:
                    victim = self._random.choice(sessions)
                runtime.lose_session(victim.id)
            else:
                runtime.lose(part)  # type: ignore[arg-type]
        except (moonward.MoonwardError, PartLost):
            return  # it is being replaced just now: lost already
        with self._lock:
            self.report.faults[f"lose {part}"] += 1

    # -- latencies -------------------------------------------------------------------------------------------------

    @contextmanager
    def _watching(self, runtime: FaultyRuntime) -> Iterator[None]:
        """Look on the loop who is recovering, again and again."""
        services = runtime._core.services
        over = threading.Event()

        def look() -> None:
            self._look(services)
            if not over.is_set():
                services.loop.call_later(LOOK_S, look)

        services.loop.post(look)
        try:
            yield
        finally:
            over.set()

    def _look(self, services: Services) -> None:
        now_s = services.loop.clock()
        for session_id, actor in services.registry.actors.items():
            if actor.script.is_recovering:
                self._recovering.setdefault(session_id, now_s)
            elif session_id in self._recovering:
                self.report.recovery_s.append(now_s - self._recovering.pop(session_id))

    # -- afterwards ------------------------------------------------------------------------------------------------

    def _judge(self, runtime: FaultyRuntime, sessions: list[moonward.Session]) -> None:
        report, faults = self.report, self._faults
        struck: Counter[str] = Counter(each.kind for each in faults.history)
        report.faults += struck
        report.fewest_faults = min(faults.met_by(session.id) for session in sessions)
        if report.fewest_faults < self._least:
            self._problem(f"a session met {report.fewest_faults} faults, fewer than {self._least}")
        for session in sessions:
            restarted = [event for event in session.events() if event.kind == "restarted"]
            report.restarts += sum(event.data["reason"] != "zygote" for event in restarted)
            report.replays += len(restarted)
        for number, finished in self._finished.items():
            forks = self._parts[number].kind == "forks"
            self._outcomes[number] = Outcome.of(sessions[number], finished, side_by_side=forks)
        try:
            self._history.check(sessions)
        except HistoryError as error:
            report.problems += error.problems
        left = settled(lambda: runtime._core.wait(runtime._core.run(lambda r: r.complete(held(runtime)))))
        report.leaked |= {f"{kind} in the runtime": count for kind, count in left.items() if count}

    def _export(self, runtime: FaultyRuntime, sessions: list[moonward.Session]) -> None:
        for part, session in zip(self._parts, sessions, strict=True):
            runtime.export(session.id, self._folder / f"{part.number}.moonward")

    def _compare(self) -> None:
        """Run all again in another process, without faults."""
        try:
            for found in calm_runs(self._folder):
                number = found["number"]
                problems = self._differences(number, found)
                for each in problems:
                    self._problem(f"session {number} ({self._parts[number].kind}): {each}")
                self.report.completed += not problems
                if self._progress is not None:
                    self._progress.tell(f"compared with a calm run: {number + 1} of {len(self._parts)}")
        except RuntimeError as error:
            self._problem(str(error))

    def _differences(self, number: int, found: dict[str, Any]) -> list[str]:
        if number not in self._outcomes:
            return ["it did not end"]
        problems = self._outcomes[number].differences(Outcome(**found["outcome"]))
        if not found["agrees"]:
            problems.append(f"its journal does not agree with itself: {found['report']}")
        return problems


def held(runtime: FaultyRuntime) -> dict[str, int]:
    """What a Runtime holds for sessions; nothing, when all have ended."""
    services = runtime._core.services
    return {
        "workers": len(services.live),
        "watched slices": len(services.watchdog._slices),
        "restart budgets": len(services.budgets),
        "counts of notes": len(services.shown),
    }


def settled(look: Any) -> dict[str, int]:
    """What `look` still finds when there has been time to go."""
    deadline_s = time.monotonic() + SETTLED_S
    found: dict[str, int] = look()
    while any(found.values()) and time.monotonic() < deadline_s:
        threading.Event().wait(0.01)
        found = look()
    return found
