"""The calls of Linux for which Python has no function, and their numbers on the machines we know.

Numbers are those of the kernel's tables: `arch/x86/entry/syscalls/syscall_64.tbl` for x86-64, and
`include/uapi/asm-generic/unistd.h` for aarch64. They are part of the kernel's interface and never change.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from typing import NamedTuple

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_NO_NEW_PRIVS = 38

CAPABILITY_VERSION_3 = 0x20080522
"""`_LINUX_CAPABILITY_VERSION_3`, the one with 64 bits."""

LANDLOCK_CREATE_RULESET = 444
LANDLOCK_RESTRICT_SELF = 446
"""The same on every machine, as all numbers from 424 on."""

X86_64 = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8,
    "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14,
    "rt_sigreturn": 15, "ioctl": 16, "readv": 19, "writev": 20, "access": 21, "sched_yield": 24, "mremap": 25,
    "madvise": 28, "nanosleep": 35, "getpid": 39, "exit": 60, "uname": 63, "fcntl": 72, "getcwd": 79,
    "readlink": 89, "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "getuid": 102,
    "getgid": 104, "geteuid": 107, "getegid": 108, "getppid": 110, "sigaltstack": 131, "prctl": 157,
    "capset": 126, "gettid": 186, "time": 201, "futex": 202, "sched_getaffinity": 204, "restart_syscall": 219,
    "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "tgkill": 234,
    "openat": 257, "newfstatat": 262, "readlinkat": 267, "faccessat": 269, "ppoll": 271, "prlimit64": 302,
    "seccomp": 317, "getrandom": 318, "statx": 332, "faccessat2": 439,
}  # fmt: skip

AARCH64 = {
    "getcwd": 17, "fcntl": 25, "ioctl": 29, "faccessat": 48, "openat": 56, "close": 57, "lseek": 62, "read": 63,
    "write": 64, "readv": 65, "writev": 66, "ppoll": 73, "readlinkat": 78, "newfstatat": 79, "fstat": 80,
    "capset": 91, "exit": 93, "exit_group": 94, "futex": 98, "nanosleep": 101, "clock_gettime": 113,
    "clock_getres": 114, "clock_nanosleep": 115, "sched_getaffinity": 123, "sched_yield": 124,
    "restart_syscall": 128, "tgkill": 131, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135,
    "rt_sigreturn": 139, "uname": 160, "getrlimit": 163, "getrusage": 165, "prctl": 167, "gettimeofday": 169,
    "getpid": 172, "getppid": 173, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178,
    "sysinfo": 179, "brk": 214, "munmap": 215, "mremap": 216, "mmap": 222, "mprotect": 226, "madvise": 233,
    "prlimit64": 261, "seccomp": 277, "getrandom": 278, "statx": 291, "faccessat2": 439,
}  # fmt: skip


class Machine(NamedTuple):
    """A processor that we know: its name, its number in seccomp's data (`AUDIT_ARCH_...`), its calls."""

    name: str
    audit: int
    calls: dict[str, int]

    @classmethod
    def here(cls) -> Machine | None:
        """The machine that this interpreter runs on, or None when it is not one that we know."""
        return cls.named(platform.machine()) if struct.calcsize("P") == 8 else None

    @classmethod
    def named(cls, name: str) -> Machine | None:
        """The machine with the name that `uname -m` gives."""
        if name == "x86_64":
            return cls(name, 0xC000003E, X86_64)
        if name == "aarch64":
            return cls(name, 0xC00000B7, AARCH64)
        return None


class Kernel:
    """Calls of the kernel. They raise `OSError` when the kernel refuses."""

    def __init__(self) -> None:
        self.machine = Machine.here()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.syscall.restype = ctypes.c_long

    def prctl(self, option: int, argument: int | bytes = 0) -> None:
        """`prctl(option, argument)`; bytes are passed as a pointer to them."""
        value = ctypes.c_char_p(argument) if isinstance(argument, bytes) else ctypes.c_ulong(argument)
        zero = ctypes.c_ulong(0)
        self._check(self._libc.prctl(ctypes.c_int(option), value, zero, zero, zero), "prctl")

    def syscall(self, number: int, *arguments: int | bytes | ctypes.Structure | None) -> int:
        """Any call by its number; bytes and structures are passed as pointers, None as a null pointer."""
        values = [_argument(each) for each in arguments]
        return self._check(self._libc.syscall(ctypes.c_long(number), *values), f"syscall {number}")

    def call(self, name: str, *arguments: int | bytes | ctypes.Structure | None) -> int:
        """A call by its name; `OSError` (ENOSYS) on a machine that we do not know."""
        if self.machine is None:
            raise OSError(38, f"{name}: the calls of this machine are not known")
        return self.syscall(self.machine.calls[name], *arguments)

    def drop_capabilities(self) -> None:
        """Give up every capability of this process: matters when it runs as root."""
        header = struct.pack("<Ii", CAPABILITY_VERSION_3, 0)
        self.call("capset", header, bytes(24))

    @staticmethod
    def _check(result: int, what: str) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{what}: {os.strerror(number)}")
        return result


def _argument(value: int | bytes | ctypes.Structure | None) -> object:
    if value is None:
        return ctypes.c_void_p(None)
    if isinstance(value, bytes):
        return ctypes.c_char_p(value)
    if isinstance(value, ctypes.Structure):
        return ctypes.byref(value)
    return ctypes.c_long(value)
