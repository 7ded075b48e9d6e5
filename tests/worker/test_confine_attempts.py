"""What native code in a confined process gets: each attempt is refused or kills the process that made it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moonward.actors.worker.confine import facts

ATTEMPTS = Path(__file__).parent / "attempts.py"

HERE = facts()
needs_both = pytest.mark.skipif(HERE["confinement"] != "landlock+seccomp", reason="this kernel lacks a layer")

REFUSED = [
    "open_file",
    "stat_file",
    "list_directory",
    "make_directory",
    "connect_tcp",
    "send_udp",
    "connect_unix",
    "fork",
    "start_thread",
    "execute",
    "signal_the_parent",
    "trace_the_parent",
    "read_the_parents_memory",
    "read_the_parents_memory_directly",
    "write_the_parents_memory_directly",
    "send_to_the_parents_pipe",
    "take_the_parents_descriptor",
    "be_signalled_about_a_pipe",
    "raise_own_priority",
    "kill_everybody",
    "use_io_uring",
    "load_bpf",
    "open_own_memory",
    "map_executable_memory",
    "make_memory_executable",
    "make_a_descriptor",
    "copy_a_descriptor",
    "raise_own_limits",
    "become_dumpable",
    "leave_namespaces",
]
if HERE["machine"] == "x86_64":
    REFUSED.append("signal_the_parents_thread")

OTHERS_MAY_FORBID = ("trace_the_parent", "read_the_parents_memory", "read_the_parents_memory_directly")
"""What a machine's policy (Yama, a container) can refuse to every process."""

USERS = ["same"] + (["nobody"] if os.getuid() == 0 else [])


def try_it(layers: str, user: str, name: str) -> tuple[str, str, int]:
    """The layers in force, the outcome of the attempt, and the exit status of the process."""
    result = subprocess.run(
        [sys.executable, str(ATTEMPTS), layers, user, name], capture_output=True, text=True, timeout=20
    )
    layer, _, outcome = result.stdout.partition("\n")
    assert layer, result.stderr
    return layer, outcome, result.returncode


@needs_both
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("name", REFUSED)
def test_a_confined_process_is_refused_or_killed(name: str, user: str) -> None:
    layers, outcome, status = try_it("both", user, name)
    assert layers == "landlock+seccomp"
    if outcome:
        assert outcome.startswith("refused")
    else:
        assert status == -signal.SIGSYS


@pytest.mark.parametrize(
    "name",
    [
        "open_file",
        "stat_file",
        "list_directory",
        "make_directory",
        "connect_tcp",
        "connect_unix",
        "send_udp",
        "fork",
        "execute",
        "start_thread",
        "signal_the_parent",
        "trace_the_parent",
        "read_the_parents_memory",
        "read_the_parents_memory_directly",
        "be_signalled_about_a_pipe",
        "make_a_descriptor",
        "copy_a_descriptor",
        "map_executable_memory",
    ],
)
def test_without_confinement_the_attempts_succeed(name: str) -> None:
    """The control: an attempt that fails anyway would show nothing."""
    layer, outcome, status = try_it("unconfined", "same", name)
    if name in OTHERS_MAY_FORBID and outcome.startswith("refused"):
        pytest.skip(f"this machine forbids it to everybody: {outcome}")
    assert (layer, outcome, status) == ("unconfined", "done", 0)


@pytest.mark.skipif(not HERE["landlock_abi"], reason="no Landlock here")
@pytest.mark.parametrize("name", ["stat_file", "fork", "start_thread"])
def test_a_canary_succeeds_where_seccomp_is_missing(name: str) -> None:
    assert try_it("landlock", "same", name) == ("landlock", "done", 0)


@pytest.mark.skipif(HERE["landlock_abi"] < 6, reason="this Landlock knows no signals")
@pytest.mark.parametrize("name", ["make_directory", "signal_the_parent", "execute"])
def test_landlock_alone_holds_files_and_signals(name: str) -> None:
    layers, outcome, _ = try_it("landlock", "same", name)
    assert (layers, outcome.partition(" ")[0]) == ("landlock", "refused")


@pytest.mark.skipif(not HERE["seccomp"], reason="no seccomp here")
@pytest.mark.parametrize("name", ["open_file", "stat_file", "fork", "send_udp", "execute", "make_directory"])
def test_seccomp_alone_holds_everything(name: str) -> None:
    layers, outcome, status = try_it("seccomp", "same", name)
    assert layers == "seccomp"
    assert outcome.startswith("refused") or status == -signal.SIGSYS


@pytest.mark.parametrize("name", ["open_file", "send_udp", "make_a_descriptor"])
def test_with_neither_no_descriptor_can_be_opened(name: str) -> None:
    assert try_it("none", "same", name) == ("none", "refused EMFILE", 0)
