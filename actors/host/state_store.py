"""`alc.state.*`: a persistent key-value store of JSON values, in namespaces.

Concurrent sessions lose no update: each change is one transaction of the shared file, together with the row that
says that the call has been applied.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from moonward.actors.errors import CallError
from moonward.actors.host import arguments, ledger
from moonward.actors.host.database import Database
from moonward.actors.host.ledger import CallKey, CallOutcome

MAX_NAMESPACE_BYTES = 256
"""Longest name of a namespace. Arbitrary; names are words."""

MAX_KEY_BYTES = 1024
"""Longest key. Arbitrary; keys are words, or words and a hash."""

MAX_VALUE_BYTES = 4 << 20
"""Largest value, as JSON: half of the largest frame, so that it can be read back."""

MAX_SPACE_BYTES = 256 << 20
"""Most that one namespace may hold, keys and values. Arbitrary; one script must not fill the disk of all."""


def get(db: sqlite3.Connection, ns: str, key: str) -> str | None:
    """The value's JSON text, None if there is none."""
    row = db.execute("SELECT value FROM state WHERE ns = ? AND key = ?", (ns, key)).fetchone()
    return None if row is None else row[0]


def put(db: sqlite3.Connection, ns: str, key: str, value: Any) -> None:
    """Store a value. Raises `CallError`, before any change, when it is too large."""
    text = arguments.encode(value)
    size = len(text.encode())
    if size > MAX_VALUE_BYTES:
        raise CallError(f"value of {size} bytes is larger than {MAX_VALUE_BYTES}")
    old = get(db, ns, key)
    grown = size - len(old.encode()) if old is not None else size + len(key.encode())
    row = db.execute("SELECT bytes FROM space WHERE ns = ?", (ns,)).fetchone()
    used = (row[0] if row else 0) + grown
    if grown > 0 and used > MAX_SPACE_BYTES:
        raise CallError(f"namespace {ns!r} would hold more than {MAX_SPACE_BYTES} bytes")
    db.execute("INSERT OR REPLACE INTO space VALUES (?, ?)", (ns, used))
    db.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (ns, key, text))


def call_get(db: sqlite3.Connection, ns: str, key: str) -> str | None:
    """`get(key)`: the value, nothing if there is none."""
    return get(db, ns, key)


def call_has(db: sqlite3.Connection, ns: str, key: str) -> str:
    """`has(key)`: whether there is a value, null included."""
    return "false" if get(db, ns, key) is None else "true"


def call_keys(db: sqlite3.Connection, ns: str) -> str:
    """`keys()`: the keys, in order of their bytes."""
    keys: list[str] = []
    size = 0
    for (key,) in db.execute("SELECT key FROM state WHERE ns = ? ORDER BY key", (ns,)):
        size += len(key) + len('"",')
        if size > arguments.MAX_RESULT_BYTES:
            raise CallError(f"the keys are more than {arguments.MAX_RESULT_BYTES} bytes")
        keys.append(key)
    return arguments.result(keys)


def call_set(db: sqlite3.Connection, ns: str, key: str, value: Any) -> None:
    """`set(key, value)`."""
    put(db, ns, key, value)


def call_set_nx(db: sqlite3.Connection, ns: str, key: str, value: Any) -> str:
    """`set_nx(key, value)`: store it unless there is a value; whether it was stored."""
    if get(db, ns, key) is not None:
        return "false"
    put(db, ns, key, value)
    return "true"


def call_delete(db: sqlite3.Connection, ns: str, key: str) -> str:
    """`delete(key)`: whether there was a value."""
    old = get(db, ns, key)
    if old is None:
        return "false"
    size = len(old.encode()) + len(key.encode())
    db.execute("UPDATE space SET bytes = bytes - ? WHERE ns = ?", (size, ns))
    db.execute("DELETE FROM state WHERE ns = ? AND key = ?", (ns, key))
    return "true"


def call_incr(db: sqlite3.Connection, ns: str, key: str, delta: Any, default: Any) -> str:
    """`incr(key, delta=1, default=0)`: the new number; integers stay integers, floats make floats."""
    step = arguments.number(1 if delta is None else delta, "delta")
    start = arguments.number(0 if default is None else default, "default")
    stored = get(db, ns, key)
    if stored is not None:
        start = arguments.number(msgspec.json.decode(stored), f"the value of {key!r}")
    total = start + step
    if isinstance(total, float) and not math.isfinite(total):
        raise CallError("the sum is not finite")
    arguments.number(total, "the sum")
    put(db, ns, key, total)
    return arguments.encode(total)


class Operation(msgspec.Struct, frozen=True):
    """`run(connection, namespace, *values)`; `values` are named, a first one called `key` is a key."""

    run: Callable[..., str | None]
    values: tuple[str, ...]
    is_effect: bool = False


OPERATIONS = {
    "state.get": Operation(call_get, ("key",)),
    "state.has": Operation(call_has, ("key",)),
    "state.keys": Operation(call_keys, ()),
    "state.set": Operation(call_set, ("key", "value"), is_effect=True),
    "state.set_nx": Operation(call_set_nx, ("key", "value"), is_effect=True),
    "state.delete": Operation(call_delete, ("key",), is_effect=True),
    "state.incr": Operation(call_incr, ("key", "delta", "default"), is_effect=True),
}
"""The calls; the arguments of each are the namespace and these values, of which trailing ones may be left out."""


class StateStore:
    """State in `database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def call(self, key: CallKey, name: str, args: list[Any]) -> CallOutcome:
        """Perform a call of `OPERATIONS`. An effect is applied once for its `key`; a repeat gets the first outcome.

        Raises `CallError` for wrong arguments, `CallDiverged`, `HostStorageError`.
        """
        operation = OPERATIONS[name]
        namespace, values = checked(operation, args)
        if not operation.is_effect:
            with self._database.read() as db:
                return ledger.find(db, key) or CallOutcome(operation.run(db, namespace, *values))
        with self._database.write() as db:
            recorded = ledger.find(db, key)
            if recorded is not None:
                return recorded
            try:
                outcome = CallOutcome(operation.run(db, namespace, *values))
            except CallError as error:  # always raised before the first change
                outcome = CallOutcome(error=str(error))
            ledger.record(db, key, outcome)
            return outcome


def checked(operation: Operation, args: list[Any]) -> tuple[str, list[Any]]:
    """The namespace and the values of a call, missing ones as None. Raises `CallError`."""
    expected = 1 + len(operation.values)
    if not 1 <= len(args) <= expected:
        raise CallError(f"from 1 to {expected} arguments are expected, got {len(args)}")
    namespace = arguments.text(args[0], "the namespace", MAX_NAMESPACE_BYTES)
    values = args[1:] + [None] * (expected - len(args))
    if "key" in operation.values:
        arguments.text(values[0], "key", MAX_KEY_BYTES, may_be_empty=True)
    return namespace, values
