"""What the actors of one Runtime share. No globals: two Runtimes share nothing but files they are told to share."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from moonward.actors.estate import Estate
from moonward.actors.event_stream import EventStream
from moonward.actors.event_streams import EventStreams
from moonward.actors.host.packages import Module
from moonward.actors.restart_budget import RestartBudget
from moonward.actors.session_state import Instant
from moonward.actors.sleepers import Sleepers
from moonward.actors.watchdog import Watchdog

if TYPE_CHECKING:
    from moonward.actors.faults import Faults
    from moonward.actors.greeting import Taken
    from moonward.actors.host.calls import HostCalls
    from moonward.actors.job_thread import JobThread
    from moonward.actors.journal.salvage import Report
    from moonward.actors.journal.store import Store
    from moonward.actors.registry import Registry
    from moonward.actors.session_supervisor import SessionSupervisor
    from moonward.actors.settings import Settings
    from moonward.actors.strand import Strand
    from moonward.actors.worker_pool import WorkerPool
    from moonward.supervisor.loop import Loop


DETAILS = frozenset(("paused", "answered", "resumed", "log", "progress"))
"""Events of every feed: told to the log at its lowest level only."""


class Log(Protocol):
    """Where what happens is told; structlog's shape."""

    @property
    def is_verbose(self) -> bool:
        """Whether anybody wants details."""

    def debug(self, event: str, **fields: Any) -> Any:
        """Detail."""

    def info(self, event: str, **fields: Any) -> Any:
        """Something happened as it should."""

    def warning(self, event: str, **fields: Any) -> Any:
        """Something happened that was mended."""

    def error(self, event: str, **fields: Any) -> Any:
        """Something failed."""


@dataclass
class Services:
    """Shared by all actors of a Runtime; used on the loop's thread.

    `jobs` is for what blocks for milliseconds, `files` for what may take a second: cards, portable files.
    `registry`, `pool` and `sessions` are replaced when those actors are restarted: nobody keeps them. `now` is the
    one clock. `salvaged` says what of the journal was damaged when it was opened. `orphans` are the sessions of a
    session supervisor that failed, and whether they slept.
    """

    loop: Loop
    settings: Settings
    store: Store
    jobs: JobThread
    files: JobThread
    calls: HostCalls
    log: Log
    now: Callable[[], Instant]
    find_module: Callable[[str, Sequence[str], int], Module]
    package_paths: list[str]
    dirs: dict[str, str]
    events: EventStream
    prelude: str
    faults: Faults | None = None
    salvaged: Sequence[Report] = ()
    registry: Registry = field(init=False)
    pool: WorkerPool = field(init=False)
    sessions: SessionSupervisor = field(init=False)
    watchdog: Watchdog = field(init=False)
    estate: Estate = field(default_factory=Estate)
    is_closing: bool = False
    budgets: dict[str, RestartBudget] = field(default_factory=dict)
    shown: dict[str, dict[str, int]] = field(default_factory=dict)
    orphans: dict[str, bool] = field(default_factory=dict)
    streams: EventStreams = field(init=False)
    sleepers: Sleepers = field(init=False)
    live: set[Strand] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    random: random.Random = field(default_factory=random.SystemRandom)

    def __post_init__(self) -> None:
        self.watchdog = Watchdog(self.loop)
        self.streams = EventStreams(self.events.epoch, self.settings.event_buffer)
        self.sleepers = Sleepers(self)

    def budget_of(self, session_id: str) -> RestartBudget:
        """The restart budget of a session; it outlives the session's actor."""
        budget = self.budgets.get(session_id)
        if budget is None:
            settings = self.settings
            budget = RestartBudget(settings.restart_intensity, settings.restart_period, self.random.random)
            self.budgets[session_id] = budget
        return budget

    def shown_of(self, session_id: str) -> dict[str, int]:
        """How many notes of each strand of a session its observers were shown; it outlives the session's actor."""
        return self.shown.setdefault(session_id, {})

    def forget(self, session_id: str) -> None:
        """A session has ended, or sleeps in the journal alone: what outlived its actors is of no use any more."""
        self.budgets.pop(session_id, None)
        self.shown.pop(session_id, None)

    def show(self, session_id: str, kind: str, data: dict[str, Any], at_ms: int) -> None:
        """Tell the observers, and the log, what happened to a session at `at_ms` (Unix milliseconds)."""
        item = (kind, session_id, at_ms, data)
        self.streams.hold(session_id).push(item)
        self.events.push(item)
        if kind not in DETAILS or self.log.is_verbose:
            self._tell_log(session_id, kind, data)

    def _tell_log(self, session_id: str, kind: str, data: dict[str, Any]) -> None:
        """Prompts, answers, results and what scripts print stay out of the log unless asked for."""
        log, open_ = self.log, self.settings.log_prompts
        if kind == "paused":
            fields: dict[str, Any] = {"queries": [query.id for query in data["queries"]]}
            if open_:
                fields["prompts"] = [query.prompt for query in data["queries"]]
            log.debug("session.paused", session_id=session_id, **fields)
        elif kind == "answered":
            fields = {key: value for key, value in data.items() if open_ or key != "response"}
            log.debug("session.answered", session_id=session_id, **fields)
        elif kind in ("log", "progress"):
            if open_:
                log.debug(f"session.{kind}", session_id=session_id, **data)
        elif kind == "finished":
            fields = {"phase": data["phase"]}
            if open_:
                fields["state"] = repr(data["state"])
            log.info("session.finished", session_id=session_id, **fields)
        elif kind == "restarted":
            log.warning("session.restarted", session_id=session_id, **data)
        elif kind == "resumed":
            log.debug("session.resumed", session_id=session_id)
        else:
            log.info(f"session.{kind}", session_id=session_id)

    def take_worker(self, session_id: str, strand: str, memory_bytes: int, done: Taken) -> None:
        """Give `done` a worker from the pool for a strand of a session."""
        failure = self.faults.start_fails(session_id, strand) if self.faults is not None else None
        if failure is None:
            self.pool.take(memory_bytes, done)
        else:
            self.loop.post(lambda: done(None, failure))

    def forget_calls(self, session_id: str) -> None:
        """What has ended repeats no call: the host need not remember which it applied."""
        calls, log = self.calls, self.log

        def forgot(_: object, error: BaseException | None) -> None:
            if error is not None:
                log.debug("calls.not_forgotten", session_id=session_id, error=str(error))

        if calls.is_used:
            self.jobs.submit(lambda: calls.forget(session_id), forgot)

    def worker_here(self, strand: Strand) -> None:
        """A strand has a worker."""
        self.live.add(strand)

    def worker_gone(self, strand: Strand) -> None:
        """A strand has given its worker up, or lost it."""
        self.live.discard(strand)


def string_paths(paths: Sequence[Path | str]) -> list[str]:
    """Absolute paths as text."""
    return [str(Path(path).absolute()) for path in paths]
