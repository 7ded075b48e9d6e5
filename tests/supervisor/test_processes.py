"""Real processes: those that end, those that do not want to, and those whose status somebody else took."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from moonward.supervisor import (
    ChildSpec,
    DynamicSupervisor,
    EventKind,
    ExitKind,
    Loop,
    ProcessChild,
    Restart,
    Shutdown,
    StartFailed,
    SupervisionEvent,
    Supervisor,
)

from .fakes import NO_BACKOFF

WAIT_S = 10.0
SHELL = "/bin/sh"


def ready_then(script: str) -> list[str]:
    """A shell that says that it is ready, then does this."""
    return [SHELL, "-c", f"{script.split('READY')[0]} echo >&3; exec 3>&-; {script.split('READY')[-1]}"]


SLEEPING = ready_then("READY exec sleep 1000")
DEAF = ready_then("trap '' TERM; READY while :; do sleep 1000; done")
SPINNING = ready_then("trap '' TERM; READY while :; do :; done")
FAMILY = ready_then("READY sleep 1000 & sleep 1000 & wait")


class Watch:
    """A standalone supervisor of processes, and its events as they come."""

    def __init__(self) -> None:
        self.events: list[SupervisionEvent] = []
        self.news = threading.Condition()
        self.supervisor = Supervisor.start(on_event=self.hear, intensity=10**6, backoff=NO_BACKOFF)

    def hear(self, event: SupervisionEvent) -> None:
        with self.news:
            self.events.append(event)
            self.news.notify_all()

    def start(
        self, name: str, argv: list[str], restart: Restart = Restart.TEMPORARY, **more: Any
    ) -> ProcessChild:
        says_ready = more.pop("says_ready", True)
        spec = ChildSpec(name, lambda: ProcessChild(argv, says_ready=says_ready), restart, **more)
        reply = self.supervisor.start_child(spec)
        assert reply.wait(WAIT_S)
        child = reply.result()
        assert isinstance(child, ProcessChild)
        return child

    def wait_for(self, kind: EventKind, child: str, count: int = 1) -> SupervisionEvent:
        def seen() -> list[SupervisionEvent]:
            return [event for event in self.events if event.kind is kind and event.child == child]

        with self.news:
            assert self.news.wait_for(lambda: len(seen()) >= count, WAIT_S), self.events
            return seen()[count - 1]

    def exit_of(self, child: str) -> tuple[ExitKind, str]:
        reason = self.wait_for(EventKind.EXITED, child).reason
        assert reason is not None
        return reason.kind, reason.detail


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    assert watch.supervisor.stop(1.0)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def children_of(pid: int) -> list[int]:
    """The children of all threads of a process."""
    lists = [
        Path(f"/proc/{pid}/task/{task}/children").read_text() for task in os.listdir(f"/proc/{pid}/task")
    ]
    return [int(child) for children in lists for child in children.split()]


def wait_gone(pidfd: int) -> bool:
    """Whether the process of this descriptor has ended in time."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(WAIT_S * 1000))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exit 0", (ExitKind.NORMAL, "exit 0")),
        ("exit 3", (ExitKind.ABNORMAL, "exit 3")),
        ("kill -SEGV $$", (ExitKind.ABNORMAL, "SIGSEGV")),
        ("kill -KILL $$", (ExitKind.ABNORMAL, "SIGKILL")),
    ],
)
def test_the_end_of_a_process_is_told_with_its_status(
    watch: Watch, script: str, expected: tuple[ExitKind, str]
) -> None:
    watch.start("a", ready_then(f"READY {script}"))
    assert watch.exit_of("a") == expected


def test_a_program_that_does_not_exist_is_a_failed_start(watch: Watch) -> None:
    with pytest.raises(StartFailed) as caught:
        watch.start("a", ["/no/such/program"])
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_process_that_ends_before_it_is_ready_is_a_failed_start(watch: Watch) -> None:
    with pytest.raises(StartFailed, match="exit 7"):
        watch.start("a", [SHELL, "-c", "exit 7"])


def test_a_process_that_is_never_ready_is_killed(watch: Watch) -> None:
    with pytest.raises(StartFailed, match="not ready"):
        watch.start("a", ["sleep", "1000"], start_timeout_s=0.1)
    assert watch.supervisor.which_children() == []
    assert not any("sleep" in Path(f"/proc/{pid}/comm").read_text() for pid in children_of(os.getpid()))


def test_asked_and_gone_is_a_shutdown(watch: Watch) -> None:
    child = watch.start("a", SLEEPING)
    assert watch.supervisor.terminate_child("a").wait(WAIT_S)
    assert watch.exit_of("a") == (ExitKind.SHUTDOWN, "SIGTERM")
    assert not is_alive(child.pid)


