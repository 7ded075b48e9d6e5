"""seccomp: the calls of the kernel that a worker may make; any other one kills it.

Three lists:
- ALLOWED: memory, its pipes, clocks, randomness, its own end.
- `mmap` and `mprotect` without PROT_EXEC, `tgkill` of itself (what `abort` does).
- REFUSED: what a C library tries on its own and lives without (`EPERM`). `newfstatat` is in it, since stdio asks
  for the size of a pipe's blocks with it, and as a filter cannot see the path, allowing it would allow `stat` of
  any file.

The filter is a binary search over the numbers: the kernel runs it once for every call that exists when it is
installed (to know which are always allowed), which with a list of comparisons took most of the time.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from moonward.actors.worker.linux import Kernel, Machine

ALLOWED = (
    "read", "write", "readv", "writev", "close", "fstat", "lseek", "poll", "ppoll",
    "munmap", "brk", "mremap", "madvise", "futex", "getrandom", "sched_yield",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrusage",
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid",
    "exit", "exit_group",
)  # fmt: skip

WITHOUT_EXEC = ("mmap", "mprotect")

REFUSED = (
    "open", "openat", "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2",
    "readlink", "readlinkat", "getcwd", "ioctl", "fcntl", "prctl", "prlimit64", "getrlimit",
    "sysinfo", "uname", "sched_getaffinity",
)  # fmt: skip

RET_KILL_PROCESS = 0x80000000
RET_ERRNO = 0x00050000
RET_ALLOW = 0x7FFF0000
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_GET_ACTION_AVAIL = 2
FILTER_FLAG_SPEC_ALLOW = 4
"""Leaves the processor's speculation alone; without it, kernels before 5.16 slow the whole worker down."""

X32_BIT = 0x40000000
PROT_EXEC = 4

LOAD, RETURN, JUMP_EQUAL, JUMP_GE, JUMP_ANY_BIT = 0x20, 0x06, 0x15, 0x35, 0x45
NUMBER, ARCH, ARGUMENTS = 0, 4, 16
"""Offsets in `struct seccomp_data`; an argument has 8 bytes, its low half first."""

ALLOW, REFUSE, KILL, CHECK_EXEC, CHECK_SELF = "allow", "refuse", "kill", "check exec", "check self"

Step = tuple[int, int, str, str]
"""Code, constant, label if true, label if false; an empty label is the next step."""


class Program:
    """A filter, assembled but for the process id, so that a fork costs little."""

    def __init__(self, machine: Machine) -> None:
        self._steps: list[Step] = []
        self._labels: dict[str, int] = {}
        self._assemble(machine)
        self._pid_index = self._labels[CHECK_SELF] + 1
        self._code = b"".join(self._encoded(index) for index in range(len(self._steps)))

    def for_process(self, pid: int) -> bytes:
        """The filter, as an array of `struct sock_filter`, for the process `pid`."""
        at = self._pid_index * 8 + 4
        return self._code[:at] + struct.pack("<I", pid) + self._code[at + 4 :]

    def _assemble(self, machine: Machine) -> None:
        self._steps += [(LOAD, ARCH, "", ""), (JUMP_EQUAL, machine.audit, "", KILL), (LOAD, NUMBER, "", "")]
        self._search(intervals(machine), "search")
        self._place(CHECK_EXEC, (LOAD, ARGUMENTS + 2 * 8, "", ""), (JUMP_ANY_BIT, PROT_EXEC, KILL, ALLOW))
        self._place(CHECK_SELF, (LOAD, ARGUMENTS, "", ""), (JUMP_EQUAL, 0, ALLOW, KILL))
        self._place(ALLOW, (RETURN, RET_ALLOW, "", ""))
        self._place(REFUSE, (RETURN, RET_ERRNO | errno.EPERM, "", ""))
        self._place(KILL, (RETURN, RET_KILL_PROCESS, "", ""))

    def _place(self, label: str, *steps: Step) -> None:
        self._labels[label] = len(self._steps)
        self._steps += steps

    def _search(self, ranges: list[tuple[int, str]], label: str) -> str:
        """Steps that find the range of the number; what to jump to for them."""
        if len(ranges) == 1:
            return ranges[0][1]
        middle = len(ranges) // 2
        here = len(self._steps)
        self._place(label, (JUMP_GE, ranges[middle][0], "", ""))
        low = self._search(ranges[:middle], label + "0")
        high = self._search(ranges[middle:], label + "1")
        self._steps[here] = (JUMP_GE, ranges[middle][0], high, low)
        return label

    def _encoded(self, index: int) -> bytes:
        code, constant, yes, no = self._steps[index]
        jumps = [self._labels[label] - index - 1 if label else 0 for label in (yes, no)]
        return struct.pack("<HBBI", code, *jumps, constant)


def intervals(machine: Machine) -> list[tuple[int, str]]:
    """What is done with each call: ascending first numbers, each with what holds up to the next."""
    rules = dict.fromkeys(ALLOWED, ALLOW) | dict.fromkeys(REFUSED, REFUSE)
    rules |= dict.fromkeys(WITHOUT_EXEC, CHECK_EXEC) | {"tgkill": CHECK_SELF}
    by_number = {machine.calls[name]: rule for name, rule in rules.items() if name in machine.calls}
    starts: list[tuple[int, str]] = []
    for number in range(max(by_number) + 2):  # past the last one, all is forbidden: x32's calls too
        rule = by_number.get(number, KILL)
        if not starts or starts[-1][1] != rule:
            starts.append((number, rule))
    return starts


class _FilterHeader(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def has_seccomp(kernel: Kernel) -> bool:
    """Whether the kernel can filter calls and kill a process for one. Changes nothing."""
    try:
        kernel.call("seccomp", SECCOMP_GET_ACTION_AVAIL, 0, struct.pack("<I", RET_KILL_PROCESS))
    except OSError:
        return False
    return True


def enforce_filter(kernel: Kernel, program: Program) -> bool:
    """Put this process under the filter for good. Needs no_new_privs. False when the kernel refused."""
    steps = program.for_process(os.getpid())
    header = _FilterHeader(len(steps) // 8, steps)
    for flags in (FILTER_FLAG_SPEC_ALLOW, 0):
        try:
            kernel.call("seccomp", SECCOMP_SET_MODE_FILTER, flags, header)
        except OSError:
            continue
        return True
    return False
