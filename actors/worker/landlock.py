"""Landlock: no file, no TCP port, no signal or abstract socket outside of this process.

A ruleset without a single rule refuses all that it handles. What it cannot refuse, seccomp does: `stat`, UDP,
`fork`, descriptors that are open already. Each version of the interface ("ABI") handles more; we ask for what
the running kernel knows.
"""

from __future__ import annotations

import os
import struct

from moonward.actors.worker.linux import LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF, Kernel

CREATE_RULESET_VERSION = 1
"""Flag that asks for the ABI instead of making a ruleset."""

FILE_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many of the rights of `include/uapi/linux/landlock.h` an ABI knows; from 5 on 16, of those we know."""

TCP_RIGHTS = 0b11
"""Bind and connect; from ABI 4 on."""

SCOPES = 0b11
"""Abstract Unix sockets and signals; from ABI 6 on."""


def landlock_abi(kernel: Kernel) -> int:
    """The version of Landlock that the kernel offers; 0 for none."""
    try:
        return kernel.syscall(LANDLOCK_CREATE_RULESET, None, 0, CREATE_RULESET_VERSION)
    except OSError:  # not built in (ENOSYS), switched off at boot (EOPNOTSUPP), or forbidden here
        return 0


def ruleset_attributes(abi: int) -> bytes:
    """The structure that describes a ruleset which handles all that `abi` knows."""
    files = (1 << FILE_RIGHTS_BY_ABI.get(abi, 16)) - 1
    whole = struct.pack("<QQQ", files, TCP_RIGHTS, SCOPES)
    return whole[: 8 if abi < 4 else 16 if abi < 6 else 24]


def open_ruleset(kernel: Kernel) -> int | None:
    """A descriptor of a ruleset that allows nothing, or None where the kernel has no Landlock."""
    abi = landlock_abi(kernel)
    if not abi:
        return None
    attributes = ruleset_attributes(abi)
    try:
        return kernel.syscall(LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    except OSError:
        return None


def enforce_ruleset(kernel: Kernel, ruleset_fd: int) -> bool:
    """Put this process under the ruleset for good and close it. Needs no_new_privs. False when refused."""
    try:
        kernel.syscall(LANDLOCK_RESTRICT_SELF, ruleset_fd, 0)
    except OSError:
        return False
    finally:
        os.close(ruleset_fd)
    return True
