"""What a script may ask of the host, by name: `state.*` and `card.*`.

Theory: a call is named by (session, seq) and known by the digest of its request. An effect is applied once for its
name, however often it is repeated; see `ledger`. Refusals are outcomes, raised in Lua. What is wrong with the disk is
a `HostStorageError`, raised here: nothing was acknowledged, and the same call can be repeated when the cause is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from moonward.actors.errors import CallError
from moonward.actors.host import arguments, card_store, state_store
from moonward.actors.host.card_files import CardFiles
from moonward.actors.host.card_store import CardStore
from moonward.actors.host.database import Database
from moonward.actors.host.ledger import CallKey, CallOutcome
from moonward.actors.host.state_store import StateStore
from moonward.supervisor.errors import MoonwardError

STATE_FILE = "state.db"
CARDS_FOLDER = "cards"


class HostCalls:
    """The host's side of `state.*` and `card.*`, under `data_dir`. Blocks: run it on a `JobThread`.

    `now` gives seconds since the epoch; it dates cards.
    """

    def __init__(self, data_dir: Path, now: Callable[[], float] = time.time) -> None:
        self._database = Database(data_dir / STATE_FILE)
        self._used = False
        self._state = StateStore(self._database)
        self._cards = CardStore(CardFiles(data_dir / CARDS_FOLDER), self._database, now)

    def is_known(self, name: str) -> bool:
        """Whether a call of this name exists."""
        return name in state_store.OPERATIONS or name in card_store.OPERATIONS

    def is_effect(self, name: str) -> bool:
        """Whether a call of this name may change something, so that it must wait for its session's journal."""
        if name in card_store.OPERATIONS:
            return card_store.OPERATIONS[name].is_effect
        return name in state_store.OPERATIONS and state_store.OPERATIONS[name].is_effect

    def perform(
        self, session_id: str, seq: str, digest: str, name: str, args: bytes, namespace: str | None = None
    ) -> CallOutcome:
        """Answer one call; `args` is a JSON array. A repeat of an applied effect gets the first outcome.

        `namespace`, if given, is the only one that `state.*` may use, whatever `args` name.
        Raises `CallDiverged` when `seq` was applied with another digest, and `HostStorageError`.
        """
        self._used = True
        key = CallKey(session_id, seq, digest)
        try:
            if not self.is_known(name):
                raise CallError("there is no such call of the host")
            values = arguments.decode(args)
            if name in state_store.OPERATIONS:
                values[:1] = values[:1] if namespace is None else [namespace]
                outcome = self._state.call(key, name, values)
            else:
                outcome = self._cards.call(key, name, values)
        except CallError as error:
            outcome = CallOutcome(error=str(error))
        except MoonwardError:
            raise
        except Exception as error:  # a defect here must not tell a script anything of the host
            return CallOutcome(error=f"alc.{name}: the host failed inside this call", cause=error)
        if outcome.error is not None:
            return msgspec.structs.replace(outcome, error=f"alc.{name}: {outcome.error}")
        return outcome

    @property
    def is_used(self) -> bool:
        """Whether any call came to this host, so that there may be something to forget."""
        return self._used

    def forget(self, session_id: str) -> None:
        """Drop what is kept to make the session's effects exactly-once; for when it has ended or is gone.

        Raises `HostStorageError`; harmless to leave undone.
        """
        self._cards.forget(session_id)

    def close(self) -> None:
        """Close the files."""
        self._database.close()
