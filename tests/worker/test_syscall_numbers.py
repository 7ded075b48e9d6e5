"""The numbers of calls, against a second source: a wrong one would allow some other call, or kill every worker.

The generic table (aarch64's) numbers calls in the order in which they are listed; here is that order. Where the
kernel's headers are installed, both tables are compared with them too.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moonward.actors.worker import seccomp
from moonward.actors.worker.linux import AARCH64, X86_64

GENERIC = """
io_setup io_destroy io_submit io_cancel io_getevents setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr
listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr getcwd lookup_dcookie eventfd2
epoll_create1 epoll_ctl epoll_pwait dup dup3 fcntl inotify_init1 inotify_add_watch inotify_rm_watch ioctl
ioprio_set ioprio_get flock mknodat mkdirat unlinkat symlinkat linkat renameat umount2 mount pivot_root
nfsservctl statfs fstatfs truncate ftruncate fallocate faccessat chdir fchdir chroot fchmod fchmodat fchownat
fchown openat close vhangup pipe2 quotactl getdents64 lseek read write readv writev pread64 pwrite64 preadv
pwritev sendfile pselect6 ppoll signalfd4 vmsplice splice tee readlinkat newfstatat fstat sync fsync fdatasync
sync_file_range timerfd_create timerfd_settime timerfd_gettime utimensat acct capget capset personality exit
exit_group waitid set_tid_address unshare futex set_robust_list get_robust_list nanosleep getitimer setitimer
kexec_load init_module delete_module timer_create timer_gettime timer_getoverrun timer_settime timer_delete
clock_settime clock_gettime clock_getres clock_nanosleep syslog ptrace sched_setparam sched_setscheduler
sched_getscheduler sched_getparam sched_setaffinity sched_getaffinity sched_yield sched_get_priority_max
sched_get_priority_min sched_rr_get_interval restart_syscall kill tkill tgkill sigaltstack rt_sigsuspend
rt_sigaction rt_sigprocmask rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigreturn setpriority getpriority
reboot setregid setgid setreuid setuid setresuid getresuid setresgid getresgid setfsuid setfsgid times setpgid
getpgid getsid setsid getgroups setgroups uname sethostname setdomainname getrlimit setrlimit getrusage umask
prctl getcpu gettimeofday settimeofday adjtimex getpid getppid getuid geteuid getgid getegid gettid sysinfo
mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr msgget msgctl msgrcv msgsnd semget semctl
semtimedop semop shmget shmctl shmat shmdt socket socketpair bind listen accept connect getsockname getpeername
sendto recvfrom setsockopt getsockopt shutdown sendmsg recvmsg readahead brk munmap mremap add_key request_key
keyctl clone execve mmap fadvise64 swapon swapoff mprotect msync mlock munlock mlockall munlockall mincore
madvise
"""
"""Numbers 0 to 233, without a gap."""

LATER = {
    "wait4": 260, "prlimit64": 261, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "seccomp": 277,
    "getrandom": 278, "memfd_create": 279, "bpf": 280, "execveat": 281, "userfaultfd": 282, "statx": 291,
    "pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_open": 434, "clone3": 435, "openat2": 437,
    "pidfd_getfd": 438, "faccessat2": 439, "process_madvise": 440,
}  # fmt: skip

TABLE = {name: number for number, name in enumerate(GENERIC.split())} | LATER

LEAVING = [
    *(
        "clone",
        "clone3",
        "execve",
        "execveat",
        "unshare",
        "setns",
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
    ),
    *(
        "kill",
        "tkill",
        "rt_sigqueueinfo",
        "rt_tgsigqueueinfo",
        "pidfd_send_signal",
        "pidfd_getfd",
        "io_uring_setup",
    ),
    *(
        "socket",
        "socketpair",
        "connect",
        "bind",
        "sendto",
        "sendmsg",
        "bpf",
        "memfd_create",
        "openat2",
        "getdents64",
    ),
    *(
        "mount",
        "chroot",
        "setuid",
        "capset",
        "keyctl",
        "personality",
        "setpriority",
        "dup",
        "dup3",
        "pipe2",
        "shmget",
    ),
]
"""Ways out of a worker, or to another process."""

HEADERS = {
    "aarch64": (AARCH64, "/usr/include/asm-generic/unistd.h"),
    "x86_64": (X86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
}

OF_OLD = {"open", "stat", "lstat", "access", "readlink", "poll", "time"}
"""Calls of x86-64 that machines with the generic table never had."""


def test_calls_of_aarch64_have_the_numbers_of_the_generic_table() -> None:
    assert {name: TABLE[name] for name in AARCH64} == AARCH64


def test_every_call_that_a_rule_names_has_a_number_on_both_machines() -> None:
    named = {*seccomp.ALLOWED, *seccomp.REFUSED, *seccomp.WITHOUT_EXEC, "tgkill"}
    assert named - set(X86_64) == set()
    assert named - set(AARCH64) == OF_OLD


@pytest.mark.parametrize("name", [name for name in LEAVING if name in TABLE])
def test_no_way_out_is_open_on_aarch64(name: str) -> None:
    allowed = {
        AARCH64[each] for each in (*seccomp.ALLOWED, *seccomp.WITHOUT_EXEC, "tgkill") if each in AARCH64
    }
    assert TABLE[name] not in allowed


@pytest.mark.parametrize("machine", HEADERS)
def test_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    calls, header = HEADERS[machine]
    if not Path(header).exists():
        pytest.skip("the kernel's headers are not installed here")
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", Path(header).read_text()))
    found["newfstatat"] = found.get("newfstatat", found.get("fstatat"))
    assert {name: int(found[name]) for name in calls} == calls
