"""The key that seals what hosts carry from one call to the next: in a file, so that it outlives the server."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from moonward.actors.errors import HostStorageError

FILE: Final = "mcp-state.key"
"""In the data directory."""

KEY_BYTES: Final = 32
"""What the SDK's sealing asks for at least: 256 bits."""


def state_key(folder: Path) -> bytes:
    """The key in `folder`, made if it is not there; only its user can read it. `HostStorageError`."""
    path = folder / FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise HostStorageError(f"the key {str(path)!r} cannot be read or made: {error.strerror}") from error
    if len(key) < KEY_BYTES:
        raise HostStorageError(f"the key {str(path)!r} is cut short: {len(key)} bytes; remove it")
    return key


def _make(path: Path) -> None:
    """Make the file whole or not at all; of several servers that make it at once, the first one's key holds."""
    part = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            pass
    finally:
        os.unlink(part)
