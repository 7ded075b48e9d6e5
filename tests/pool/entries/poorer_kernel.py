"""A host on a machine that lacks Landlock or seccomp, or both.  poorer_kernel.py LACKING REQUIRED

A filter of its own, inherited by all it starts, makes the missing calls fail as an older kernel does (ENOSYS).
Writes the confinement that a session's snapshot names, or the name of the error that the Runtime raised.
"""

import errno
import struct
import sys

import moonward
from moonward.actors.worker.linux import LANDLOCK_CREATE_RULESET, PR_SET_NO_NEW_PRIVS, Kernel
from moonward.actors.worker.seccomp import (
    JUMP_EQUAL,
    LOAD,
    RET_ALLOW,
    RET_ERRNO,
    RETURN,
    SECCOMP_SET_MODE_FILTER,
    _FilterHeader,
)


def lose(kernel, numbers):
    """Let these calls fail for this process and its children."""
    steps = [(LOAD, 0, 0, 0)]
    for number in numbers:
        steps += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, RET_ERRNO | errno.ENOSYS)]
    steps.append((RETURN, 0, 0, RET_ALLOW))
    code = b"".join(struct.pack("<HBBI", *step) for step in steps)
    kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)
    kernel.call("seccomp", SECCOMP_SET_MODE_FILTER, 0, _FilterHeader(len(steps), code))


def main():
    kernel = Kernel()
    numbers = {"landlock": LANDLOCK_CREATE_RULESET, "seccomp": kernel.machine.calls["seccomp"]}
    lose(kernel, [numbers[each] for each in sys.argv[1].split("+")])
    try:
        with moonward.Runtime(require_confinement=sys.argv[2] == "required") as runtime:
            session = runtime.start("return alc.llm('?')")
            session.wait(10)
            print(session.snapshot()["confinement"])
    except moonward.MoonwardError as error:
        print(type(error).__name__, error)


main()
