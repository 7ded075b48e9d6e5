"""The host's handle of one worker process, and how a process ended.

Descriptors of the host for each worker: stdin, stdout, pidfd. All are close-on-exec, the pipes non-blocking.
Loop thread only.
"""

from __future__ import annotations

import errno
import math
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from moonward.actors.worker.confine import HEADROOM_BYTES

PIDFD_SIGNAL_PROCESS_GROUP = 1 << 2
"""Flag of `pidfd_send_signal`, Linux 6.9 and later."""


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a process ended: `code`, or `signal`, or neither when nobody can know.

    `zygote_lost`: it was taken along by the end of its zygote, which is nobody's fault who used the worker.
    """

    code: int | None = None
    signal: int | None = None
    zygote_lost: bool = False

    @classmethod
    def of_wait_status(cls, status: int) -> ExitStatus:
        """From what `waitpid` gives."""
        if os.WIFSIGNALED(status):
            return cls(signal=os.WTERMSIG(status))
        return cls(code=os.WEXITSTATUS(status))

    def __str__(self) -> str:
        if self.signal is not None:
            return f"killed by signal {self.signal} ({signal_name(self.signal)})"
        if self.code is not None:
            return f"exit status {self.code}"
        return "lost with its zygote" if self.zygote_lost else "unknown"


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; the number itself for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


class WorkerProcess:
    """A worker that was forked for this host. Its user ends it with `close`, whatever state it is in."""

    __slots__ = ("_listeners", "_pidfd", "exit_status", "memory_bytes", "pid", "stdin_fd", "stdout_fd")

    def __init__(self, pid: int, pidfd: int, stdin_fd: int, stdout_fd: int, memory_bytes: int) -> None:
        self.pid = pid
        self.stdin_fd = stdin_fd
        self.stdout_fd = stdout_fd
        self.memory_bytes = memory_bytes
        self.exit_status: ExitStatus | None = None
        self._pidfd = pidfd
        self._listeners: list[Callable[[ExitStatus], None]] = []

    @property
    def pidfd(self) -> int:
        """Readable once the process has ended; -1 after its end was reported."""
        return self._pidfd

    @property
    def has_exited(self) -> bool:
        """Whether the end of the process was reported."""
        return self.exit_status is not None

    def is_dead(self) -> bool:
        """Whether the process has ended, reported or not."""
        if self._pidfd < 0:
            return True
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(0))

    def kill(self) -> None:
        """SIGKILL to its process group, or on older kernels to itself (the zygote then kills what is left of its
        group). Its end is reported by `on_exit`. Harmless when it has ended."""
        if self._pidfd < 0:
            return
        try:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL, None, PIDFD_SIGNAL_PROCESS_GROUP)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ESRCH):
                raise
        try:  # also when the group got it: a worker in its first microseconds leads no group yet
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        """Close the pipes and kill the process if it runs. Idempotent. Unwatch the pipes before."""
        fds, self.stdin_fd, self.stdout_fd = (self.stdin_fd, self.stdout_fd), -1, -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)
        self.kill()

    def cpu_seconds(self) -> float:
        """CPU time that the process has used so far; 0.0 when it has ended."""
        if self._pidfd < 0:
            return 0.0
        try:
            return time.clock_gettime(cpu_clock(self.pid))
        except OSError:
            return 0.0

    def set_cpu_limit(self, seconds_more: float | None) -> None:
        """Let the process use that many more seconds of CPU, rounded up to a whole one; past them it is killed
        with SIGXCPU. None lifts the limit: there is none at first. Harmless when it has ended."""
        if seconds_more is None:
            self._set_limit(resource.RLIMIT_CPU, resource.RLIM_INFINITY)
        else:
            self._set_limit(resource.RLIMIT_CPU, math.ceil(self.cpu_seconds() + seconds_more))

    def set_memory_limit(self, memory_bytes: int) -> None:
        """Fit the limit of the address space to a VM of that size. Harmless when the process has ended."""
        if memory_bytes != self.memory_bytes:
            self.memory_bytes = memory_bytes
            self._set_limit(resource.RLIMIT_AS, memory_bytes + HEADROOM_BYTES)

    def _set_limit(self, what: int, soft: int) -> None:
        if self._pidfd < 0:
            return
        try:
            _, hard = resource.prlimit(self.pid, what)
            if hard != resource.RLIM_INFINITY:
                soft = hard if soft == resource.RLIM_INFINITY else min(soft, hard)
            resource.prlimit(self.pid, what, (soft, hard))
        except (ProcessLookupError, PermissionError):  # a policy may forbid it: the watchdog remains
            pass

    def on_exit(self, listener: Callable[[ExitStatus], None]) -> None:
        """Call `listener(status)` when the process has ended; at once when it has."""
        if self.exit_status is not None:
            listener(self.exit_status)
        else:
            self._listeners.append(listener)

    def forget_listeners(self) -> None:
        """Tell nobody of the end who asked to be told so far: the worker is about to serve somebody else."""
        self._listeners.clear()

    def settle(self, status: ExitStatus) -> None:
        """The process has ended. Called once, by whoever watches it."""
        if self.exit_status is not None:
            return
        self.exit_status = status
        fd, self._pidfd = self._pidfd, -1
        if fd >= 0:
            os.close(fd)
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener(status)


def cpu_clock(pid: int) -> int:
    """The id of the clock of another process's CPU time (`clock_getcpuclockid`): nanoseconds, no file to open."""
    return (~pid << 3) | 2
