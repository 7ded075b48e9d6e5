"""The parent of all workers: one thread, a clean interpreter, everything imported; it only forks and reaps.

    host ══ control socket ══ zygote ──fork──▶ worker
                                     ──fork──▶ worker

Guarantees:
- A worker holds no memory of the host: the zygote was started by exec, with an environment of its own.
- A worker has three descriptors: its two pipes and the shared standard error.
- When the host dies, the zygote kills its workers and ends: it watches the host's pidfd as well as the socket,
  since a process that the host forked may hold the socket open.
- When the zygote dies, the kernel kills its workers (PDEATHSIG).
- A worker's process group is killed before the worker is reaped, so that nothing it left behind survives it.

What does not work: threads here. A fork copies one thread only, and PDEATHSIG follows the thread that forked.
"""

from __future__ import annotations

import array
import gc
import importlib
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from moonward.actors.worker.confine import Confinement, facts
from moonward.actors.worker.zygote_messages import (
    MAX_MESSAGE_BYTES,
    Exited,
    ForkRequest,
    FromZygote,
    NotStarted,
    Ready,
    Started,
)

WORKER_FAILED = 70
"""Exit status of a worker whose entry raised: `EX_SOFTWARE` of `sysexits.h`."""

KILL_GRACE_S = 2.0
"""How long the zygote waits for killed workers at its end. SIGKILL takes 1 ms, unless a process is stuck in the
kernel. The wait is for hosts that are PID 1 and would inherit what is not reaped."""

FD_CEILING = 1 << 20
"""No descriptor is larger: the kernel's default of `fs.nr_open`."""

Entry = Callable[[str], NoReturn]
"""What a worker runs, once it is confined; given what its confinement came to."""


class Zygote:
    """Serves the requests of `host_pid` that come over `control`."""

    def __init__(self, control: socket.socket, host_pid: int, entry: Entry) -> None:
        self._control = control
        self._host_pid = host_pid
        self._entry = entry
        self._pid = os.getpid()
        self._confinement = Confinement()
        self._confinement.name_process("moonward-zygote")
        self._ids: dict[int, int] = {}
        self._woken_fd, self._wake_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def run(self) -> None:
        """Serve until the host has gone."""
        host_fd = os.pidfd_open(self._host_pid)
        if os.getppid() != self._host_pid:
            return
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake_fd, warn_on_full_buffer=False)
        self._send(Ready(facts()))
        poll = select.poll()
        for fd in (self._control.fileno(), host_fd, self._woken_fd):
            poll.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if host_fd in ready:
                break
            if self._woken_fd in ready:
                os.read(self._woken_fd, 4096)
                self._reap()
            if self._control.fileno() in ready and not self._serve():
                break
        self._end_workers()

    def _serve(self) -> bool:
        """Answer one request; False when the host has closed its end."""
        try:
            packet, ancillary, _, _ = self._control.recvmsg(MAX_MESSAGE_BYTES, socket.CMSG_SPACE(2 * 4))
        except ConnectionError:
            return False
        fds = received_fds(ancillary)
        if not packet:
            return False
        try:
            request = msgspec.json.decode(packet, type=ForkRequest)
            self._fork(request, fds)
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _fork(self, request: ForkRequest, fds: list[int]) -> None:
        try:
            pid = os.fork() if len(fds) == 2 else -1
        except OSError as error:
            self._send(NotStarted(request.id, str(error)))
            return
        if pid == 0:
            self._become_worker(request.memory_bytes, fds)
        if pid < 0:  # the kernel had no room for the descriptors
            self._send(NotStarted(request.id, f"{len(fds)} descriptors of 2 arrived"))
            return
        self._ids[pid] = request.id
        pidfd = os.pidfd_open(pid)
        try:
            self._send(Started(request.id, pid), pidfd)
        finally:
            os.close(pidfd)

    def _become_worker(self, memory_bytes: int, fds: list[int]) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setpgid(0, 0)
            stdin_fd, stdout_fd = fds  # never 0 to 2: those are open here
            os.dup2(stdin_fd, 0)
            os.dup2(stdout_fd, 1)
            close_all_but({0, 1, 2, *self._confinement.kept_fds})
            self._confinement.name_process("moonward-worker")
            confinement = self._confinement.apply(memory_bytes, self._pid)
            self._entry(confinement)
        except BaseException:  # whatever it is, it must not run on as a second zygote
            os.write(2, traceback.format_exc().encode(errors="replace"))
        finally:
            os._exit(WORKER_FAILED)

    def _reap(self) -> None:
        while self._ids:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            kill_group(ended.si_pid)  # before the reaping: until then nobody else can have this number
            _, status = os.waitpid(ended.si_pid, 0)
            self._send(Exited(self._ids.pop(ended.si_pid), status))

    def _end_workers(self) -> None:
        for pid in self._ids:
            kill_group(pid)
            os.kill(pid, signal.SIGKILL)  # one that has not made its group yet; not reaped, so it is ours
        signal.setitimer(signal.ITIMER_REAL, KILL_GRACE_S)  # its default action ends this process
        for pid in self._ids:
            os.waitpid(pid, 0)

    def _send(self, message: FromZygote, fd: int | None = None) -> None:
        packet = msgspec.json.encode(message)
        ancillary: list[Any] = []
        if fd is not None:
            ancillary.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd])))
        try:
            self._control.sendmsg([packet], ancillary, socket.MSG_NOSIGNAL)
        except OSError:  # the host has gone: the loop is about to see that and end
            pass


def main(control_fd: int, host_pid: int, entry: str) -> NoReturn:
    """Run a zygote. `entry` names the worker's function as `module:function`.

    If its module has a `prepare`, that is called here, once, and each worker runs what it returns instead: it holds
    what can only be read before the confinement, and what all workers can share.
    """
    close_all_but({0, 1, 2, control_fd})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the host's to handle
    module_name, _, function_name = entry.partition(":")
    module = importlib.import_module(module_name)
    prepare = getattr(module, "prepare", None)
    run = prepare() if prepare is not None else getattr(module, function_name)
    os.environ.clear()
    os.environ["TZ"] = "UTC0"  # else the first date opens a file, which kills a confined worker
    zygote = Zygote(socket.socket(fileno=control_fd), host_pid, run)
    gc.collect()
    gc.freeze()  # collections in a worker then do not touch, and so copy, the pages it shares with the zygote
    zygote.run()
    os._exit(0)


def received_fds(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """The descriptors that came with a packet; the receiver must close them."""
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)


def close_all_but(kept: set[int]) -> None:
    """Close every descriptor that is not in `kept`."""
    low = 0
    for fd in sorted(kept):
        if low < fd:  # an empty range up to 0 would be read as all there are
            os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, FD_CEILING)


def kill_group(pid: int) -> None:
    """SIGKILL to the process group of a child that is not reaped yet."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # nobody is left in it, or it was never made
        pass


def start_of_interpreter(argument: str) -> NoReturn:
    """Where the new interpreter begins: `argument` is JSON, `[control_fd, host_pid, entry]`."""
    control_fd, host_pid, entry = msgspec.json.decode(argument, type=tuple[int, int, str])
    main(control_fd, host_pid, entry)
