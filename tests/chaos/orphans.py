"""What killed hosts leave: processes that this one adopts, so that none can be overlooked.

A context. In it the processes of a host that dies become children of this process, which waits for their ends.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time

from moonward.testing import descendants

PR_SET_CHILD_SUBREAPER = 36
"""From `linux/prctl.h`."""

GONE_S = 5.0
"""Seconds that the processes of a dead host have to be gone; two are promised, a full machine is slower."""

LOOK_S = 0.002
"""Seconds between two looks."""


class Orphans:
    """Adopts, and counts."""

    def __init__(self) -> None:
        self._others: set[int] = set()

    def __enter__(self) -> Orphans:
        self._others = descendants(os.getpid())
        self._adopt(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._adopt(0)

    def gone(self) -> set[int]:
        """Wait until all are gone, no host being alive; who is not in time."""
        deadline_s = time.monotonic() + GONE_S
        while (left := self._left()) and time.monotonic() < deadline_s:
            threading.Event().wait(LOOK_S)
        return left

    def _left(self) -> set[int]:
        left = descendants(os.getpid()) - self._others
        for pid in left:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass  # it is the child of another orphan, or was reaped just now
        return {pid for pid in left if os.path.exists(f"/proc/{pid}")}

    def _adopt(self, whether: int) -> None:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, whether, 0, 0, 0)
