"""The host's side of a zygote: starts it, asks it for workers, hears how they end.

    WorkerPool ── spawn ──▶ ZygoteProcess ══ socket pair ══ zygote ── fork ──▶ worker
    WorkerProcess.on_exit ◀── exit reports ──┘

Guarantees:
- The host never forks: the zygote is started by `posix_spawn`, in a process group of its own.
- Each `done` given to `spawn` is called exactly once, on the loop.
- The end of each worker is reported exactly once: by the zygote, or, when that is lost, once the worker is gone.
- Someone else's `waitpid(-1)` or an ignored SIGCHLD changes nothing: ends are seen by pidfd.

Loop thread only.
"""

from __future__ import annotations

import array
import os
import select
import signal
import socket
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from moonward.actors.errors import ProtocolError, StartTimeout, WorkerCrashed, WorkerError
from moonward.actors.interpreter import spawn_interpreter
from moonward.actors.worker.zygote import received_fds
from moonward.actors.worker.zygote_messages import (
    MAX_MESSAGE_BYTES,
    Exited,
    ForkRequest,
    FromZygote,
    NotStarted,
    Ready,
    Started,
)
from moonward.actors.worker_process import ExitStatus, WorkerProcess
from moonward.actors.worker_stderr import WorkerStderr
from moonward.supervisor.loop import Loop, Timer

WORKER_ENTRY = "moonward.actors.worker.worker:serve"

LAST_WORDS_S = 0.5
"""How long a zygote that closed its socket may take to say why and end. Arbitrary; it takes milliseconds."""

Spawned = Callable[[WorkerProcess | None, Exception | None], None]


class _Spawning:
    """A fork that was asked for."""

    __slots__ = ("child_fds", "deadline", "done", "host_fds", "memory_bytes")

    def __init__(self, memory_bytes: int, done: Spawned) -> None:
        self.memory_bytes = memory_bytes
        self.done = done
        self.deadline: Timer | None = None
        self.child_fds: tuple[int, ...] = ()
        self.host_fds: tuple[int, ...] = ()
        child_in, host_in = os.pipe2(os.O_CLOEXEC)
        self.child_fds, self.host_fds = (child_in,), (host_in,)
        try:
            host_out, child_out = os.pipe2(os.O_CLOEXEC)
        except OSError:
            self.close()
            raise
        self.child_fds, self.host_fds = (child_in, child_out), (host_in, host_out)
        os.set_blocking(host_in, False)
        os.set_blocking(host_out, False)

    def close_child_fds(self) -> None:
        fds, self.child_fds = self.child_fds, ()
        for fd in fds:
            os.close(fd)

    def close(self) -> None:
        self.close_child_fds()
        fds, self.host_fds = self.host_fds, ()
        for fd in fds:
            os.close(fd)


