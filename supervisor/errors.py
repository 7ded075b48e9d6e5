"""The root of every error of this project, and those of supervision.

MoonwardError
└── SupervisionError
    ├── BadChildSpec          a specification that cannot be right; fix it
    ├── StartFailed           a child did not become ready; the cause is chained
    ├── AlreadyStarted        the child runs already
    ├── AlreadyPresent        a specification with that id is held, its child does not run
    ├── ChildRunning          the call needs a child that does not run
    ├── ChildRestarting       the call needs a child that is not being restarted
    ├── ChildNotFound         no specification with that id
    ├── SupervisorStopped     the supervisor has ended
    └── Exit                  raised by an actor: end with this reason
        └── GaveUp            the supervisor has spent its restart budget
"""

from __future__ import annotations

from typing import Literal


class MoonwardError(Exception):
    """Root of all errors that this project raises on purpose."""


class SupervisionError(MoonwardError):
    """Root of the errors of the supervision layer."""


class BadChildSpec(SupervisionError, ValueError):
    """A child specification or a supervisor's setting is wrong. Trying again cannot help."""


class StartFailed(SupervisionError):
    """A child did not start, or was not ready in time. Trying again may help; see the chained cause."""


class AlreadyStarted(SupervisionError):
    """A child with this id runs. Trying again cannot help."""


class AlreadyPresent(SupervisionError):
    """A specification with this id is held and its child does not run: restart or delete it."""


class ChildRunning(SupervisionError):
    """The child runs; terminate it first."""


class ChildRestarting(SupervisionError):
    """The child is waiting for its next start. Trying again later, or terminating it, helps."""


class ChildNotFound(SupervisionError, KeyError):
    """No child with this id. Trying again cannot help."""

    def __str__(self) -> str:
        return Exception.__str__(self)


class SupervisorStopped(SupervisionError):
    """The supervisor has ended, by itself or because it was told to. Trying again cannot help."""


class Exit(SupervisionError):
    """Raised in an actor's handler: it ends, and its supervisor sees this kind of end instead of a failure."""

    def __init__(
        self, detail: str = "", kind: Literal["normal", "shutdown", "abnormal"] = "shutdown"
    ) -> None:
        super().__init__(detail)
        self.kind = kind


class GaveUp(Exit):
    """More restarts than the budget allows; the last failure is chained. Its parent decides what helps."""
