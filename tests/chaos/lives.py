"""The host of the moment, for many clients: they wait while there is none, and it is known when none of them calls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .host_link import HostLink


class Stopped(Exception):
    """The storm is over."""


class Lives:
    """One thread puts hosts in and takes them out, any number use them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._link: HostLink | None = None
        self._users = 0
        self._stopped = False

    @contextmanager
    def host(self) -> Iterator[HostLink]:
        """The living host, waited for. Raises `Stopped` at the end of the storm."""
        with self._changed:
            while self._link is None and not self._stopped:
                self._changed.wait()
            if self._link is None or self._stopped:
                raise Stopped
            link = self._link
            self._users += 1
        try:
            yield link
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    def put(self, link: HostLink) -> None:
        """Let clients use `link`."""
        with self._changed:
            self._link = link
            self._changed.notify_all()

    def take(self) -> None:
        """Let nobody begin anything more; what is under way stays so."""
        with self._changed:
            self._link = None

    def settle(self) -> None:
        """Wait until nothing is under way."""
        with self._changed:
            while self._users:
                self._changed.wait()

    def stop(self) -> None:
        """Nobody waits any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
