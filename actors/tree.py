"""The supervision tree of a Runtime.

    runtime (one_for_one)
    ├── pool        warm workers, and the zygote that they are forked from
    ├── sessions    (dynamic) a restart budget for each session actor
    ├── registry    routes messages
    └── reaper      idle times, sleep, old results

The journal's store belongs to the Runtime, not to an actor: no restart can lose what it holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from moonward.actors import time_travel
from moonward.actors.errors import JournalError, SessionNotFound, SettingsError
from moonward.actors.host.calls import HostCalls
from moonward.actors.host.packages import find_module, search_path
from moonward.actors.job_thread import JobThread
from moonward.actors.journal import portable
from moonward.actors.journal.memory_store import MemoryStore
from moonward.actors.journal.salvage import Report
from moonward.actors.journal.sqlite_store import SqliteStore
from moonward.actors.journal.sqlite_writer import OnReport
from moonward.actors.reaper import Reaper
from moonward.actors.registry import Registry
from moonward.actors.services import Log, Services, string_paths
from moonward.actors.session_supervisor import SessionSupervisor
from moonward.actors.worker.prelude import Prelude
from moonward.actors.worker_pool import WorkerPool
from moonward.supervisor.child_spec import ChildKind, ChildSpec, Shutdown
from moonward.supervisor.event import EventKind, SupervisionEvent
from moonward.supervisor.report import TreeNode
from moonward.supervisor.supervisor import Supervisor

if TYPE_CHECKING:
    from moonward.actors.event_stream import EventStream
    from moonward.actors.faults import Faults
    from moonward.actors.journal.store import Store
    from moonward.actors.session_state import Instant
    from moonward.actors.settings import Settings
    from moonward.supervisor.loop import Loop
    from moonward.supervisor.reply import Reply

SQLITE = "sqlite:///"

ROOT_INTENSITY = 10
"""Restarts of the Runtime's own parts within `ROOT_PERIOD_S` before the Runtime gives up. Arbitrary: none of them
runs a script, so one that fails that often will not be mended by another start."""

ROOT_PERIOD_S = 60.0

CLOSE_S = 1.0
"""Seconds in which a journal that could not be opened must be closed; there is nothing to write."""

POOL_SHUTDOWN_S = 1.0
"""Seconds that workers and zygote have to be gone in; they are killed at once, which takes about a millisecond."""


def build(
    loop: Loop,
    settings: Settings,
    log: Log,
    events: EventStream,
    now: Callable[[], Instant],
    make_store: Callable[[Loop, Settings], Store] | None,
    faults: Faults | None,
    reply: Reply[Services],
) -> None:
    """Make what the actors share. Loop thread; the reply comes when the journal is open."""
    salvaged: list[Report] = []

    def report(found: Report) -> None:
        salvaged.append(found)
        log.warning("journal.salvaged", **msgspec.structs.asdict(found))

    store = make_store(loop, settings) if make_store is not None else open_store(loop, settings, report)
    data_dir = settings.data_path
    services = Services(
        loop=loop,
        settings=settings,
        store=store,
        jobs=JobThread(loop, "moonward-calls"),
        files=JobThread(loop, "moonward-files"),
        calls=HostCalls(data_dir),
        log=log,
        now=now,
        find_module=find_module,
        package_paths=[*string_paths(settings.package_paths), *string_paths(search_path(os.environ))],
        dirs={name: str(data_dir / name) for name in ("state", "cards", "scenarios")},
        events=events,
        prelude=store.keep(Prelude.installed().body),
        faults=faults,
        salvaged=salvaged,
    )
    if settings.idle_ttl is not None:
        store.adopt(lambda ids, error: prepared(services, ids or [], error, reply))
    else:
        store.prepare(lambda error: prepared(services, [], error, reply))


def prepared(services: Services, ids: list[str], error: BaseException | None, reply: Reply[Services]) -> None:
    """The journal is open, or is not.

    No session is taken before somebody wants something of it: other hosts may be there to do so, now or later. But
    where sessions are to expire, somebody must have them: `ids` were taken, and are watched from now on.
    """
    if error is not None:
        services.store.close(CLOSE_S, partial(_fail, reply, error))
        return
    for session_id in ids:
        services.sleepers.put(session_id)
    if services.store.is_durable:
        services.log.info("journal.opened", journal=services.settings.journal)
    reply.complete(services)


def _fail(reply: Reply[Any], error: BaseException, _: BaseException | None) -> None:
    reply.fail(error)


def open_store(loop: Loop, settings: Settings, report: OnReport) -> Store:
    """The store of `Settings.journal`; `report` hears what had to be salvaged of it."""
    if not settings.is_durable:
        return MemoryStore()
    if not settings.journal.startswith(SQLITE):
        raise SettingsError(f"journal must be memory: or sqlite:///path, got {settings.journal!r}")
    if settings.journal == settings.home_journal:
        make_home(settings.data_path)
    path = Path(settings.journal.removeprefix(SQLITE)).expanduser()
    return SqliteStore(loop, str(path), durability=settings.durability, on_report=report)


def make_home(folder: Path) -> None:
    """Make the data directory, for its user alone; `JournalError` says why it could not be made."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(
            f"the data directory {str(folder)!r} cannot be made: {error.strerror};"
            " name another as data_dir, or another journal"
        ) from error


