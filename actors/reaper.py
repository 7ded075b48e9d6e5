"""Looks at all sessions now and then: idle ones expire, paused ones go to sleep, old results are forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moonward.supervisor.loop import Timer
from moonward.supervisor.loop_actor import LoopActor

if TYPE_CHECKING:
    from moonward.actors.services import Services

SHARE = 4
"""Looks within the shortest time to live that is set; arbitrary: nothing outlives its time by more than a quarter."""

SHORTEST_S = 0.05
"""Shortest time between two looks in seconds; a look at a thousand sessions costs about a millisecond."""


class Reaper(LoopActor):
    """The reaper of a Runtime."""

    def __init__(self, services: Services) -> None:
        super().__init__(services.loop, "reaper")
        self._services = services
        self._timer: Timer | None = None

    def on_start(self) -> None:
        """Set the clock."""
        self._arm()

    def on_ended(self, reason: BaseException | None) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()

    def on_receive(self, message: Any) -> None:
        """Every message is a reason to look."""
        self._services.registry.sweep()
        self._prune()

    def _arm(self) -> None:
        self._timer = self.loop.call_later(self._interval_s(), self._tick)

    def _tick(self) -> None:
        self.handle("tick")
        if not self.has_ended:
            self._arm()

    def _interval_s(self) -> float:
        settings = self._services.settings
        times = [settings.idle_ttl, settings.result_ttl, settings.hibernate_after]
        shortest = min((each for each in times if each is not None), default=settings.reap_interval)
        return min(settings.reap_interval, max(SHORTEST_S, shortest / SHARE))

    def _prune(self) -> None:
        retention_s = self._services.settings.journal_retention
        if retention_s is not None:
            before_ms = self._services.now().wall_ms - int(retention_s * 1000)
            self._services.store.prune(before_ms, lambda count, error: self._pruned(count, error))

    def _pruned(self, count: int | None, error: BaseException | None) -> None:
        if error is not None:
            self._services.log.error("journal.prune_failed", error=str(error))
        elif count:
            self._services.log.info("journal.pruned", count=count)
