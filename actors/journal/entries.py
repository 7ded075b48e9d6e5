"""The entries of a session's journal.

A session is its journal: the first entry holds everything that the run depends on, the later ones what came
from outside. Each is immutable. A *strand* is one Lua run: `""` for the session's own, `"<fork>.<child>"` for
a child of `alc.fork` (both counted from 0).
"""

from __future__ import annotations

from typing import Any

import msgspec

from moonward.actors.query import LlmQuery, TokenUsage
from moonward.actors.terminal import TerminalState

MAIN = ""
"""The strand of the session's own Lua."""

Clocks = list[tuple[int, int]]
"""Clock readings of a strand since its last request, run-length coded: (milliseconds after the one before, count)."""


# gc=False: structs of values that came as JSON hold no cycles, and long sessions hold many.


class View(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a snapshot shows beside the questions: kept so that looking at a sleeping session wakes nothing."""

    logs: list[dict[str, Any]] = []
    progress: dict[str, Any] | None = None
    custom: dict[str, Any] = {}


class Ask(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Which strand asked how many of a pause's queries, in the order of the pause's list."""

    strand: str
    count: int
    clocks: Clocks = []


class Started(msgspec.Struct, frozen=True, omit_defaults=True, tag="started"):
    """Entry 0. `ctx` is JSON text; `modules` of the prelude are named by content hash.

    `user` made the session, where users are told apart; None: whoever has the journal.
    """

    session_id: str
    code: str
    ctx: str
    lua: str
    hash_seed: int
    random_seed: int
    prelude: str
    at_ms: int
    limits: dict[str, Any] = {}
    strategy: str | None = None
    packages: list[str] = []
    forked_from: str | None = None
    forked_at: int | None = None
    user: str | None = None


class Paused(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="paused"):
    """The strands of `asks` wait for `queries`."""

    queries: list[LlmQuery]
    asks: list[Ask]
    at_ms: int
    view: View = View()

    def by_strand(self) -> dict[str, tuple[str, ...]]:
        """Which strand waits for which queries."""
        if len(self.asks) == 1:
            return {self.asks[0].strand: tuple([query.id for query in self.queries])}
        asks: dict[str, tuple[str, ...]] = {}
        at = 0
        for ask in self.asks:
            asks[ask.strand] = tuple(query.id for query in self.queries[at : at + ask.count])
            at += ask.count
        return asks


class Answered(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="answered"):
    """An accepted answer. `named`: the host gave the query's id. `batch`: how many were accepted together."""

    query_id: str
    response: str
    at_ms: int
    usage: TokenUsage | None = None
    key: str | None = None
    named: bool = True
    batch: int = 1


class Batch(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="batch"):
    """Answers that were accepted together: all of them, or none."""

    answers: list[Answered]


class Called(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="called"):
    """A request of `strand` that the host answered at once, with its outcome.

    `digest` is the SHA-256 of the request in canonical JSON. `result` is JSON text; `module` the content hash
    of a module's source (the body is stored once, by content). `sent`: bytes that the call made the host store.
    """

    strand: str
    name: str
    digest: str
    result: str | None = None
    error: str | None = None
    module: str | None = None
    clocks: Clocks = []
    sent: int = 0


class ChildEnded(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="child"):
    """A forked child ended with `result` (JSON text) or `error`."""

    strand: str
    result: str | None = None
    error: str | None = None


class Ended(msgspec.Struct, frozen=True, omit_defaults=True, tag="ended"):
    """The end of the session; nothing follows."""

    state: TerminalState
    at_ms: int
    view: View = View()
    clocks: Clocks = []


Entry = Started | Paused | Answered | Batch | Called | ChildEnded | Ended
