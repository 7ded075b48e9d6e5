"""Which notes of a strand are new: pure counting.

A script that is repeated says the same notes in the same order, so a note is known by its number, counted from the
script's first. Known are those that an earlier run of the same strand said, and those that came before the session's
last recorded pause: the pause's entry holds what they led to.
"""

from __future__ import annotations

from typing import TypeVar

Note = TypeVar("Note")


class NoteFilter:
    """The notes of one strand, over all its runs."""

    def __init__(self) -> None:
        self._heard = 0
        self._known = 0

    def run_again(self) -> None:
        """The strand begins anew."""
        self._heard = 0

    def fresh(self, notes: list[Note], *, is_recorded: bool) -> tuple[int, list[Note]]:
        """Those of the next `notes` that are new, and the number of the first of them (from 0).

        `is_recorded`: they came before the last recorded pause, so that none of them is.
        """
        self._heard += len(notes)
        if is_recorded:
            self._known = max(self._known, self._heard)
        left = self._heard - self._known
        if left <= 0:
            return self._heard, []
        self._known = self._heard
        fresh = notes[-left:]
        return self._heard - len(fresh), fresh
