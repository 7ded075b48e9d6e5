"""A disk that can be full: without space, where we may mount one, and with files that may not grow, everywhere."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

from .kill_plan import Full

SIZE_BYTES = 256 << 20
"""Size of a disk that is mounted, in memory; a long storm writes about a tenth of it."""

BLOCK_BYTES = 1 << 20


class Disk:
    """A folder on a disk of its own if that can be had. A context: unmounts it at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={SIZE_BYTES},mode=700", "moonward-chaos", str(folder)]
        try:
            self.is_mounted = not subprocess.run(
                ["mount", *options], capture_output=True, check=False
            ).returncode
        except OSError:  # there is no such command
            self.is_mounted = False

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)

    def fill(self, how: Full, pid: int, room_bytes: int) -> Full:
        """Let the disk of the process `pid` be full but for `room_bytes`; how it is."""
        if how == "space" and not self.is_mounted:
            how = "size"
        if how == "space":
            self._take_space(room_bytes)
        else:
            self._limit(pid, self._log_bytes() + room_bytes if room_bytes else 0)
        return how

    def mend(self, pid: int | None) -> None:
        """There is room again, and for the process `pid` files may grow."""
        (self.folder / "ballast").unlink(missing_ok=True)
        if pid is not None:
            self._limit(pid, resource.RLIM_INFINITY)

    def _take_space(self, room_bytes: int) -> None:
        free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            left = free - room_bytes
            try:
                while left > 0:
                    left -= ballast.write(bytes(min(left, BLOCK_BYTES)))
            except OSError:
                pass  # the host was faster

    def _limit(self, pid: int, limit_bytes: int) -> None:
        try:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
        except ProcessLookupError:
            pass

    def _log_bytes(self) -> int:
        """The size of the journal's log, which is what grows."""
        log = self.folder / "journal.db-wal"
        return log.stat().st_size if log.exists() else 0
