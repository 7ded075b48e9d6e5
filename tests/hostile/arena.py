"""A Runtime with a victim: attacks are run beside it, and what they do to others is looked at."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import moonward
from moonward.cli.terminal_text import one_line
from moonward.testing import Holdings
from moonward.testing.leftovers import descendants

from .attack import ANYTHING, Attack, Report

PATIENCE_S = 30.0
"""Longest wait for anything that must come. An attack ends long before, by its own limits."""

SLACK_S = 25.0
"""Seconds that an attack may take beyond its limits: others use this machine too."""

PAUSE_S = 0.015
"""Seconds between two questions to the victim; arbitrary. It is asked at once when an attack begins, and at its end."""

LOOK_S = 0.005
"""Seconds between two looks at what is still there."""

WARM = 2
WORKERS = WARM + 1
"""The idle ones, and the victim's."""

VICTIM = """
local n = 0
while true do
  local got = alc.llm("question " .. n)
  if got ~= "answer " .. n then error("a stranger's answer: " .. got) end
  n = n + 1
  if alc.state.incr("turns") ~= n then error("a stranger was here") end
end
"""


USES_ALL_THREADS = "return { alc.state.has('x'), (pcall(require, 'nothing')), #alc.card.list({}) }"
"""Starts the threads that a Runtime starts when they are first needed: they are no leftovers."""


class Victim:
    """A session that is asked without a pause by a thread of its own; its answers are checked."""

    def __init__(self, runtime: moonward.Runtime) -> None:
        self._session = runtime.start(VICTIM, {"_ns": "victim"})
        self._over = False
        self._hurry = threading.Event()
        self._changed = threading.Condition()
        self._worst_s = 0.0
        self._turns = 0
        self._problem: BaseException | None = None
        self._event: Any = self._session.wait(PATIENCE_S)
        self._thread = threading.Thread(target=self._run, name="victim")
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._over:
                self._turn()
                self._hurry.wait(PAUSE_S)
                self._hurry.clear()
        except BaseException as error:
            with self._changed:
                self._problem = error
                self._changed.notify_all()

    def _turn(self) -> None:
        query = self._event.queries[0]
        if query.prompt != f"question {self._turns}":
            raise AssertionError(f"turn {self._turns} asks {query.prompt!r}")
        began_s = time.perf_counter()
        self._event = self._session.feed(f"answer {self._turns}", query_id=query.id, timeout=PATIENCE_S)
        took_s = time.perf_counter() - began_s
        if not isinstance(self._event, moonward.Paused):
            raise AssertionError(f"the victim ended: {self._event}")
        with self._changed:
            self._turns += 1
            self._worst_s = max(self._worst_s, took_s)
            self._changed.notify_all()

    def forget(self) -> None:
        """Measure anew."""
        with self._changed:
            self._worst_s = 0.0
        self._hurry.set()

    def worst_s(self) -> float:
        """The slowest answer since `forget`, one more awaited; raises what went wrong with the victim."""
        with self._changed:
            target = self._turns + 2

            def enough() -> bool:
                self._hurry.set()
                return self._problem is not None or self._turns >= target

            self._changed.wait_for(enough, PATIENCE_S)
            if self._problem is not None:
                raise self._problem
            if self._turns < target:
                raise AssertionError("the victim is not answered any more")
            return self._worst_s

    def close(self) -> None:
        """End it."""
        self._over = True
        self._hurry.set()
        self._thread.join(PATIENCE_S)
        if self._problem is None:
            self._session.cancel()


