"""One attack: what is run, and which ends of it are allowed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

MIB = 1 << 20
LONG = bool(os.environ.get("MOONWARD_TEST_LONG"))

ANYTHING = object()
"""Stands for a value that does not matter, as long as it is a JSON value."""

CPU_S = 2.0 if LONG else 0.3
"""CPU seconds of an attack's slice: long enough to hurt, and short where all are run on every change."""

BURN_S = 2.0 if LONG else 0.15
"""The same, of attacks that can do nothing but cross a limit, whichever it is."""

SLICE_S = 20.0
"""Seconds of a script's slice. It cannot sleep, so that this ends nothing, unless others leave it no processor."""

MOST_MIB = 256
"""What an attack may make the host's own process grow by. Far below what a machine has; see `docs/security.md`."""

KEPT_BYTES = (128 if LONG else 16) * MIB

MEMORY_BYTES = (128 if LONG else 32) * MIB

VALUE, LUA, SYNTAX, LIMIT, CRASH, PROTOCOL = "value", "lua", "syntax", "limit", "crash", "protocol"
BUDGET, DIVERGED, CANCELLED = "budget", "diverged", "cancelled"
"""How an attack can end: a value, an `error_kind`, or cancelled because it went on asking."""


def many(most: int, fewer: int) -> int:
    """How often something is done: `most` in the long form."""
    return most if LONG else fewer


def echo(prompt: str) -> str:
    """What is answered unless an attack needs something else."""
    return f"re: {prompt[:1000]}"


@dataclass(frozen=True)
class Attack:
    """`code` run as a session. `allowed`: how it may end; `value`: what it returns if it ends so.

    `says`: what its error must contain, if it ends in one. `limits` differ from the suite's own.
    """

    name: str
    code: str
    allowed: tuple[str, ...] = (LUA,)
    value: Any = ANYTHING
    says: str = ""
    ctx: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    answer: Callable[[str], str] = echo
    modules: Mapping[str, str] = field(default_factory=dict)
    """Modules that it may load, by name; strategies for `alc.fork`."""
    feeds: int = 200
    """Questions that are answered; one more is cancelled."""

    def __str__(self) -> str:
        return self.name

    def all_limits(self) -> dict[str, Any]:
        """The limits that hold for it."""
        cpu_s = BURN_S if self.allowed == (LIMIT,) and not self.says else CPU_S
        return {
            "cpu_seconds": cpu_s,
            "slice_seconds": SLICE_S,
            "memory_bytes": MEMORY_BYTES,
            "max_kept_bytes": KEPT_BYTES,
            **self.limits,
        }


@dataclass(frozen=True)
class Report:
    """How an attack ended, and what it did to others."""

    name: str
    outcome: str
    text: str
    took_s: float
    victim_ms: float
    """The victim's slowest answer meanwhile, in milliseconds."""
    host_mib: int
    """What the host's memory grew by at most, in MiB."""
    left: str
    """What was left behind: nothing is ""."""
    objection: str = ""
    """Why it may not end so; "" if it may."""

    def check(self) -> None:
        """Raise an `AssertionError` unless it ended as it may, and nothing is left of it."""
        assert not self.objection
        assert not self.left
        assert self.host_mib <= MOST_MIB

    def row(self) -> str:
        """A line of the table."""
        return (
            f"{self.name[:44]:44} {self.outcome:10} {self.took_s:6.2f} {self.victim_ms:8.1f} "
            f"{self.host_mib:6d}  {self.left or 'none':10} {'NOT ALLOWED' if self.objection else 'allowed':11} {self.text[:60]}"
        )

    @staticmethod
    def heading() -> str:
        """The table's first line."""
        return f"{'input':44} {'outcome':10} {'s':>6} {'victim ms':>8} {'MiB':>6}  {'left':10} {'':11} value or error"