def plant(services: Services) -> Supervisor:
    """The root supervisor, not yet launched. Loop thread."""
    settings, loop = services.settings, services.loop

    def told(event: SupervisionEvent) -> None:
        tell = (
            services.log.debug
            if event.kind in (EventKind.STARTED, EventKind.EXITED)
            else services.log.warning
        )
        fields = event.as_dict()
        tell(f"supervisor.{fields.pop('event')}", **fields)

    def pool() -> WorkerPool:
        services.pool = WorkerPool(
            loop,
            settings.warm_workers,
            start_timeout_s=settings.start_timeout,
            on_event=lambda name, fields: services.log.info(f"pool.{name}", **fields),
            require_confinement=settings.require_confinement,
            memory_bytes=settings.limits.memory_bytes,
            lives=settings.worker_lives if settings.worker_reuse == "clean" else 1,
            max_age_s=settings.warm_max_age,
            estate=services.estate,
            spawner=services.faults.spawner(loop) if services.faults is not None else None,
        )
        return services.pool

    def sessions() -> SessionSupervisor:
        services.sessions = SessionSupervisor(services, told)
        return services.sessions

    specs = [
        ChildSpec("pool", pool, shutdown=Shutdown(POOL_SHUTDOWN_S)),
        ChildSpec("sessions", sessions, kind=ChildKind.SUPERVISOR),
        ChildSpec("registry", lambda: Registry(services)),
        ChildSpec("reaper", lambda: Reaper(services)),
    ]
    return Supervisor(
        loop, specs, name="runtime", intensity=ROOT_INTENSITY, period_s=ROOT_PERIOD_S, on_event=told
    )


def retire(services: Services) -> None:
    """The Runtime closes: sessions that nothing will remember end as `closed`. Loop thread."""
    services.is_closing = True
    for actor in list(services.registry.actors.values()):
        try:
            actor.close()
        except Exception as error:  # one that cannot be closed in order must not keep the others from it
            services.log.error("session.not_closed", session_id=actor.session_id, error=repr(error))


def export(services: Services, session_id: str, path: Path, reply: Reply[None]) -> None:
    """Write a session to a portable file of mode 0600, which appears whole or not at all. Loop thread."""

    def collected(found: portable.Portable | None, error: BaseException | None) -> None:
        if found is None:
            reply.fail(error or SessionNotFound(session_id))
        else:
            services.files.submit(lambda: write_whole(path, portable.pack(found)), settled(reply))

    portable.collect(services.store, session_id, collected)


def import_(services: Services, path: Path, reply: Reply[str]) -> None:
    """Take a session from a portable file. Loop thread."""

    def unpacked(found: portable.Portable | None, error: BaseException | None) -> None:
        if found is None:
            reply.fail(error or JournalError(f"{path} could not be read"))
        else:
            portable.install(services.store, found, installed)

    def installed(session_id: str | None, error: BaseException | None) -> None:
        if session_id is None:
            reply.fail(error or JournalError(f"{path} could not be taken"))
        else:
            services.registry.let_go(session_id)  # one of that id that was pruned
            time_travel.hold(services, session_id, reply)

    services.files.submit(lambda: portable.unpack(read_whole(path)), unpacked)


def read_whole(path: Path) -> bytes:
    """The bytes of a file; `JournalError` says why there are none."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path} could not be read: {error.strerror}") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears when it is complete, or into what is no file: a pipe or a device is never replaced.

    A link stays, and what it names is written. `JournalError` says why it could not be.
    """
    if not path.name or path.name == "..":
        raise JournalError(f"{path} could not be written: it names no file")
    try:
        if path.exists() and not path.is_file():
            _write_into(path, data)
        else:
            _write_beside(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise JournalError(f"{path} could not be written: {error.strerror}") from error


def _write_into(path: Path, data: bytes) -> None:
    # Without O_NONBLOCK a pipe that nobody reads would keep the thread of files for ever.
    fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    os.set_blocking(fd, True)
    with os.fdopen(fd, "wb") as file:
        file.write(data)


def _write_beside(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


def settled(reply: Reply[Any]) -> Callable[[Any, BaseException | None], None]:
    """A callback that sets `reply`."""

    def done(value: Any, error: BaseException | None) -> None:
        if error is not None:
            reply.fail(error)
        else:
            reply.complete(value)

    return done


def picture(root: Supervisor, services: Services) -> dict[str, Any]:
    """The tree as plain values, with the numbers of the pool."""
    node = _plain(root.tree())
    for child in node["children"]:
        if child["id"] == "pool":
            child["stats"] = services.pool.stats()
    return node


def _plain(node: TreeNode) -> dict[str, Any]:
    return {
        "id": node.id,
        "kind": node.kind,
        "state": node.state,
        "restarts": node.restarts,
        "children": [_plain(each) for each in node.children],
    }
