"""Connections over HTTP: so many at once and no more, and none for a client that asks for nothing.

uvicorn answers connections past its limit with 503 but keeps them, and waits without end for a client that has not
sent its request. Both cost open files, which sessions need as well.

What does not work: a client that sends a byte now and then keeps its connection.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS: Final = 1000
"""Connections at once; arbitrary: hosts use a few."""

PATIENCE_S: Final = 20.0
"""Seconds in which a client that owes its request, or the rest of one, must send something. Arbitrary; the wait may be
twice as long."""


class Connection(H11Protocol):
    """One connection. A request that is being answered takes as long as it takes."""

    most: ClassVar[int] = MAX_CONNECTIONS
    patience_s: ClassVar[float] = PATIENCE_S

    _has_spoken = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or close it at once."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The client has sent something."""
        self._has_spoken = True
        super().data_received(data)

    def _wait(self) -> None:
        self._has_spoken = False
        self._timer = self.loop.call_later(self.patience_s, self._look)

    def _look(self) -> None:
        is_asked = self.cycle is not None and not self.cycle.response_complete
        if self._has_spoken or (is_asked and self.conn.their_state is not h11.SEND_BODY):
            self._wait()
        else:
            self.transport.abort()
