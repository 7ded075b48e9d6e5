"""Which hosts of a journal are alive: each holds a lock on a byte of its own in one file beside the journal.

The byte's offset is the host's epoch, a number that no two hosts of a journal ever share. The lock belongs to
the open file, not to the process (`F_OFD_SETLK`), so that two Runtimes of one process exclude each other too,
and closing some other descriptor of the file frees nothing. The kernel frees it when the host dies, however.

A file that was removed while hosts live hides them from those that come later, who may take their sessions over; the
journal's fences keep two hosts from writing to one session all the same. A host makes the file again, with its lock,
when it next wants to know who is alive.

A process that the host forks has the open file too, and closes it at once. What does not work: one that was not
forked by Python (`os.fork`, `multiprocessing`) keeps the lock for as long as it lives. File systems that do not share
locks between machines (most network ones) cannot hold a journal of several hosts.
"""

from __future__ import annotations

import fcntl
import os
import struct

from moonward.actors.errors import JournalError
from moonward.actors.forked import leave_in_child

_FLOCK = "hhqqi"
"""`struct flock` of 64-bit Linux: type, whence, start, length, process id."""


class HostLock:
    """The file of locks at `path`, made if it is not there. Any one thread at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = _open(path)
        self._mine = 0
        leave_in_child(self)

    def hold(self, epoch: int) -> None:
        """Be the host `epoch` until `close`, or until this process ends."""
        try:
            fcntl.fcntl(
                self._fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, epoch, 1, 0)
            )
        except OSError as error:
            raise JournalError(f"the lock of host {epoch} cannot be held: {error}") from error
        self._mine = epoch

    def hold_alone(self) -> None:
        """Keep others from mending the file, unless a host lives. Byte 0 is nobody's epoch."""
        if _is_locked(self._fd, 1, 0):
            raise JournalError("the journal is damaged, and a live host is using it; end that host first")
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0))
        except OSError as error:
            raise JournalError("the journal is damaged; another process is mending it") from error

    def is_alive(self, epoch: int) -> bool:
        """Whether the host `epoch` holds its lock; 0 is nobody."""
        if epoch == self._mine:
            return epoch != 0
        self._follow_file()
        return epoch > 0 and _is_locked(self._fd, epoch)

    def _follow_file(self) -> None:
        """Hold the lock in the file that is at the path now, should that be another."""
        held = os.fstat(self._fd)
        try:
            found = os.stat(self._path)
        except OSError:
            found = None
        if found is not None and (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino):
            return
        old, self._fd = self._fd, _open(self._path)
        os.close(old)
        if self._mine:
            self.hold(self._mine)

    def leave(self) -> None:
        """In a process that was forked from the host: not be the host."""
        self.close()

    def close(self) -> None:
        """Be dead."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._mine = 0


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(f"the journal's file of hosts {path!r} cannot be opened: {error}") from error


def living(path: str, epochs: set[int]) -> set[int]:
    """Those of `epochs` whose hosts are alive, without making the file at `path`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise JournalError(f"the journal's file of hosts {path!r} cannot be read: {error}") from error
    try:
        return {epoch for epoch in epochs if epoch > 0 and _is_locked(fd, epoch)}
    finally:
        os.close(fd)


def anyone_lives(path: str) -> bool:
    """Whether any host of the file of locks at `path` is alive."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return _is_locked(fd, 1, 0)
    finally:
        os.close(fd)


def _is_locked(fd: int, epoch: int, count: int = 1) -> bool:
    """Whether another open file holds one of `count` bytes from `epoch` on; 0 is all of them."""
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, epoch, count, 0)
    try:
        told: bytes = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, asked)
    except OSError as error:
        raise JournalError(f"the lock of host {epoch} cannot be looked at: {error}") from error
    return bool(struct.unpack_from(_FLOCK, told)[0] != fcntl.F_UNLCK)
