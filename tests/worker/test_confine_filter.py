"""The filter itself, run by an interpreter of BPF, for both machines; no process is confined here."""

import errno
import struct

import pytest

from moonward.actors.worker import seccomp
from moonward.actors.worker.landlock import ruleset_attributes
from moonward.actors.worker.linux import AARCH64, X86_64, Machine

PID = 4242
ALLOW, KILL, REFUSE = seccomp.RET_ALLOW, seccomp.RET_KILL_PROCESS, seccomp.RET_ERRNO | errno.EPERM

MACHINES = [Machine("x86_64", 0xC000003E, X86_64), Machine("aarch64", 0xC00000B7, AARCH64)]


def verdict(machine: Machine, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the filter says to a call: a step-by-step run, as the kernel makes it."""
    arch = machine.audit if audit is None else audit
    data = struct.pack("<IIQ6Q", number, arch, 0, *(arguments + (0,) * (6 - len(arguments))))
    steps = list(struct.iter_unpack("<HBBI", seccomp.Program(machine).for_process(PID)))
    at = accumulator = 0
    while True:
        code, yes, no, constant = steps[at]
        at += 1
        if code == seccomp.RETURN:
            return constant
        if code == seccomp.LOAD:
            (accumulator,) = struct.unpack_from("<I", data, constant)
            continue
        holds = {
            seccomp.JUMP_EQUAL: accumulator == constant,
            seccomp.JUMP_GE: accumulator >= constant,
            seccomp.JUMP_ANY_BIT: bool(accumulator & constant),
        }[code]
        at += yes if holds else no


@pytest.fixture(params=MACHINES, ids=lambda machine: machine.name)
def machine(request: pytest.FixtureRequest) -> Machine:
    assert isinstance(request.param, Machine)
    return request.param


def test_every_call_gets_the_verdict_of_its_list_and_any_other_one_is_death(machine: Machine) -> None:
    names = {number: name for name, number in machine.calls.items()}
    for number in range(600):
        name = names.get(number)
        if name in seccomp.ALLOWED or name in seccomp.WITHOUT_EXEC:
            assert verdict(machine, number) == ALLOW, name
        elif name in seccomp.REFUSED:
            assert verdict(machine, number) == REFUSE, name
        else:
            assert verdict(machine, number) == KILL, number


@pytest.mark.parametrize("name", seccomp.WITHOUT_EXEC)
@pytest.mark.parametrize("protection", range(8))
def test_memory_is_never_made_executable(machine: Machine, name: str, protection: int) -> None:
    expected = KILL if protection & 4 else ALLOW
    assert verdict(machine, machine.calls[name], 0, 4096, protection) == expected


def test_a_worker_may_signal_nobody_but_itself(machine: Machine) -> None:
    assert verdict(machine, machine.calls["tgkill"], PID, PID, 6) == ALLOW
    assert verdict(machine, machine.calls["tgkill"], PID + 1, PID, 6) == KILL
    assert verdict(machine, machine.calls["tgkill"], 0, PID, 6) == KILL


def test_calls_of_another_architecture_are_death(machine: Machine) -> None:
    other = MACHINES[1 - MACHINES.index(machine)]
    assert verdict(machine, machine.calls["read"], audit=other.audit) == KILL
    assert verdict(machine, machine.calls["read"], audit=0x40000003) == KILL  # 32-bit calls


def test_the_x32_doubles_of_allowed_calls_are_death() -> None:
    machine = MACHINES[0]
    assert verdict(machine, machine.calls["read"]) == ALLOW
    assert verdict(machine, machine.calls["read"] | 0x40000000) == KILL


def test_no_list_names_a_call_twice() -> None:
    every = [*seccomp.ALLOWED, *seccomp.WITHOUT_EXEC, *seccomp.REFUSED, "tgkill"]
    assert len(every) == len(set(every))


@pytest.mark.parametrize(
    "name",
    ["fork", "execve", "socket", "connect", "kill", "tkill", "ptrace", "clone", "dup", "pipe2", "setrlimit"],
)
def test_no_list_lets_a_worker_leave(name: str) -> None:
    assert name not in {*seccomp.ALLOWED, *seccomp.WITHOUT_EXEC, *seccomp.REFUSED}


@pytest.mark.parametrize(("abi", "size"), [(1, 8), (3, 8), (4, 16), (5, 16), (6, 24), (7, 24), (99, 24)])
def test_a_ruleset_asks_an_abi_for_no_more_than_it_knows(abi: int, size: int) -> None:
    attributes = ruleset_attributes(abi)
    assert len(attributes) == size
    files = int.from_bytes(attributes[:8], "little")
    assert files.bit_length() == {1: 13, 3: 15, 4: 15}.get(abi, 16)