def stop_now(child: ProcessChild) -> None:
    os.kill(child.pid, signal.SIGSTOP)


def test_deaf_spinning_and_stopped_processes_do_not_delay_a_shutdown() -> None:
    """Over within T + 1 s."""
    timeout_s = 0.5
    watch = Watch()
    children = [
        watch.start("deaf", DEAF),
        watch.start("spinning", SPINNING),
        watch.start("stopped", SLEEPING),
        watch.start("stopped and deaf", DEAF),
    ]
    stop_now(children[2])
    stop_now(children[3])
    begun_s = monotonic()
    assert watch.supervisor.stop(timeout_s)
    assert monotonic() - begun_s < timeout_s + 1.0
    assert not any(is_alive(child.pid) for child in children)
    assert watch.exit_of("stopped and deaf") == (ExitKind.KILLED, "SIGKILL")


FIFTY = [SLEEPING] * 38 + [DEAF] * 4 + [SPINNING] * 2 + [SLEEPING] * 3 + [DEAF] * 3
"""The last six of them are stopped too."""


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_a_dozen_that_will_not_end_among_fifty_do_not_delay_a_shutdown(kind: str) -> None:
    """Over within T + 1 s, whether one is asked after the other or all at once; the well-behaved are not killed."""
    timeout_s = 1.0
    events: list[SupervisionEvent] = []
    template = ChildSpec(
        "any", lambda argv: ProcessChild(argv, says_ready=True), Restart.TEMPORARY, start_timeout_s=WAIT_S
    )
    supervisor: Supervisor | DynamicSupervisor
    if kind == "static":
        supervisor = Supervisor.start(on_event=events.append)
        replies = [
            supervisor.start_child(replace(template, id=f"c{number}", start=partial(template.start, argv)))
            for number, argv in enumerate(FIFTY)
        ]
    else:
        supervisor = DynamicSupervisor.start(template, on_event=events.append)
        replies = [supervisor.start_child(f"c{number}", argv) for number, argv in enumerate(FIFTY)]
    assert all(reply.wait(WAIT_S) for reply in replies)
    children = [reply.result() for reply in replies]
    for child in children[-6:]:
        assert isinstance(child, ProcessChild)
        stop_now(child)
    begun_s = monotonic()
    assert supervisor.stop(timeout_s)
    assert monotonic() - begun_s < timeout_s + 1.0
    assert not any(is_alive(child.pid) for child in children if isinstance(child, ProcessChild))
    ends = {event.child: event.reason for event in events if event.kind is EventKind.EXITED}
    kinds = Counter(reason.kind for reason in ends.values() if reason is not None)
    assert kinds[ExitKind.KILLED] == 9
    assert kinds[ExitKind.SHUTDOWN] == 41


def test_a_stopped_process_hears_that_it_is_asked_to_end(watch: Watch) -> None:
    stop_now(watch.start("a", SLEEPING))
    assert watch.supervisor.terminate_child("a").wait(WAIT_S)
    assert watch.exit_of("a") == (ExitKind.SHUTDOWN, "SIGTERM")


def test_brutal_kill_does_not_wait(watch: Watch) -> None:
    watch.start("a", DEAF, shutdown=Shutdown.BRUTAL_KILL)
    begun_s = monotonic()
    assert watch.supervisor.terminate_child("a").wait(WAIT_S)
    assert watch.exit_of("a") == (ExitKind.KILLED, "SIGKILL")
    assert monotonic() - begun_s < 1.0


@pytest.mark.parametrize("how", ["crash", "terminate"])
def test_the_rest_of_a_group_goes_with_its_leader(watch: Watch, how: str) -> None:
    child = watch.start("a", [SHELL, "-c", "sleep 1000 & sleep 1000 & echo >&3; exec 3>&-; wait"])
    fds = [os.pidfd_open(pid) for pid in children_of(child.pid)]
    assert len(fds) == 2
    if how == "crash":
        os.kill(child.pid, signal.SIGKILL)
    else:
        watch.supervisor.terminate_child("a")
    assert all(wait_gone(fd) for fd in fds)
    for fd in fds:
        os.close(fd)


CUT_OFF = """
    import os, signal, sys
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.setpgid(0, os.getppid() and os.getpgid(os.getppid()))
    os.write(3, b"!")
    os.closerange(0, 100)
    while True:
        signal.pause()
"""


def test_child_unlink_a_process_that_closes_its_pipes_and_leaves_its_group_is_killed(watch: Watch) -> None:
    child = watch.start("a", [sys.executable, "-S", "-c", textwrap.dedent(CUT_OFF)], shutdown=Shutdown(0.1))
    assert os.getpgid(child.pid) != child.pid
    assert watch.supervisor.terminate_child("a").wait(WAIT_S)
    assert watch.exit_of("a") == (ExitKind.KILLED, "SIGKILL")
    assert not is_alive(child.pid)


