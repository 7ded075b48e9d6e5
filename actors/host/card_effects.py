"""Effects on card files, exactly once.

Theory: no transaction covers several files and the ledger. So an effect is first planned, and the plan (what files
will hold) is made durable in the ledger together with the call's outcome; then the files are written; then the plan
is struck out. All of it under the writers' lock. A host that dies in between leaves a plan, and whoever has the lock
next carries it out before planning anything else: an effect is there whole or not at all, once, and in order.

What does not work: a reader that comes between a host's death and the next writer sees the state before the effect.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from moonward.actors.errors import CallError, HostStorageError
from moonward.actors.host import ledger
from moonward.actors.host.card_files import CardFiles, FileWrite
from moonward.actors.host.database import Database
from moonward.actors.host.ledger import CallKey, CallOutcome


class Plan(msgspec.Struct, frozen=True):
    """What a call will have done: its result as JSON text, and the file to be written, if any."""

    result: str
    write: FileWrite | None = None


class CardEffects:
    """Applies plans to `files`, once for each call, noted in `database`."""

    def __init__(self, files: CardFiles, database: Database) -> None:
        self._files = files
        self._database = database

    def apply(self, key: CallKey, plan: Callable[[], Plan]) -> CallOutcome:
        """The outcome of `plan()`, carried out now or, for a repeated call, when it was first made.

        A `CallError` of `plan` is an outcome too. Raises `CallDiverged`, `HostStorageError`.
        """
        with self._files.writing():
            self._finish(key)
            with self._database.read() as db:
                recorded = ledger.find(db, key)
            if recorded is not None:
                return recorded
            try:
                planned = plan()
                outcome = CallOutcome(planned.result)
            except CallError as error:
                planned, outcome = None, CallOutcome(error=str(error))
            write = planned.write if planned is not None else None
            pending = msgspec.json.encode(write).decode() if write is not None else None
            with self._database.write() as db:
                ledger.record(db, key, outcome, pending)
            if write is not None:
                self._carry_out(key.session, key.seq, write)
            return outcome

    def forget(self, session: str) -> None:
        """Carry out what the session left, then drop its rows."""
        with self._database.write() as db:
            ledger.forget(db, session)
            left = any(each == session for each, _, _ in ledger.unsettled(db))
        if left:
            with self._files.writing():
                self._finish(CallKey(session, "", ""))
            with self._database.write() as db:
                ledger.forget(db, session)

    def _finish(self, key: CallKey) -> None:
        """Carry out plans that were left. Another session's that cannot be written waits for its own repeat."""
        with self._database.read() as db:
            left = ledger.unsettled(db)
        for session, seq, pending in left:
            try:
                self._carry_out(session, seq, msgspec.json.decode(pending, type=FileWrite))
            except HostStorageError:
                if session == key.session:
                    raise

    def _carry_out(self, session: str, seq: str, write: FileWrite) -> None:
        self._files.write(write)
        with self._database.write() as db:
            ledger.settle(db, session, seq)
