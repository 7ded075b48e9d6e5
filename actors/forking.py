"""One `alc.fork`: its children, their ends, and the array that the parent is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from moonward.actors.tape import Outcome

if TYPE_CHECKING:
    from moonward.actors.strand import Strand
    from moonward.actors.worker.wire import ForkRequest

SKIP = "skip"
FAIL = ("fail", "abort")


class Fork:
    """The `index`-th fork of a session."""

    def __init__(self, index: int, request: ForkRequest) -> None:
        self.index = index
        self.request = request
        self.children: dict[int, Strand] = {}
        self.outcomes: dict[int, Outcome] = {}

    def name_of(self, child: int) -> str:
        """The strand name of a child."""
        return f"{self.index}.{child}"

    @property
    def is_over(self) -> bool:
        """Whether every child has ended."""
        return len(self.outcomes) == len(self.request.strategies)

    def end(self, child: int, outcome: Outcome) -> None:
        """The child has ended."""
        self.outcomes[child] = outcome
        self.children.pop(child, None)

    def failure(self) -> str | None:
        """With `on_error` `fail`: the message of the first child that failed."""
        if self.request.on_error not in FAIL:
            return None
        for child, strategy in enumerate(self.request.strategies):
            error = self.outcomes[child].error
            if error is not None:
                return f"fork: strategy '{strategy}' failed: {error}"
        return None

    def result(self) -> str:
        """JSON text of the array of outcomes, in order."""
        rows: list[dict[str, object]] = []
        for child, strategy in enumerate(self.request.strategies):
            outcome = self.outcomes[child]
            if outcome.error is None:
                value = msgspec.Raw((outcome.result or "null").encode())
                rows.append({"strategy": strategy, "ok": True, "result": value})
            else:
                rows.append({"strategy": strategy, "ok": False, "error": outcome.error})
        return msgspec.json.encode(rows).decode()


def child_of(strand: str) -> int | None:
    """The child index in a strand's name; None for the session's own strand."""
    return int(strand.partition(".")[2]) if strand else None


def refusal(request: ForkRequest, strand: str, most: int) -> str | None:
    """Why `request` of `strand` cannot be done, or None."""
    if strand:
        return "fork: a forked strategy cannot fork"
    if not request.strategies:
        return "fork: strategies must be a non-empty array of names"
    if len(request.strategies) > most:
        return f"fork: max_strands ({most}) exceeded: {len(request.strategies)} strategies"
    if request.on_error != SKIP and request.on_error not in FAIL:
        return f"fork: on_error must be 'skip', 'fail' or 'abort', got {request.on_error!r}"
    for name in request.strategies:
        if not (name.isascii() and name.replace("_", "a").isalnum()):
            return f"fork: strategy name {name!r} must match [A-Za-z0-9_]+"
    return None