def test_closed_pipes_are_not_the_end(watch: Watch) -> None:
    child = watch.start("a", ready_then("READY exec >&- 2>&- <&-; exec sleep 1000"))
    assert is_alive(child.pid)
    assert watch.supervisor.count_children().active == 1


STOLEN = """
    import os, signal, sys, threading
    from moonward.supervisor import ChildSpec, ProcessChild, Restart, Supervisor

    exits = []
    gone = threading.Event()

    def hear(event):
        if event.kind.value == "exited":
            exits.append(event.reason)
            gone.set()

    if sys.argv[1] == "ignore":
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    supervisor = Supervisor.start(on_event=hear)
    spec = ChildSpec("a", lambda: ProcessChild(["sleep", "1000"]), Restart.TEMPORARY)
    reply = supervisor.start_child(spec)
    assert reply.wait(10)
    pid = reply.result().pid
    if sys.argv[1] == "wait":
        held = threading.Event()
        supervisor.loop.post(lambda: held.wait(10))   # the supervisor must not be the first to see it
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(-1, 0)[0] == pid
        held.set()
    else:
        os.kill(pid, signal.SIGKILL)
    assert gone.wait(10)
    supervisor.stop()
    print(exits[0].kind.value, exits[0].detail)
"""


@pytest.mark.parametrize("thief", ["wait", "ignore"])
def test_a_status_that_somebody_else_took_is_abnormal(thief: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(STOLEN), thief], capture_output=True, text=True, timeout=30
    )
    assert done.stdout.startswith("abnormal status unknown"), done.stderr


def test_a_process_survives_the_thread_that_asked_for_it(watch: Watch) -> None:
    started: list[ProcessChild] = []
    thread = threading.Thread(target=lambda: started.append(watch.start("a", SLEEPING)))
    thread.start()
    thread.join(WAIT_S)
    assert is_alive(started[0].pid)
    assert watch.supervisor.count_children().active == 1


def inheritable() -> set[str]:
    """Descriptors that this program was itself given as inheritable: not ours to close."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.get_inheritable(int(name)):
                found.add(name)
        except OSError:  # the descriptor of this listing
            pass
    return found


def test_no_descriptor_of_ours_is_inherited(watch: Watch) -> None:
    watch.start("neighbour", SLEEPING)
    waiting = "import os, signal; os.write(3, b'!'); signal.pause()"
    child = watch.start("a", [sys.executable, "-S", "-c", waiting])
    seen = set(os.listdir(f"/proc/{child.pid}/fd"))
    assert {"0", "1", "2", "3"} <= seen <= {"0", "1", "2", "3"} | inheritable()


def open_fds() -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}").split(":")[0])
        except FileNotFoundError:  # the descriptor of this listing
            pass
    return sorted(found)


def kill_and_restart(cycles: int) -> None:
    watch = Watch()
    pids = {watch.start("a", SLEEPING, Restart.PERMANENT).pid}
    watch.supervisor.restart_child("a").wait(WAIT_S)
    fds, threads = open_fds(), threading.active_count()
    for cycle in range(cycles):
        child = watch.supervisor.lookup("a")
        assert isinstance(child, ProcessChild)
        os.kill(child.pid, signal.SIGKILL)
        watch.wait_for(EventKind.STARTED, "a", cycle + 2)
        child = watch.supervisor.lookup("a")
        assert isinstance(child, ProcessChild)
        pids.add(child.pid)
    assert len(pids) > cycles / 2  # numbers may come again
    assert open_fds() == fds
    assert threading.active_count() == threads
    ours = set(children_of(os.getpid())) & pids
    assert len(ours) == 1
    assert watch.supervisor.stop(2.0)
    assert not set(children_of(os.getpid())) & pids


@pytest.mark.soak
def test_cycles_of_kill_and_restart_leave_nothing() -> None:
    kill_and_restart(1000 if os.environ.get("MOONWARD_TEST_LONG") else 50)


def test_a_supervisor_leaves_no_descriptor_and_no_thread() -> None:
    Supervisor.start().stop()
    fds, threads = open_fds(), threading.active_count()
    for _ in range(20):
        watch = Watch()
        watch.start("a", SLEEPING)
        assert watch.supervisor.stop(2.0)
    assert open_fds() == fds
    assert threading.active_count() == threads


def test_a_loop_can_be_shared_and_outlives_its_supervisors() -> None:
    loop = Loop()
    loop.start()
    for _ in range(2):
        with Supervisor.start(
            [ChildSpec("a", lambda: ProcessChild(["sleep", "1000"]))], loop=loop
        ) as supervisor:
            assert supervisor.count_children().active == 1
        assert loop.is_running
    assert loop.stop()
