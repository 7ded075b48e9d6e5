"""What a confined process can still do: build VMs, run Lua, run out of memory cleanly, end."""

import os
import signal
import subprocess
import sys

import pytest

from moonward.actors.worker.confine import HEADROOM_BYTES, Confinement, confine, facts

MEMORY_BYTES = 64 << 20

PREFACE = f"""
import os, sys, gc
import lupa.lua55
from moonward.actors.worker.confine import confine
PARENT = os.getppid()
def new_vm(memory_bytes={MEMORY_BYTES}):
    return lupa.lua55.LuaRuntime(
        encoding=None, register_eval=False, register_builtins=False, max_memory=memory_bytes)
confinement = confine({MEMORY_BYTES}, PARENT)
def say(what):
    os.write(1, what if isinstance(what, bytes) else str(what).encode())
"""


def run(program: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run `program` in a confined interpreter, with `new_vm` and `say`."""
    return subprocess.run(
        [sys.executable, "-c", PREFACE + program],
        input=given,
        capture_output=True,
        timeout=30,
        env={"TZ": "UTC0"},
    )


def test_it_says_which_layers_are_in_force() -> None:
    assert run("say(confinement); os._exit(0)").stdout.decode() == facts()["confinement"]


def test_virtual_machines_are_built_and_run() -> None:
    result = run(
        "for n in range(20): say(new_vm().execute(b'local t = {} for i = 1, 1e4 do t[i] = {} end return #t'))"
    )
    assert (result.stdout, result.returncode) == (b"10000" * 20, 0)


def test_lua_reads_and_writes_the_pipes_by_itself() -> None:
    result = run(
        "new_vm().execute(b'io.stdout:write(io.stdin:read(5)) io.stdout:flush()'); os._exit(7)",
        b"hello and more",
    )
    assert (result.stdout, result.returncode) == (b"hello", 7)


def test_the_clock_the_date_and_chance_work() -> None:
    result = run(
        "say(new_vm().execute(b'return os.date(\"%Y\", 0) .. type(os.time() + os.clock() + math.random())'))"
    )
    assert result.stdout == b"1970number"


def test_a_vm_at_its_limit_raises_and_works_on() -> None:
    result = run(
        "vm = new_vm(8 << 20)\n"
        'say(vm.execute(b\'local ok = pcall(string.rep, "x", 64 << 20) return ok and "grew" or "held"\'))\n'
        "say(vm.execute(b'return 1 + 1'))"
    )
    assert (result.stdout, result.returncode) == (b"held2", 0)


def test_memory_beyond_the_address_space_is_refused_and_not_fatal() -> None:
    beyond = MEMORY_BYTES + HEADROOM_BYTES
    result = run(
        f"try:\n    bytearray({beyond})\nexcept MemoryError:\n    say('refused ')\n"
        "vm = new_vm(1 << 40)\n"
        f'say(vm.execute(b\'return pcall(string.rep, "x", {beyond}) and "grew" or "held"\'))\n'
        "gc.collect(); say(' alive'); os._exit(0)"
    )
    assert (result.stdout, result.returncode) == (b"refused held alive", 0)


def test_an_abort_ends_it_with_its_own_signal() -> None:
    assert run("os.abort()").returncode == -signal.SIGABRT


def test_it_ends_when_its_parent_has_changed_before_it_armed() -> None:
    program = (
        "import os; from moonward.actors.worker.confine import confine; confine(1 << 26, 1); os._exit(0)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=30).returncode == 1


@pytest.mark.parametrize(
    ("what", "expected"),
    [("RLIMIT_NOFILE", (3, 3)), ("RLIMIT_CORE", (0, 0)), ("RLIMIT_FSIZE", (0, 0))],
)
def test_limits_are_in_force(what: str, expected: tuple[int, int]) -> None:
    program = (
        "import os, resource; from moonward.actors.worker.confine import Confinement\n"
        "Confinement(landlock=False, seccomp=False).apply(1 << 26, os.getppid())\n"
        f"print(resource.getrlimit(resource.{what}), resource.getrlimit(resource.RLIMIT_AS)[0], os.nice(0))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert result.stdout == f"{expected} {(1 << 26) + HEADROOM_BYTES} 19\n"


def test_facts_name_what_doctor_shows() -> None:
    here = facts()
    assert set(here) == {"kernel", "machine", "landlock_abi", "seccomp", "confinement"}
    assert here["kernel"] == os.uname().release
    assert facts() == here, "asking changes nothing"


def test_what_is_prepared_and_never_applied_confines_nobody() -> None:
    prepared = Confinement()
    for fd in prepared.kept_fds:
        os.close(fd)
    assert callable(confine)
    with open("/etc/passwd", "rb") as file:
        assert file.read(1)