class Arena:
    """Where attacks are run: a Runtime of its own, and its victim."""

    def __init__(self, data_dir: Path, make: Callable[..., moonward.Runtime] = moonward.Runtime) -> None:
        self._packages = data_dir / "packages"
        self._packages.mkdir()
        self.runtime = make(data_dir=data_dir, warm_workers=WARM)
        self.victim = Victim(self.runtime)
        self.runtime.start(USES_ALL_THREADS).finished(PATIENCE_S)
        self._calm = self._settled(None)

    def __enter__(self) -> Arena:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.victim.close()
        finally:
            self.runtime.close()

    def run(self, attack: Attack) -> Report:
        """Run an attack to its end, then look at what it left."""
        self.victim.forget()
        base_kib = start_of_peak()
        began_s = time.perf_counter()
        outcome, value, text = self._end_of(attack)
        took_s = time.perf_counter() - began_s
        worst_s = self.victim.worst_s()
        grown_kib = memory_kib("VmHWM") - base_kib
        left = self._settled(self._calm)
        gone = {kind: f"{left[kind] - count:+d}" for kind, count in self._calm.items() if left[kind] != count}
        return Report(
            attack.name,
            outcome,
            one_line(text),
            took_s,
            worst_s * 1000,
            grown_kib // 1024,
            " ".join(f"{kind} {n}" for kind, n in gone.items()),
            objection(attack, outcome, value, text),
        )

    def _end_of(self, attack: Attack) -> tuple[str, Any, str]:
        limits = attack.all_limits()
        patience_s = limits["slice_seconds"] + SLACK_S
        try:
            for name, source in attack.modules.items():
                (self._packages / f"{name}.lua").write_text(source)
            session = self.runtime.start(attack.code, attack.ctx, limits=limits, packages=(self._packages,))
        except moonward.MoonwardError as error:
            return "refused", None, str(error)
        event: Any = session.wait(patience_s)
        for _ in range(attack.feeds):
            if not isinstance(event, moonward.Paused):
                break
            try:
                for query in event.queries:
                    event = session.feed(attack.answer(query.prompt), query_id=query.id, timeout=patience_s)
            except moonward.TransitionError:  # it has ended meanwhile
                event = session.finished(patience_s)
        if isinstance(event, moonward.Paused | moonward.Accepted):
            event = session.cancel("it goes on asking")
        return ended(event.state)

    def _settled(self, expected: dict[str, int] | None) -> dict[str, int]:
        """What this Runtime holds, once it is as expected, or, with nothing expected, once it is at rest."""
        deadline_s = time.monotonic() + 5.0
        last: dict[str, int] = {}
        while True:
            counts = self._holdings()
            if counts == expected or (expected is None and counts == last and at_rest(counts)):
                return counts
            if time.monotonic() > deadline_s:
                assert expected is not None, f"no rest before the first attack: {counts}"
                return counts
            last = counts
            threading.Event().wait(LOOK_S)

    def _holdings(self) -> dict[str, int]:
        held = Holdings.now().counts()
        pool = next(each for each in self.runtime.tree()["children"] if each["id"] == "pool")["stats"]
        return {
            "descriptors": held["descriptors"],
            "threads": held["threads"],
            "workers": len(descendants(pool["zygote_pid"])),
            "starting": pool["starting"],
        }


def at_rest(counts: dict[str, int]) -> bool:
    """Whether the workers are there that are to be there, and no more on their way."""
    return counts["workers"] == WORKERS and not counts["starting"]


def ended(state: Any) -> tuple[str, Any, str]:
    """The outcome, the value, and what is to be shown of them."""
    if isinstance(state, moonward.Completed):
        return "value", state.result, json.dumps(state.result)[:200]
    if isinstance(state, moonward.Failed):
        return state.error_kind, None, state.error
    return "cancelled", None, state.reason


def objection(attack: Attack, outcome: str, value: Any, text: str) -> str:
    """Why the attack may not end so; "" if it may."""
    if outcome not in attack.allowed:
        return f"{attack.name} ended in {outcome}: {text}"
    if outcome == "value":
        is_right = attack.value is ANYTHING or value == attack.value
        return "" if is_right else f"{attack.name} returned {value!r}"
    return "" if attack.says in text else f"{attack.name} says {text!r}, which lacks {attack.says!r}"


def memory_kib(name: str) -> int:
    """A figure of this process's memory, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise AssertionError(f"no {name}")


def start_of_peak() -> int:
    """Forget the largest memory so far; what it is now, in KiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory_kib("VmRSS")
