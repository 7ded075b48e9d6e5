"""Sessions from journals: a fork from a point of another, an import, a rehearsal. Loop thread only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moonward.actors.branch import branch
from moonward.actors.errors import SessionNotFound, SettingsError
from moonward.actors.journal.entries import Entry, Started
from moonward.actors.rehearsal import Rehearsal, Report
from moonward.supervisor.errors import MoonwardError

if TYPE_CHECKING:
    from moonward.actors.services import Services
    from moonward.supervisor.reply import Reply


def fork(services: Services, session_id: str, at: int, new_id: str, reply: Reply[str]) -> None:
    """Begin the session `new_id` with the entries of another up to and including number `at`."""

    def read(entries: list[Entry] | None, error: BaseException | None) -> None:
        if entries is None:
            reply.fail(error or SessionNotFound(session_id))
            return
        try:
            copy = branch(entries, at, new_id)
        except SettingsError as wrong:
            reply.fail(wrong)
            return
        restore(services, copy, reply)

    services.store.look(session_id, read)


def restore(services: Services, entries: list[Entry], reply: Reply[str]) -> None:
    """Hold a session that comes with its past."""
    started = entries[0]
    assert isinstance(started, Started)
    session_id = started.session_id

    def restored(error: BaseException | None) -> None:
        if error is not None:
            reply.fail(error)
        else:
            hold(services, session_id, reply)

    services.store.restore(session_id, entries, restored)


def hold(services: Services, session_id: str, reply: Reply[str]) -> None:
    """Give a session that was put into the journal its actor; the reply is its id."""

    def opened(_: list[Entry] | None, error: BaseException | None) -> None:
        if error is None:
            try:
                services.sessions.add(session_id, asleep=services.store.is_durable)
            except MoonwardError as wrong:
                error = wrong
        if error is not None:
            reply.fail(error)
        else:
            reply.complete(session_id)

    services.store.open(session_id, opened)


def rehearse(services: Services, session_id: str, code: str | None, reply: Reply[Report]) -> None:
    """Run a journal again, changing nothing."""

    def read(entries: list[Entry] | None, error: BaseException | None) -> None:
        if entries is None:
            reply.fail(error or SessionNotFound(session_id))
        else:
            Rehearsal(services, entries, code, reply).run()

    services.store.look(session_id, read)
