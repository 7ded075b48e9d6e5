"""What a strand did before, in order: the pure half of a replay.

A replayed strand makes its requests again. Each is compared, by content, with the step that was recorded; a step's
outcome is given instead of asking anybody. After the last step the strand is live.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from moonward.actors.errors import ReplayDiverged
from moonward.actors.journal.entries import (
    MAIN,
    Answered,
    Batch,
    Called,
    ChildEnded,
    Clocks,
    Ended,
    Entry,
    Paused,
)
from moonward.actors.query import QuerySpec
from moonward.actors.worker.wire import (
    AskRequest,
    Broke,
    CallRequest,
    Done,
    ForkRequest,
    Request,
    RequireRequest,
)

SHOWN_CHARS = 200
"""Characters of a request that a divergence report shows; arbitrary, two lines of a terminal."""

LEAD_CHARS = 40
"""Characters before the first difference that are shown of a long text; arbitrary, half a line."""


class Step(NamedTuple):
    """One recorded request of a strand. `entry` is its index in the journal.

    `queries` is set for questions, with the ids of their answers in `query_ids`; otherwise `called` is.
    """

    entry: int
    clocks: Clocks
    queries: list[QuerySpec] | None = None
    query_ids: tuple[str, ...] = ()
    called: Called | None = None


class Outcome(NamedTuple):
    """How a forked child ended: JSON text of its result, or its error."""

    result: str | None
    error: str | None


class Tape:
    """The recorded steps of every strand of a session, the answers, and the ends of its forked children."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.steps: dict[str, list[Step]] = {}
        self.texts: dict[str, str] = {}
        self.children: dict[str, Outcome] = {}
        self.ended: Ended | None = None
        self.last_pause = -1
        """Index of the last recorded pause; -1 before the first."""
        self._count = 0
        self.read_on(entries)

    def read_on(self, entries: Sequence[Entry]) -> None:
        """Take what was added to `entries` since they were read."""
        for index in range(self._count, len(entries)):
            self._read(index, entries[index])
        self._count = len(entries)

    def _read(self, index: int, entry: Entry) -> None:
        if isinstance(entry, Answered):
            self.texts[entry.query_id] = entry.response
        elif isinstance(entry, Batch):
            self.texts.update((each.query_id, each.response) for each in entry.answers)
        elif isinstance(entry, Paused):
            self.last_pause = index
            at = 0
            for ask in entry.asks:
                queries = entry.queries[at : at + ask.count]
                at += ask.count
                step = Step(index, ask.clocks, [q.spec() for q in queries], tuple(q.id for q in queries))
                self.steps.setdefault(ask.strand, []).append(step)
        elif isinstance(entry, Called):
            self.steps.setdefault(entry.strand, []).append(Step(index, entry.clocks, called=entry))
        elif isinstance(entry, ChildEnded):
            self.children[entry.strand] = Outcome(entry.result, entry.error)
        elif isinstance(entry, Ended):
            self.ended = entry

    def of(self, strand: str) -> list[Step]:
        """The steps of `strand`; a new list, to be consumed."""
        return list(self.steps.get(strand, ()))

    def paused_steps(self, strand: str) -> int:
        """How many steps of `strand` came before the last recorded pause, or made it.

        Every strand waits at a pause, so what it said before its next step it said after that pause.
        """
        return sum(step.entry <= self.last_pause for step in self.steps.get(strand, ()))

    def answers(self, query_ids: Iterable[str]) -> list[str] | None:
        """The answers to these queries, or None while one is missing."""
        texts = [self.texts.get(each) for each in query_ids]
        return None if None in texts else texts  # type: ignore[return-value]

    def clocks_of_end(self, strand: str) -> Clocks:
        """Readings between the last step of `strand` and its recorded end."""
        return self.ended.clocks if self.ended is not None and strand == MAIN else []


def digest_of(request: Request) -> str:
    """SHA-256 of what `request` asks, in hexadecimal; clock readings do not count."""
    sha = hashlib.sha256(name_of(request).encode() + b"\0")
    if isinstance(request, AskRequest):
        sha.update(msgspec.json.encode(request.queries))
    elif isinstance(request, ForkRequest):
        sha.update(msgspec.json.encode((request.strategies, request.ctx, request.on_error)))
    elif isinstance(request, CallRequest):
        sha.update(bytes(request.args))
    else:
        sha.update(request.name.encode())
    return sha.hexdigest()


