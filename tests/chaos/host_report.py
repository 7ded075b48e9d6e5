"""What a storm over hosts came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .report import PERCENTILES, Report, counted, percentile, times


@dataclass
class HostReport(Report):
    """A `Report` with what is particular to hosts. `faults` are kills and full disks, `replays` sessions that woke."""

    repeated: int = 0
    """Answers that were offered again: to another host, to a disk with room, or for no good reason."""
    started: int = 0
    """Starts of a host process."""
    refused_starts: int = 0
    """Hosts that said on a full disk that they cannot start."""
    lost: int = 0
    """Answers that were acknowledged and are not there; part of `problems`."""
    ready_s: list[float] = field(default_factory=list)
    """Seconds from the start of each process until its Runtime was ready."""
    readable_s: list[float] = field(default_factory=list)
    """Seconds from the start of each process until every session had been read."""
    wake_s: list[float] = field(default_factory=list)
    """Seconds until one session of a host that was killed was awake in the next."""
    dead_processes: int = 0
    """Processes of killed hosts that were still there five seconds later; part of `leaked`."""

    def figures(self) -> list[str]:
        """For people."""
        return [
            f"  answers    {self.queries} acknowledged, {self.repeated} offered again, {self.lost} lost",
            f"  hosts      {self.started} started, of which {self.refused_starts} refused to on a full disk",
            f"  faults     {sum(self.faults.values())}: {counted(self.faults)}",
            f"  replays    {self.replays}",
            f"  ready      {times(self.ready_s)} (from the start of the process)",
            f"  readable   {times(self.readable_s)} (until every session with its transcript was read)",
            f"  wake       {times(self.wake_s)} (one session, after its host was killed)",
        ]

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        found = super().to_json()
        for name in ("repeated", "started", "refused_starts", "lost"):
            found[name] = getattr(self, name)
        for name in ("ready_s", "readable_s", "wake_s"):
            values = getattr(self, name)
            found[f"{name.removesuffix('_s')}_ms"] = {
                f"p{percent}": round(percentile(values, percent) * 1000, 1) for percent in PERCENTILES
            }
        del found["recovery_ms"], found["fewest_faults"], found["restarts"]
        return found


def new_report(seed: int, sessions: int) -> HostReport:
    """An empty one."""
    return HostReport("Storm over hosts (sqlite)", seed, sessions, faults=Counter())
