"""The definitions of `alc` for editors and models: beside the packages, where the seed system has them as well.

A file there that somebody else wrote is left as it is, and is what is shown; one that this project wrote is kept up
with the version that runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from moonward.actors.errors import PackageError
from moonward.actors.host.packages import read_inside
from moonward.actors.library import WRITTEN, library, luacats

PLACE: Final = Path("types", "alc.d.lua")
"""Beside the folder of packages; the seed system's place."""

MAX_BYTES: Final = 1 << 20
"""Longest file that is shown. Arbitrary; ours has 30 KB."""


class Definitions:
    """The file beside the folder `packages`. Its methods block."""

    def __init__(self, packages: Path) -> None:
        self._home = packages.parent
        self._path = self._home / PLACE

    def text(self) -> str:
        """What is there, or would be after an installation."""
        try:
            found = self._found()
        except PackageError:
            found = ""
        return luacats(library()) if _is_ours(found) else found

    def keep(self) -> str | None:
        """Where the file is, written if it is not there or ours; None if that cannot be."""
        try:
            if _is_ours(self._found()):
                self._path.parent.mkdir(exist_ok=True)
                self._path.write_text(luacats(library()), encoding="utf-8")
        except (PackageError, OSError):  # packages do without
            return None
        return str(self._path)

    def _found(self) -> str:
        found = read_inside(str(self._path), str(self._home), MAX_BYTES)
        return "" if found is None else found.decode("utf-8", "replace")


def _is_ours(text: str) -> bool:
    return not text.strip() or WRITTEN in text
