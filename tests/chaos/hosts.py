"""The storm over hosts: a client plays sessions over a durable Runtime in a process that is killed again and again.

Sessions start, are answered, sleep and wake. The host is killed with SIGKILL at moments drawn from the seed: while it
starts, in the middle of calls, with a full disk. Each time another is started on the same journal, every session is
read and compared with what the client has been told, and the client goes on: what it does not know it asks again.
At the end all sessions run once more without faults, in another process: everything must be the same.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from moonward.testing import History, HistoryError, Holdings

from . import kept_state
from .calm_run import calm_runs
from .disk import Disk
from .game import AGAIN, Game, number_of
from .host_link import HostLink, Refused
from .host_report import HostReport, new_report
from .kill_plan import Kill, plan
from .lives import Lives, Stopped
from .orphans import Orphans
from .outcome import Outcome
from .progress import Progress
from .scripts import QUERIES, Part, write_packages

PLAYERS = 16
"""Calls that are under way at a time. Arbitrary: enough that a kill always hits some."""

SLEEPY_S = 0.02
"""Seconds after which a session that nobody feeds goes to sleep: with more sessions than players, most do."""

PAUSE_S = 0.01
"""Seconds before a call is tried again that met a full disk."""

LOOK_S = 0.001
"""Seconds between two looks at how many answers are in: the resolution of the moments of kills."""

KILLS_UNTIL = 0.9
"""Share of all answers after which no more kills are planned, so that what is left is played to its end."""


class HostStorm:
    """One storm over `sessions` sessions, whose host is killed `kills` times. `meddle` is called after
    each kill, `calm` says whether all is run again at the end."""

    def __init__(
        self,
        folder: Path,
        *,
        sessions: int,
        kills: int,
        seed: int,
        progress: Progress | None = None,
        meddle: Callable[[Path], None] | None = None,
        calm: bool = True,
    ) -> None:
        self._folder = folder
        self._parts = [Part.of(number) for number in range(sessions)]
        self._plan = plan(seed, kills, int(sessions * QUERIES * KILLS_UNTIL))
        self._dice = random.Random(f"hosts {seed}")
        self._progress = progress
        self._meddle = meddle
        self._calm = calm
        self._history = History()
        self._calls: Counter[str] = Counter()
        packages = str(write_packages(folder))
        self._games = [Game(number, packages, self._history, self._calls, seed) for number in range(sessions)]
        self._open: SimpleQueue[Game] = SimpleQueue()
        self._lives = Lives()
        self._link: HostLink | None = None
        self._failed = threading.Event()
        self.report = new_report(seed, sessions)

    def blow(self) -> HostReport:
        """The whole storm; KeyboardInterrupt ends it early, with a report of what was."""
        began_s = time.monotonic()
        before = Holdings.now()
        try:
            with Orphans() as self._orphans, Disk(self._folder / "disk") as self._disk:
                self._blow()
        except KeyboardInterrupt:
            self.report.interrupted = True
        except Exception as error:  # a host that ended by itself, or hangs: what was is reported all the same
            self._problem(f"the storm ended early: {type(error).__name__}: {error}")
        self._count()
        for kind, left in Holdings.now().beyond(before).items():
            self.report.leaked[kind] = len(left)
            self._problem(f"left behind, {kind}: {', '.join(left)}")
        self.report.seconds = time.monotonic() - began_s
        return self.report

    def _blow(self) -> None:
        for game in self._games:
            self._open.put(game)
        players = [
            threading.Thread(target=self._player, name=f"player {number}")
            for number in range(min(PLAYERS, max(2, len(self._games) // 2)))
        ]
        for player in players:
            player.start()
        try:
            for number, kill in enumerate(self._plan):
                self._life(number, kill)
            self._last_life(players)
        finally:
            self._lives.stop()
            if self._link is not None:
                self._kill(self._link)
            for player in players:
                player.join()
        if self._calm:
            self._compare()

    # -- the client ----------------------------------------------------------------------------------------------

    def _player(self) -> None:
        while True:
            try:
                game = self._open.get_nowait()
            except Empty:
                return
            try:
                with self._lives.host() as link:
                    before = self._calls_refused()
                    game.play(link)
            except Stopped:
                return
            except Exception as error:
                self._problem(f"session {game.number} ({game.session_id}): {type(error).__name__}: {error}")
                self._failed.set()
                continue
            if self._calls_refused() != before:
                threading.Event().wait(PAUSE_S)
            if not game.over:
                self._open.put(game)

    def _calls_refused(self) -> int:
        return sum(self._calls[f"{name}: {kind}"] for name in ("start", "feed", "wait") for kind in AGAIN)

    def _answers(self) -> int:
        return sum(game.answers for game in self._games)

    def _problem(self, text: str) -> None:
        self.report.problems.append(text)

    def _count(self) -> None:
        self.report.queries = self._answers()
        self.report.repeated = sum(game.repeated for game in self._games)
        self.report.calls = Counter(self._calls)

    # -- the host ------------------------------------------------------------------------------------------------

    def _life(self, number: int, kill: Kill) -> None:
        """One host, from its start to its kill."""
        link = self._start()
        if kill.early:
            self._failed.wait(kill.delay_s)
            self._end(link, "kill, starting")
            return
        self._ready(link)
        self._take_stock(link)
        self._lives.put(link)
        while self._answers() < kill.answers and any(not game.over for game in self._games):
            if self._failed.wait(LOOK_S):
                break
            self._tell(f"host {number + 1} of {len(self._plan) + 1}")
        name = self._full(link, kill) if kill.full else "kill"
        self._failed.wait(kill.delay_s)
        self._end(link, name)
        if kill.full and not kill.mended:
            self._start_when_full(kill)

    def _full(self, link: HostLink, kill: Kill) -> str:
        how = self._disk.fill(kill.full, link.process.pid, kill.room_bytes)
        self.report.faults["no space left" if how == "space" else "files may not grow"] += 1
        self._failed.wait(kill.full_s)
        if not kill.mended:
            return "kill, disk full"
        self._disk.mend(link.process.pid)
        self._failed.wait(kill.full_s)
        return "kill"

    def _start_when_full(self, kill: Kill) -> None:
        """The disk is full still: a host starts, or says why it cannot, and is killed too."""
        link = self._start()
        self._disk.fill(kill.full, link.process.pid, 0)
        try:
            link.wait_until_ready()
        except Refused as error:
            self.report.refused_starts += 1
            if error.kind != "JournalError":
                self._problem(f"a host on a full disk said: {error}")
        else:
            self._take_stock(link)
        self._disk.mend(None)
        self._end(link, "kill, disk full")

    def _start(self) -> HostLink:
        self._began_s = time.monotonic()
        self.report.started += 1
        self._link = HostLink(
            {
                "journal": f"sqlite:///{self._disk.folder / 'journal.db'}",
                "data_dir": str(self._disk.folder / "data"),
                "hibernate_after": SLEEPY_S,
                "reap_interval": SLEEPY_S,
                "max_sessions": 4 * len(self._games) + 16,
            }
        )
        return self._link

    def _ready(self, link: HostLink) -> None:
        link.wait_until_ready()
        self.report.ready_s.append(time.monotonic() - self._began_s)

    def _end(self, link: HostLink, name: str) -> None:
        self._lives.take()
        self._kill(link)
        self.report.faults[name] += 1
        self._lives.settle()
        if self._meddle is not None:
            self._meddle(self._disk.folder)

    def _kill(self, link: HostLink) -> None:
        link.kill()
        self._link = None
        self.report.replays += link.woken
        left = self._orphans.gone()
        self.report.dead_processes += len(left)
        self.report.leaked["processes of dead hosts"] = self.report.dead_processes
        if link.complaints:
            self._problem(f"a host wrote to standard error: {link.complaints[-2000:]}")

    # -- between two hosts ---------------------------------------------------------------------------------------

    def _take_stock(self, link: HostLink) -> None:
        """Read every session, compare with what is known, adopt those whose start nobody was told of."""
        transcripts: dict[str, list[dict[str, Any]]] = link.call("stock")
        self.report.readable_s.append(time.monotonic() - self._began_s)
        self._check(transcripts)
        known = {game.session_id for game in self._games}
        for session_id in transcripts.keys() - known:
            event = self._patiently(lambda each=session_id: link.call("wait", each))  # type: ignore[misc]
            if event is not None:
                self._games[number_of(event)].adopt(session_id, event)
        awake = [game.session_id for game in self._games if game.session_id and not game.over]
        if awake:
            chosen = self._dice.choice(awake)
            began_s = time.monotonic()
            if self._patiently(lambda: link.call("wake", chosen) or True):
                self.report.wake_s.append(time.monotonic() - began_s)

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """What `call` gives, None when the disk is full or it has ended."""
        try:
            return call()
        except Refused as error:
            if error.kind not in AGAIN | {"TransitionError"}:
                raise
            return None

    def _check(self, transcripts: dict[str, list[dict[str, Any]]]) -> None:
        try:
            self._history.check_transcripts(transcripts)
        except HistoryError as error:
            self._lose(error.problems)
        for game in self._games:
            if game.session_id is not None and game.session_id not in transcripts:
                self._lose([f"session {game.number} ({game.session_id}) is not there"])

    def _lose(self, problems: list[str]) -> None:
        self.report.lost += len(problems)
        self.report.problems += [each for each in problems if each not in self.report.problems]

    def _tell(self, text: str) -> None:
        if self._progress is not None:
            done = sum(game.over for game in self._games)
            self._progress.tell(
                f"{text}, {self._answers()} answers, {done} of {len(self._games)} sessions over"
            )

    # -- afterwards ----------------------------------------------------------------------------------------------

    def _last_life(self, players: list[threading.Thread]) -> None:
        link = self._start()
        self._ready(link)
        self._take_stock(link)
        self._lives.put(link)
        while any(player.is_alive() for player in players):
            self._failed.wait(LOOK_S)
            self._tell("last host")
        self._lives.take()
        self._check(link.call("stock"))
        self._outcomes: dict[int, Outcome] = {}
        for game in self._games:
            if game.over:
                self._outcomes[game.number] = Outcome(**link.call("outcome", game.session_id))
                link.call("export", game.session_id, str(self._folder / f"{game.number}.moonward"))
        self.report.replays += link.woken
        status = link.close()
        self._link = None
        if status or link.complaints:
            self._problem(f"the last host ended with {status}: {link.complaints[-2000:]}")
        left = self._orphans.gone()
        if left:
            self.report.leaked["processes of the last host"] = len(left)
        for each in kept_state.problems(self._disk.folder / "data", self._parts):
            self._problem(each)

    def _compare(self) -> None:
        """Run all again in another process, without faults."""
        try:
            for count, found in enumerate(calm_runs(self._folder)):
                problems = self._differences(found)
                for each in problems:
                    self._problem(f"session {found['number']}: {each}")
                self.report.completed += not problems
                if self._progress is not None:
                    self._progress.tell(f"compared with a calm run: {count + 1} of {len(self._parts)}")
        except RuntimeError as error:
            self._problem(str(error))

    def _differences(self, found: dict[str, Any]) -> list[str]:
        calm = Outcome(**found["outcome"] | {"logs": []})
        problems = self._outcomes[found["number"]].differences(calm)
        if not found["agrees"]:
            problems.append(f"its journal does not agree with itself: {found['report']}")
        return problems
