"""Where faults can be put in, for tests of resilience: between a strand and its worker, and in the worker's place.

A Runtime has none; `moonward.testing` makes one that does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from moonward.actors.worker_link import WorkerLink
    from moonward.actors.worker_pool import SpawnerFactory
    from moonward.supervisor.loop import Loop

LinkMaker = Callable[..., "WorkerLink"]
"""Called as `WorkerLink` is."""


class Faults(Protocol):
    """What may go wrong with the workers of a Runtime. Called on the loop's thread."""

    def start_fails(self, session_id: str, strand: str) -> Exception | None:
        """Why this strand gets no worker now, or None when it gets one."""

    def link_of(self, session_id: str, strand: str) -> LinkMaker:
        """What holds the pipes to the worker that this strand has got."""

    def spawner(self, loop: Loop) -> SpawnerFactory | None:
        """What workers are forked from, None for the real zygote: something else may play the worker."""
