"""What is to be done to a Runtime: which session, how often, for how long, answered how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from moonward.actors.query import LlmQuery, QueryResponse
from moonward.load.arrivals import Arrivals
from moonward.load.think_time import NONE, ThinkTime


class NoAnswerLeft(Exception):
    """The fake model has no answer to this question; the session is to be cancelled."""


class Answers(Protocol):
    """The fake model's answers to one session, in order."""

    def answer(self, query: LlmQuery) -> QueryResponse:
        """The next one; raises `NoAnswerLeft`."""


class Model(Protocol):
    """The fake model."""

    def answers(self) -> Answers:
        """Answers for another session, from the first on."""


@dataclass(frozen=True)
class Plan:
    """One load. Times are seconds.

    With a `rate` sessions arrive whether earlier ones have ended or not; at most `concurrency` are under way, the
    others wait, and their waiting counts. Without one, `concurrency` sessions are under way all the time.
    What is due in the first `warm_up_s` seconds is done and not counted.
    """

    code: str
    model: Model
    ctx: Mapping[str, Any] | None = None
    packages: Sequence[str] = ()
    rate: float | None = None
    arrivals: Arrivals = "poisson"
    concurrency: int = 64
    duration_s: float = 10.0
    warm_up_s: float = 1.0
    drain_s: float = 10.0
    think: ThinkTime = NONE
    seed: int = 0
