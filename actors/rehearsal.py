"""Running a journal again without changing anything: does today's machine, or other code, do what it says?"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec

import msgspec

from moonward.actors.engine import Engine
from moonward.actors.errors import ReplayDiverged, WorkerCrashed
from moonward.actors.journal.entries import Called, Clocks, Ended, Entry, Started
from moonward.actors.limits import Limits
from moonward.actors.losses import Loss
from moonward.actors.query import QuerySpec
from moonward.actors.tape import Outcome
from moonward.actors.terminal import Cancelled, Completed, Failed
from moonward.actors.worker.wire import Broke, Done, Note, Request

if TYPE_CHECKING:
    from moonward.actors.services import Services
    from moonward.actors.strand import Strand
    from moonward.supervisor.reply import Reply

RETRIES = 3
"""Workers that may be lost before the rehearsal itself fails; arbitrary, as many as a session may lose."""


P = ParamSpec("P")


class Report(NamedTuple):
    """`agrees`, or the first `entry` that differs with what was `expected` and what came (`actual`), and a `diff`.

    `entries` is the number of entries of the journal; `reached` says where the run ended: `end`, `pause` or `open`
    (a slice that the journal does not hold to its end).
    """

    session_id: str
    agrees: bool
    entries: int
    reached: str
    entry: int | None = None
    expected: str | None = None
    actual: str | None = None
    diff: str = ""

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return self._asdict()


class Rehearsal:
    """One run of a journal; the reply is a `Report`. Loop thread only."""

    def __init__(
        self, services: Services, entries: Sequence[Entry], code: str | None, reply: Reply[Report]
    ) -> None:
        started = entries[0]
        assert isinstance(started, Started)
        if code is not None:
            started = msgspec.structs.replace(started, code=code)
        self._services = services
        self._session_id = started.session_id
        self._entries = list(entries)
        self._ended = next((each for each in entries if isinstance(each, Ended)), None)
        self._reply = reply
        self._retries = RETRIES
        self._engine = Engine(services, self, started, Limits.recorded(started.limits))

    def run(self) -> None:
        """Begin."""
        self._reply.on_set(lambda reply: self._services.loop.post(self._engine.stop))
        self._engine.run()

    def _agree(self, reached: str) -> None:
        self._engine.stop()
        self._reply.complete(
            Report(self._session_id, agrees=True, entries=len(self._entries), reached=reached)
        )

    def _differ(self, error: ReplayDiverged, reached: str) -> None:
        self._engine.stop()
        expected, actual = error.texts
        lines = difflib.unified_diff(
            expected.splitlines(), actual.splitlines(), "journal", "this run", lineterm="", n=3
        )
        self._reply.complete(
            Report(
                self._session_id,
                agrees=False,
                entries=len(self._entries),
                reached=reached,
                entry=error.entry,
                expected=error.expected,
                actual=error.actual,
                diff="\n".join(lines),
            )
        )

    def _differ_at_end(self, actual: str) -> None:
        assert self._ended is not None
        self._differ(ReplayDiverged(len(self._entries) - 1, _end_text(self._ended), actual), "end")

    # -- what the engine tells --------------------------------------------------------------------------------

    def entries(self) -> Sequence[Entry]:
        """See `EngineHost`."""
        return self._entries

    def refusal(self, queries: Sequence[QuerySpec], gathered: int) -> str | None:
        """See `EngineHost`. Recorded refusals are repeated; nothing new is refused."""
        return None

    def asked(self, asks: Sequence[tuple[str, list[QuerySpec], Clocks]]) -> None:
        """See `EngineHost`."""
        if self._ended is not None and not isinstance(self._ended.state, Cancelled):
            self._differ_at_end(f"the question {asks[0][1][0].prompt!r}")
        else:
            self._agree("open")

    def reached(self) -> None:
        """See `EngineHost`."""
        if self._ended is None or not isinstance(self._ended.state, Completed):
            self._agree("pause")

    def called(self, entry: Called) -> None:
        """See `EngineHost`. Beyond the journal nothing is recorded."""

    def calling(self, strand: Strand, sequence: str, request: Request) -> None:
        """See `EngineHost`. Beyond the journal nothing is done."""
        if self._ended is not None and not isinstance(self._ended.state, Cancelled):
            self._differ_at_end("another request of the host")
        else:
            self._agree("open")

    def child_ended(self, strand: str, outcome: Outcome) -> None:
        """See `EngineHost`."""

    def finished(self, final: Done | Broke) -> None:
        """See `EngineHost`."""
        if self._ended is None or isinstance(self._ended.state, Cancelled):
            self._agree("open")
            return
        state: Completed | Failed = (
            Completed(msgspec.json.decode(final.value)) if isinstance(final, Done) else Failed(final.error)
        )
        recorded = self._ended.state
        same = type(state) is type(recorded)
        if isinstance(state, Completed) and isinstance(recorded, Completed):
            same = msgspec.json.encode(state.result) == msgspec.json.encode(recorded.result)
        elif isinstance(state, Failed) and isinstance(recorded, Failed):
            same = recorded.error.startswith(state.error) or state.error.startswith(recorded.error)
        if same:
            self._agree("end")
        else:
            self._differ_at_end(_state_text(state))

    def noted(self, strand: str, first: int, notes: list[Note]) -> None:
        """See `EngineHost`."""

    def lost(self, strand: str, loss: Loss) -> None:
        """See `EngineHost`."""
        recorded = self._ended.state if self._ended is not None else None
        if isinstance(recorded, Failed) and recorded.error_kind in ("limit", "crash", "protocol"):
            self._agree("end")
        elif loss.is_final or not self._retries:
            self._reply.fail(WorkerCrashed(f"the rehearsal lost its worker: {loss.detail}"))
        else:
            self._retries -= 1
            self._engine.restart(strand)

    def diverged(self, error: ReplayDiverged) -> None:
        """See `EngineHost`."""
        recorded = self._ended.state if self._ended is not None else None
        if isinstance(recorded, Failed) and recorded.error_kind == "diverged":
            self._agree("end")
        else:
            self._differ(error, "pause")

    def guarded(self, work: Callable[P, None]) -> Callable[P, None]:
        """See `EngineHost`. The rehearsal fails, nothing else."""

        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                work(*args, **kwargs)
            except Exception as error:
                self._reply.fail(error)

        return run

    def module(self, digest: str, done: Callable[[bytes | None, BaseException | None], None]) -> None:
        """See `EngineHost`."""
        self._services.store.content(digest, done)


def _end_text(ended: Ended) -> str:
    return _state_text(ended.state)


def _state_text(state: Completed | Failed | Cancelled) -> str:
    if isinstance(state, Completed):
        return f"the result {msgspec.json.encode(state.result).decode()}"
    if isinstance(state, Failed):
        return f"the error {state.error}"
    return f"cancelled: {state.reason}"