def name_of(request: Request) -> str:
    """The name under which a request is recorded."""
    if isinstance(request, AskRequest):
        return "ask"
    if isinstance(request, ForkRequest):
        return "fork"
    if isinstance(request, RequireRequest):
        return "require"
    return request.name


def check(step: Step, request: Request) -> None:
    """Raise `ReplayDiverged` unless `request` is what `step` recorded."""
    if step.queries is not None:
        if isinstance(request, AskRequest):
            if request.queries == step.queries:
                return
            raise _asks_differ(step.entry, step.queries, request.queries)
    else:
        assert step.called is not None
        if step.called.name == name_of(request) and step.called.digest == digest_of(request):
            return
    error = ReplayDiverged(step.entry, describe(step), describe_request(request))
    error.texts = (_whole_step(step), _whole_request(request))
    raise error


def describe(step: Step) -> str:
    """A short text of a recorded step."""
    if step.queries is not None:
        return _asks(step.queries)
    called = step.called
    assert called is not None
    gave = ""
    if called.error is not None:
        gave = f", which failed: {_short(called.error)}"
    elif called.result is not None:
        gave = f", which gave {_short_json(called.result)}"
    return f"{called.name} (request {called.digest[:12]}){gave}"


def describe_request(request: Request) -> str:
    """A short text of a request."""
    if isinstance(request, AskRequest):
        return _asks(request.queries)
    if isinstance(request, CallRequest):
        what = f"{request.name} {_short_raw(request.args)}"
    elif isinstance(request, RequireRequest):
        what = f"require {_short(request.name)}"
    else:
        what = f"fork of {', '.join(request.strategies)} with {_short_raw(request.ctx)}"
    return f"{what} (request {digest_of(request)[:12]})"


def describe_final(final: Done | Broke) -> str:
    """A short text of the end of a strand that came too early."""
    if isinstance(final, Broke):
        return f"the error {_short(final.error)}"
    return f"the end, with the result {_short_json(bytes(final.value).decode(errors='replace'))}"


def _whole_step(step: Step) -> str:
    if step.queries is not None:
        return _whole_asks(step.queries)
    return describe(step)


def _whole_request(request: Request) -> str:
    if isinstance(request, AskRequest):
        return _whole_asks(request.queries)
    return describe_request(request)


def _whole_asks(queries: Sequence[QuerySpec]) -> str:
    return "\n".join(
        f"{query.prompt}\n{msgspec.json.encode(msgspec.structs.replace(query, prompt='')).decode()}"
        for query in queries
    )


def _asks_differ(entry: int, recorded: list[QuerySpec], asked: list[QuerySpec]) -> ReplayDiverged:
    """The first question that differs, from where it does."""
    at = _first_difference(recorded, asked)
    old, new = (_whole_asks(queries[at : at + 1]) for queries in (recorded, asked))
    if at < min(len(recorded), len(asked)) and recorded[at].prompt != asked[at].prompt:
        old, new = recorded[at].prompt, asked[at].prompt
    same = _first_difference(old, new)
    start = same - LEAD_CHARS if max(len(old), len(new)) > SHOWN_CHARS and same > LEAD_CHARS else 0
    texts = [_question(at, len(queries), text, start) for queries, text in ((recorded, old), (asked, new))]
    error = ReplayDiverged(entry, *texts)
    error.texts = (_whole_asks(recorded), _whole_asks(asked))
    return error


def _first_difference(old: Sequence[object], new: Sequence[object]) -> int:
    both = zip(old, new, strict=False)
    return next((at for at, (one, other) in enumerate(both) if one != other), min(len(old), len(new)))


def _question(at: int, count: int, text: str, start: int) -> str:
    if at >= count:
        return f"no question after the first {count}"
    which = f" {at + 1} of {count}" if count > 1 else ""
    return f"the question{which} {_short(text[start:] if not start else '…' + text[start:])}"


def _asks(queries: Sequence[QuerySpec]) -> str:
    first = _short(queries[0].prompt) if queries else "nothing"
    more = f" and {len(queries) - 1} more" if len(queries) > 1 else ""
    return f"the question {first}{more}"


def _short_raw(raw: msgspec.Raw) -> str:
    return _short_json(bytes(raw).decode(errors="replace"))


def _short_json(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…")
