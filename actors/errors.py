"""What can go wrong, as types; nobody has to parse a message.

MoonwardError
├── RuntimeClosed, RuntimeFailed, RuntimeUnsupported
├── SettingsError (ValueError)         a setting, limit or argument is wrong
├── SessionNotFound, SessionOwned, SessionRestarting, TooManySessions
├── TransitionError                    an event that the phase does not allow
├── FeedError
│   ├── UnknownQuery, AlreadyResponded, AmbiguousQuery, IdempotencyConflict
├── FeedTimeout (TimeoutError)         the wait ended, not the session
├── WorkerError
│   ├── WorkerCrashed, ProtocolError, StartTimeout
├── JournalError
│   └── Fenced                         this host has lost a session to another
├── ReplayDiverged
├── PackageError
├── CallError                          what a script asked of the host is wrong; raised in Lua
├── CallDiverged                       a call was repeated with another request
├── HostStorageError                   state or cards could not be read or written
└── PendingFilterError (ValueError)
"""

from __future__ import annotations

from moonward.supervisor.errors import MoonwardError


class RuntimeClosed(MoonwardError):
    """The Runtime was closed. Trying again on the same Runtime cannot help."""


class RuntimeFailed(MoonwardError):
    """The supervision tree gave up; the cause is chained. Only a new Runtime can help."""


class RuntimeUnsupported(MoonwardError):
    """This system cannot run sessions (it is not Linux, or lacks pidfd). Trying again cannot help."""


class SettingsError(MoonwardError, ValueError):
    """A setting, a limit or an argument is wrong; the text names it and what would be right."""


class PendingFilterError(SettingsError):
    """A pending filter that is neither a preset, a `PendingFilter` nor an object of its fields."""


class SessionNotFound(MoonwardError, KeyError):
    """No session with this id is held. Trying again cannot help."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id!r} not found")
        self.session_id = session_id

    def __str__(self) -> str:
        return str(self.args[0])


class SessionOwned(MoonwardError):
    """Another live host has this session. Trying again helps once that host has ended."""


class SessionRestarting(MoonwardError):
    """The session's actor is being restarted. Trying again helps; with an idempotency key it is safe."""


class TooManySessions(MoonwardError):
    """`max_sessions` live sessions are held. Trying again helps once one has ended."""


class TransitionError(MoonwardError):
    """An event came in a phase that does not allow it; nothing was changed. Trying again cannot help."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected {expected}, but the session is {actual}")
        self.expected = expected
        self.actual = actual


class FeedError(MoonwardError):
    """An answer was refused; nothing was changed."""


class UnknownQuery(FeedError):
    """No query with this id was ever asked. Trying again cannot help."""

    def __init__(self, query_id: str) -> None:
        super().__init__(f"query {query_id!r} was never asked in this session")
        self.query_id = query_id


class AlreadyResponded(FeedError):
    """The query has its answer, which is kept. Trying again cannot help."""

    def __init__(self, query_id: str) -> None:
        super().__init__(f"query {query_id!r} has been answered already")
        self.query_id = query_id


class AmbiguousQuery(FeedError):
    """No query id was given, and it is not certain which is meant. Name the query and try again."""

    def __init__(self, count: int, why: str = "") -> None:
        noun = "query is" if count == 1 else "queries are"
        super().__init__(f"{count} {noun} pending{why}; say which one with query_id")
        self.count = count


class IdempotencyConflict(FeedError):
    """The idempotency key was used before with another query or text. Use a new key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"idempotency key {key!r} was used before with another query or another text")
        self.key = key


class FeedTimeout(MoonwardError, TimeoutError):
    """The wait ended, the session goes on. `accepted` says whether the answer of `query_id` was taken; None: unknown.

    Waiting again helps. Feeding again is safe with an idempotency key, or when `accepted` is False: then the answer
    was taken back.
    """

    def __init__(self, message: str, query_id: str | None = None, accepted: bool | None = None) -> None:
        super().__init__(message)
        self.query_id = query_id
        self.accepted = accepted


class WorkerError(MoonwardError):
    """A worker process was lost."""


class WorkerCrashed(WorkerError):
    """A worker ended without having been asked to."""


class ProtocolError(WorkerError):
    """A worker wrote what a worker never writes; it was killed."""


class StartTimeout(WorkerError):
    """A worker did not say that it was ready in time."""


class JournalError(MoonwardError):
    """The journal could not be read or written; nothing was acknowledged. Helps once the cause is gone."""


class Fenced(JournalError):
    """Another host has taken the session over; nothing was written. The host must stop: trying again cannot help."""


class ReplayDiverged(MoonwardError):
    """Replayed Lua asked for something else than the journal holds. Trying again cannot help.

    Attributes: `entry` (index of the first entry that differs), `expected` and `actual` (short texts), `texts`
    (both in full).
    """

    def __init__(self, entry: int, expected: str, actual: str) -> None:
        super().__init__(f"diverged at entry {entry}: expected {expected}, came {actual}")
        self.entry = entry
        self.expected = expected
        self.actual = actual
        self.texts: tuple[str, str] = (expected, actual)


class PackageError(MoonwardError):
    """A package could not be found, read, installed or removed; the text says which and why."""


class CallError(MoonwardError):
    """A call of the host was refused; the text is raised in Lua at the caller's line. Nothing was changed."""


class CallDiverged(MoonwardError):
    """A call that was applied came again under its sequence number with another request.

    Replayed Lua did something else than it did. Trying again cannot help.
    """

    def __init__(self, session_id: str, seq: str) -> None:
        super().__init__(f"host call {seq} of session {session_id!r} was applied with another request")
        self.session_id = session_id
        self.seq = seq


class HostStorageError(MoonwardError):
    """State or cards could not be read or written (full disk, lock, damage, rights); nothing was acknowledged.

    Repeating the same call is safe, and helps once the cause is gone.
    """
