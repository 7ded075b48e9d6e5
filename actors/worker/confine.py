"""Confinement of a worker: what its process may still do once it runs a stranger's Lua.

Applied by the worker itself, right after the fork: single-threaded, before any script. Layers, each of which holds
when another is missing:
- it dies with its parent, cannot gain privileges, has no capabilities, cannot be looked into, leaves no core;
- its address space is limited, and its CPU time while the host says so (soft limits, which the host moves; a worker
  cannot: seccomp refuses the call), it can open no descriptor at all, yields the processor to all others (nice 19)
  and is the first to go when memory runs out;
- Landlock: no files, no TCP, no signals to others; seccomp: a list of calls, death for any other.

Only the last two can be missing (kernel, or a container's policy). `apply` then says so and goes on; whether that
is good enough is for the host to decide (`Settings.require_confinement`).
"""

from __future__ import annotations

import os
import platform
import resource
import signal
from typing import Any

from moonward.actors.worker.landlock import enforce_ruleset, landlock_abi, open_ruleset
from moonward.actors.worker.linux import (
    PR_SET_DUMPABLE,
    PR_SET_NAME,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    Kernel,
)
from moonward.actors.worker.seccomp import Program, enforce_filter, has_seccomp

HEADROOM_BYTES = 512 << 20
"""Address space beyond the VM's memory: interpreter, libraries, buffers. Measured use is 60 MiB."""

NICENESS = 19
"""A neighbour's feed beside four busy sessions on two cores: 130 ms at nice 0, 64 at 10, 32 at 19."""

OOM_SCORE = 500
"""Added to `oom_score`, of 1000: a worker goes before the host does. Arbitrary."""

FULL = "landlock+seccomp"
"""What `apply` returns when nothing is missing."""


class Confinement:
    """Prepared once, in the zygote; applied in each worker. Holds one descriptor where there is Landlock.

    Without `landlock` or `seccomp` it does as on a machine that lacks it: to see what each layer holds.
    """

    def __init__(self, *, landlock: bool = True, seccomp: bool = True) -> None:
        self._kernel = Kernel()
        machine = self._kernel.machine
        usable = seccomp and machine is not None and has_seccomp(self._kernel)
        self._program = Program(machine) if usable and machine is not None else None
        self._ruleset_fd = open_ruleset(self._kernel) if landlock else None

    @property
    def kept_fds(self) -> list[int]:
        """Descriptors that `apply` needs, and closes."""
        return [] if self._ruleset_fd is None else [self._ruleset_fd]

    def name_process(self, name: str) -> None:
        """Give this process a name of at most 15 characters, as `ps` and `top` show it."""
        self._kernel.prctl(PR_SET_NAME, name.encode())

    def apply(self, memory_bytes: int, parent_pid: int) -> str:
        """Confine this process for good; `landlock+seccomp`, `landlock`, `seccomp` or `none`: what is in force.

        `memory_bytes` is the VM's. Ends the process when `parent_pid` is not its parent any more.
        """
        kernel = self._kernel
        kernel.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:  # the parent ended before the line above: no signal would ever come
            os._exit(1)
        kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)
        kernel.prctl(PR_SET_DUMPABLE, 0)
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        _prefer_for_oom()
        self._drop_capabilities()
        return self._lock(memory_bytes)

    def _lock(self, memory_bytes: int) -> str:
        layers = []
        if self._ruleset_fd is not None and enforce_ruleset(self._kernel, self._ruleset_fd):
            layers.append("landlock")
        self._ruleset_fd = None
        _limit(resource.RLIMIT_CORE, 0, 0)
        _limit(resource.RLIMIT_FSIZE, 0, 0)
        _limit(resource.RLIMIT_NOFILE, 3, 3)
        _limit(resource.RLIMIT_AS, memory_bytes + HEADROOM_BYTES, None)
        if self._program is not None and enforce_filter(self._kernel, self._program):
            layers.append("seccomp")
        return "+".join(layers) or "none"

    def _drop_capabilities(self) -> None:
        try:
            self._kernel.drop_capabilities()
        except OSError:  # a container's policy may forbid even this; without root there are none
            pass


def confine(memory_bytes: int, parent_pid: int) -> str:
    """Prepare and apply in one go."""
    return Confinement().apply(memory_bytes, parent_pid)


def facts() -> dict[str, Any]:
    """What this machine offers, for people: kernel, machine, Landlock's ABI (0: none), seccomp, and the sum."""
    kernel = Kernel()
    abi, filters = landlock_abi(kernel), has_seccomp(kernel)
    layers = [name for name, there in (("landlock", abi > 0), ("seccomp", filters)) if there]
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "landlock_abi": abi,
        "seccomp": filters,
        "confinement": "+".join(layers) or "none",
    }


def _limit(what: int, soft: int, hard: int | None) -> None:
    """Set a limit, within the hard one that is in force; `hard` None leaves that as it is."""
    _, ceiling = resource.getrlimit(what)
    if ceiling != resource.RLIM_INFINITY:
        soft = min(soft, ceiling)
    resource.setrlimit(what, (soft, ceiling if hard is None else hard))


def _prefer_for_oom() -> None:
    try:
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
            file.write(b"%d" % OOM_SCORE)
    except OSError:  # no /proc, or a higher value is in force: the host is no worse off than before
        pass
