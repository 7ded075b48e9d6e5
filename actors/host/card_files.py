"""The files of the card store: read whole, written whole.

A file appears by rename, after its bytes are on the disk: no reader ever sees half of one, and a host that dies
leaves the old one or the new one. Writers of all processes take turns by a lock on the folder, which the operating
system frees when its holder dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from moonward.actors.errors import CallError, HostStorageError
from moonward.actors.host import card_names

LOCK_TIMEOUT_S = 10.0
"""Longest wait for another writer, as for the state file."""

LOCK_POLL_S = 0.005
"""Time between two looks at a lock that is held; a write takes about a millisecond."""

MAX_FILE_BYTES = 64 << 20
"""Largest file that is read: sixteen times the largest that is written, in case someone edited it."""


class FileWrite(msgspec.Struct, frozen=True):
    """A file to be written: `path` relative to the cards folder."""

    path: str
    text: str


class CardFiles:
    """The folder at `root`, made when it is first written to."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the writers' lock. Raises `HostStorageError` when it cannot be had in `LOCK_TIMEOUT_S`."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostStorageError(f"cards folder: {error}") from error
        try:
            take_lock(fd)
            yield
        finally:
            os.close(fd)

    def write(self, file: FileWrite) -> None:
        """Write a file, on the disk when this returns. Raises `HostStorageError`."""
        target = self.root / file.path
        fresh = target.with_name(f".{target.name}.new")
        try:
            target.parent.mkdir(exist_ok=True, mode=0o700)
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as stream:
                stream.write(file.text)
                stream.flush()
                os.fsync(fd)
            os.rename(fresh, target)
            sync_folder(target.parent)
        except OSError as error:
            raise HostStorageError(f"card file: {error}") from error

    def read(self, path: str) -> str | None:
        """A file's text, None if there is none. Raises `HostStorageError`."""
        try:
            with open(self.root / path, "rb") as stream:
                content = stream.read(MAX_FILE_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise HostStorageError(f"card file: {error}") from error
        if len(content) > MAX_FILE_BYTES:
            raise CallError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
        return content.decode("utf-8", "replace")

    def read_json(self, path: str) -> Any:
        """A file's JSON value, None if there is no file. Raises `CallError` when it is not JSON."""
        text = self.read(path)
        if text is None:
            return None
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise CallError(f"the file of {Path(path).stem!r} is not valid JSON") from error

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return (self.root / path).is_file()

    def packages(self) -> list[str]:
        """The names of the folders, in order."""
        return sorted(each for each in self._names("") if not each.startswith("."))

    def card_ids(self, pkg: str) -> list[str]:
        """The ids of a package's cards, in order."""
        return sorted(
            name.removesuffix(".json")
            for name in self._names(pkg)
            if name.endswith(".json") and not name.startswith(".")
        )

    def find(self, card_id: str) -> str | None:
        """The package that has this card, None if there is no such card."""
        likely = card_id.rsplit("-", 2)[0]
        if self.exists(card_names.card_path(likely, card_id)):
            return likely
        for pkg in self.packages():
            if self.exists(card_names.card_path(pkg, card_id)):
                return pkg
        return None

    def _names(self, folder: str) -> list[str]:
        try:
            return os.listdir(self.root / folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise HostStorageError(f"cards folder: {error}") from error


def take_lock(fd: int) -> None:
    """Lock `fd` exclusively, within `LOCK_TIMEOUT_S`. Raises `HostStorageError`."""
    deadline_s = time.monotonic() + LOCK_TIMEOUT_S
    pause = threading.Event()
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline_s:
                raise HostStorageError("cards folder: another writer holds its lock") from None
            pause.wait(LOCK_POLL_S)
        except OSError as error:
            raise HostStorageError(f"cards folder: {error}") from error


def sync_folder(folder: Path) -> None:
    """Put a rename on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def readable(value: Any) -> str:
    """JSON as people read it. Raises `CallError` when it is nested too deep for that."""
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except RecursionError as error:
        raise CallError("tables are nested too deep") from error
