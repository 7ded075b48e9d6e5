"""An operating-system process as a child of a supervisor.

Guarantees:
- The process leads a group of its own. It is asked with SIGTERM and killed with SIGKILL; when it has ended, by
  whatever way, what is left of its group is killed.
- Its end is seen by pidfd: closed pipes mean nothing, and a number that another process has got meanwhile is never
  signalled. Its status is asked for by that descriptor alone, so no other child of this program is touched.
- If somebody else took the status (`waitpid(-1)`, SIGCHLD ignored), it is unknown, and that is not called success.

What does not work:
- A descendant that has left the group is not found again. The process itself is, whatever group it joins.
- If somebody else took the status, the group is not signalled any more: its number may be another's.
- The process outlives this program, should that be killed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

from moonward.supervisor.child import Child, Exited, Ready
from moonward.supervisor.exits import UNKNOWN_STATUS, ExitReason, reason_of_status
from moonward.supervisor.loop import Loop

READY_FD = 3
"""The descriptor to which a process with `says_ready` writes a byte; the first one that has no fixed meaning."""

ENDED = os.WEXITED | os.WNOHANG


class ProcessChild(Child):
    """A process; `start=lambda: ProcessChild(["program", "argument"])`. The handle is this object.

    `argv[0]` is looked up in PATH. `env` is this program's by default. Standard input is empty; output and errors go
    to the descriptors given, else where this program's go. With `says_ready` the process is ready when it has
    written a byte to descriptor 3, otherwise when it has started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        says_ready: bool = False,
    ) -> None:
        self.argv = list(argv)
        self.pid = 0
        self._env = dict(os.environ if env is None else env)
        self._stdout = stdout
        self._stderr = stderr
        self._says_ready = says_ready
        self._ready_fd = -1
        self._pidfd = -1
        self._loop: Loop | None = None
        self._ready: Ready | None = None
        self._exited: Exited | None = None
        self._asked = False

    @property
    def handle(self) -> ProcessChild:
        """This object: `pid` says which process it is."""
        return self

    def begin_start(self, loop: Loop, ready: Ready, exited: Exited) -> None:
        """Start the process. Raises `OSError` when there is no such program, and the like."""
        self._loop, self._exited = loop, exited
        ready_end = -1
        if self._says_ready:
            self._ready_fd, ready_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self.pid = self._spawn(ready_end)
            self._open_pidfd()
        except BaseException:
            self._close_ready()
            raise
        finally:
            if ready_end >= 0:
                os.close(ready_end)
        if self._pidfd < 0:
            exited(UNKNOWN_STATUS)
            return
        loop.watch(self._pidfd, lambda _events: self._on_end())
        if self._says_ready:
            self._ready = ready
            loop.watch(self._ready_fd, lambda _events: self._on_ready_byte())
        else:
            ready()

    def begin_stop(self) -> None:
        """SIGTERM to the process and its group; SIGCONT, so that a stopped one hears it."""
        self._asked = True
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to the process and its group."""
        self._signal(signal.SIGKILL)

    def _spawn(self, ready_end: int) -> int:
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        ]
        if self._stdout is not None:
            actions.append((os.POSIX_SPAWN_DUP2, self._stdout, 1))
        if self._stderr is not None:
            actions.append((os.POSIX_SPAWN_DUP2, self._stderr, 2))
        if ready_end >= 0:
            actions.append((os.POSIX_SPAWN_DUP2, ready_end, READY_FD))
        return os.posix_spawnp(
            self.argv[0],
            self.argv,
            self._env,
            file_actions=actions,
            setpgroup=0,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM),
        )

    def _open_pidfd(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:  # it has ended, and somebody else has taken its status
            self._pidfd = -1
        except OSError:  # no descriptors left: never leave a process that nobody watches
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise

    def _on_ready_byte(self) -> None:
        try:
            said = os.read(self._ready_fd, 1)
        except BlockingIOError:
            return
        self._close_ready()
        if (
            said and self._ready is not None
        ):  # an empty read: it closed the descriptor; it may still end, or be late
            self._ready()

    def _on_end(self) -> None:
        exited, self._exited = self._exited, None
        if self._ready_fd >= 0:
            self._on_ready_byte()  # it was ready, then ended, and both are seen at once
        reason = self._take_status()
        self._close_ready()
        if self._loop is not None:
            self._loop.unwatch(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        if exited is not None:
            exited(reason)

    def _take_status(self) -> ExitReason:
        try:
            os.waitid(os.P_PIDFD, self._pidfd, ENDED | os.WNOWAIT)
            self._signal_group(signal.SIGKILL)  # still a zombie: the number is surely the group's
            result = os.waitid(os.P_PIDFD, self._pidfd, ENDED)
        except ChildProcessError:
            return UNKNOWN_STATUS
        if result is None:
            return UNKNOWN_STATUS
        return reason_of_status(result.si_code, result.si_status, asked=self._asked)

    def _signal(self, number: signal.Signals) -> None:
        if self._pidfd < 0:
            return
        try:
            os.waitid(os.P_PIDFD, self._pidfd, ENDED | os.WNOWAIT)
        except ChildProcessError:
            return  # somebody else has taken its status: it is gone, and the number may be another's
        self._signal_group(number)
        try:
            if os.getpgid(self.pid) != self.pid:
                signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            pass  # it is gone; the descriptor will say so

    def _signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # the group is empty, or its rest belongs to another user now

    def _close_ready(self) -> None:
        if self._ready_fd >= 0:
            if self._loop is not None:
                self._loop.unwatch(self._ready_fd)
            os.close(self._ready_fd)
            self._ready_fd = -1
