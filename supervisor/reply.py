"""A single-use place for an outcome that comes later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Reply(Generic[T]):
    """Set once, by `complete` or `fail`; later outcomes are ignored. Safe from any thread.

    Listeners run on the thread that sets the outcome, or at once when it is set already; they must not block.
    """

    __slots__ = ("_error", "_gates", "_listeners", "_lock", "_value", "is_set")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Reply[T]], None]] | None = []
        self._gates: list[threading.Lock] = []
        self._value: T | None = None
        self._error: BaseException | None = None
        self.is_set = False

    def complete(self, value: T) -> bool:
        """Set the outcome to `value`; False if there was one before."""
        return self._settle(value, None)

    def fail(self, error: BaseException) -> bool:
        """Set the outcome to `error`; False if there was one before."""
        return self._settle(None, error)

    def _settle(self, value: T | None, error: BaseException | None) -> bool:
        with self._lock:
            if self.is_set:
                return False
            self._value, self._error, self.is_set = value, error, True
            listeners, self._listeners = self._listeners, None
            gates = self._gates
        for gate in gates:
            gate.release()
        for listener in listeners or ():
            listener(self)
        return True

    def on_set(self, listener: Callable[[Reply[T]], None]) -> None:
        """Call `listener(self)` once the outcome is set."""
        with self._lock:
            if self._listeners is not None:
                self._listeners.append(listener)
                return
        listener(self)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until the outcome is set; False when `timeout_s` passed first."""
        gate = threading.Lock()  # a bare lock costs a third of an Event to make and to wait for
        gate.acquire()
        with self._lock:
            if self.is_set:
                return True
            self._gates.append(gate)
        return (
            gate.acquire(timeout=-1 if timeout_s is None else min(timeout_s, threading.TIMEOUT_MAX))
            or self.is_set
        )

    def result(self) -> T:
        """The value, or raise the error. Only once `is_set`."""
        assert self.is_set, "no outcome yet"
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    @property
    def error(self) -> BaseException | None:
        """The error, if that is the outcome."""
        return self._error