class ZygoteProcess:
    """A zygote. `on_lost(reason)` is called once if it ends without having been closed."""

    def __init__(
        self,
        loop: Loop,
        on_lost: Callable[[WorkerError], None],
        *,
        entry: str = WORKER_ENTRY,
        start_timeout_s: float = 10.0,
        on_stderr: Callable[[str], None] = lambda _text: None,
        executable: str | None = None,
        entry_paths: Sequence[str] = (),
    ) -> None:
        """Start it. Raises `OSError` when no process could be made; `entry` is `module:function`."""
        self._loop = loop
        self._on_lost = on_lost
        self._start_timeout_s = start_timeout_s
        self._next_id = 0
        self._spawning: dict[int, _Spawning] = {}
        self._unsent: deque[int] = deque()
        self._workers: dict[int, WorkerProcess] = {}
        self._retired = False
        self._closing = False
        self._ended = False
        self._gone = False
        self._left = 0
        self._on_end: list[Callable[[], None]] = []
        self.facts: dict[str, Any] | None = None
        self._stderr = WorkerStderr(loop, on_stderr)
        try:
            self._control, self.pid, self._pidfd = self._start(entry, executable, entry_paths)
        except OSError:
            self._stderr.close()
            raise
        self._stderr.close_write_end()
        os.set_blocking(self._control.fileno(), False)
        loop.watch(self._control.fileno(), self._on_control)
        loop.watch(self._pidfd, lambda _events: self._on_gone())
        self._ready_deadline = loop.call_later(start_timeout_s, self._on_never_ready)

    def _start(
        self, entry: str, executable: str | None, entry_paths: Sequence[str]
    ) -> tuple[socket.socket, int, int]:
        """Its socket, process id and pidfd. Raises `OSError` and leaves nothing behind then."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = 0
        try:
            pid = spawn_interpreter(theirs.fileno(), self._stderr.write_fd, entry, executable, entry_paths)
            return ours, pid, os.pidfd_open(pid)
        except OSError:
            ours.close()
            if pid:  # no descriptor was left to watch it with
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            raise
        finally:
            theirs.close()

    @property
    def is_ready(self) -> bool:
        """Whether it has imported everything and said so."""
        return self.facts is not None

    @property
    def is_gone(self) -> bool:
        """Whether it, and every worker of its, has ended and nothing is held of them."""
        return self._gone

    @property
    def worker_count(self) -> int:
        """Workers that live."""
        return len(self._workers)

    @property
    def last_words(self) -> str:
        """The last line that it or one of its workers wrote to standard error."""
        return self._stderr.last_line

    def spawn(self, memory_bytes: int, done: Spawned) -> None:
        """Fork a worker; `done(process, None)` or `done(None, error)`. What runs in it has not said hello yet."""
        if self._ended or self._closing or self._retired:
            done(None, WorkerError("the zygote has ended"))
            return
        try:
            spawning = _Spawning(memory_bytes, done)
        except OSError as error:
            done(None, WorkerError(f"no pipes for a worker: {error}"))
            return
        self._next_id += 1
        self._spawning[self._next_id] = spawning
        self._unsent.append(self._next_id)
        deadline = self._start_timeout_s if self.is_ready else 2 * self._start_timeout_s
        spawning.deadline = self._loop.call_later(deadline, self._on_never_forked)
        self._send()

    def retire(self) -> None:
        """Fork no more; end once the last worker has. For a pool that goes while sessions stay."""
        self._retired = True
        self._fail_spawning(WorkerError("the zygote was retired"))
        if not self._workers:
            self.close()

    def close(self, timeout_s: float = 2.0, done: Callable[[], None] = lambda: None) -> None:
        """End it and all its workers; `done()` when they are gone. Killed if that takes longer than `timeout_s`."""
        if self._gone:
            done()
            return
        self._on_end.append(done)
        self._loop.call_later(timeout_s, self._kill)
        if not self._closing and not self._ended:
            self._closing = True
            self._fail_spawning(WorkerError("the zygote was closed"))
            for worker in self._workers.values():
                worker.kill()
            self._control.shutdown(socket.SHUT_WR)  # its end of file; exit reports still come

    def _send(self) -> None:
        while self._unsent:
            spawning = self._spawning.get(self._unsent[0])
            if spawning is not None:
                packet = msgspec.json.encode(ForkRequest(self._unsent[0], spawning.memory_bytes))
                fds = array.array("i", spawning.child_fds)
                try:
                    self._control.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
                except BlockingIOError:
                    self._loop.rewatch(self._control.fileno(), select.EPOLLIN | select.EPOLLOUT)
                    return
                except OSError:  # it is gone: that is about to be seen
                    return
                spawning.close_child_fds()
            self._unsent.popleft()

    def _on_control(self, events: int) -> None:
        if events & select.EPOLLOUT:
            self._loop.rewatch(self._control.fileno(), select.EPOLLIN)
            self._send()
        while not self._ended:
            try:
                packet, ancillary, _, _ = self._control.recvmsg(
                    MAX_MESSAGE_BYTES, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            except OSError:
                packet, ancillary = b"", []
            if not packet:
                self._loop.unwatch(self._control.fileno())
                self._loop.call_later(LAST_WORDS_S, self._kill)  # its pidfd tells when it is gone
                return
            self._on_packet(packet, received_fds(ancillary))

    def _on_packet(self, packet: bytes, fds: list[int]) -> None:
        try:
            message = msgspec.json.decode(packet, type=FromZygote)
        except msgspec.DecodeError:
            for fd in fds:
                os.close(fd)
            self._lose(ProtocolError("the zygote wrote what a zygote never writes"))
            return
        if isinstance(message, Started):
            self._on_started(message, fds)
        elif isinstance(message, Exited):
            self._on_exited(message)
        elif isinstance(message, Ready):
            self.facts = message.facts
            self._ready_deadline.cancel()
        elif isinstance(message, NotStarted):
            self._fail_one(message.id, WorkerError(f"a worker could not be forked: {message.error}"))

    def _on_started(self, message: Started, fds: list[int]) -> None:
        spawning = self._spawning.pop(message.id, None)
        if not fds:  # this process had no descriptor left to receive it with
            if spawning is not None:
                self._cancel(spawning)
                spawning.done(None, WorkerError("no descriptor is left for a worker's pidfd"))
            return  # its pipes are closed, so that it ends by itself
        worker_fds = spawning.host_fds if spawning is not None else (-1, -1)
        memory_bytes = spawning.memory_bytes if spawning is not None else 0
        worker = WorkerProcess(message.pid, fds[0], worker_fds[0], worker_fds[1], memory_bytes)
        self._workers[message.id] = worker
        if spawning is None or self._closing:
            worker.kill()
        if spawning is not None:
            if spawning.deadline is not None:
                spawning.deadline.cancel()
            spawning.done(worker, None)

    def _on_exited(self, message: Exited) -> None:
        worker = self._workers.pop(message.id, None)
        if worker is not None:
            worker.settle(ExitStatus.of_wait_status(message.status))
        if self._retired and not self._workers:
            self.close()

    def _on_never_ready(self) -> None:
        self._lose(StartTimeout(f"the zygote was not ready within {self._start_timeout_s:g} s"))

    def _on_never_forked(self) -> None:
        self._lose(StartTimeout("the zygote did not answer in time"))

    def _on_gone(self) -> None:
        self._on_control(0)  # the ends that it could still report
        self._stderr.drain()
        words = f": {self.last_words}" if self.last_words else ""
        self._lose(WorkerCrashed("the zygote ended" + words))

    def _kill(self) -> None:
        if not self._ended:
            try:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def _lose(self, reason: WorkerError) -> None:
        """It has ended, or must."""
        if self._ended:
            return
        self._kill()
        self._ended = True
        self._ready_deadline.cancel()
        self._loop.unwatch(self._control.fileno())
        self._control.close()
        self._loop.unwatch(self._pidfd)
        self._left = 1 + len(self._workers)
        when_gone(self._loop, self._pidfd, self._on_reaped)
        self._stderr.close()
        if not self._closing:
            self._on_lost(reason)
        self._fail_spawning(reason)
        workers, self._workers = self._workers, {}
        for worker in workers.values():
            worker.kill()
            when_gone(self._loop, worker.pidfd, partial(self._on_orphan_gone, worker))

    def _on_orphan_gone(self, worker: WorkerProcess) -> None:
        try:
            worker.settle(ExitStatus(zygote_lost=True))
        finally:
            self._one_gone()

    def _on_reaped(self) -> None:
        os.close(self._pidfd)
        self._one_gone()

    def _one_gone(self) -> None:
        self._left -= 1
        if self._left:
            return
        self._gone = True
        listeners, self._on_end = self._on_end, []
        for listener in listeners:
            listener()

    def _fail_spawning(self, reason: Exception) -> None:
        for key in list(self._spawning):
            self._fail_one(key, reason)

    def _fail_one(self, key: int, reason: Exception) -> None:
        spawning = self._spawning.pop(key, None)
        if spawning is not None:
            self._cancel(spawning)
            spawning.done(None, reason)

    @staticmethod
    def _cancel(spawning: _Spawning) -> None:
        if spawning.deadline is not None:
            spawning.deadline.cancel()
        spawning.close()


def when_gone(loop: Loop, pidfd: int, on_gone: Callable[[], None]) -> None:
    """Call `on_gone`, which closes `pidfd`, when a process that was killed has ended and is reaped if it is ours."""

    def finish(_events: int) -> None:
        loop.unwatch(pidfd)
        try:
            os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
        except ChildProcessError:  # not our child (then init reaps it), or someone has reaped it already
            pass
        on_gone()

    loop.watch(pidfd, finish)
