"""Where `require(name)` finds a module: an ordered list of directories, read by the host, never by a worker.

Guarantees: whatever the name, the file that is read is a regular file inside the directory it was found in, after
all symbolic links (checked on the open file, so that swapping a link meanwhile gains nothing), and Lua text.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from moonward.actors.errors import PackageError

NAME_PART = re.compile(r"[A-Za-z0-9_-]+")
"""A part of a module's name, between dots."""

MAX_NAME_CHARS = 255
"""Longest name of a module: the longest name of a file."""

MAX_MODULE_BYTES = 2 << 20
"""Largest module, unless the caller has a limit of its own. The largest public package is 60 KiB."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Module(msgspec.Struct, frozen=True):
    """A module's source, ready for Lua's `load`; `sha256` (hexadecimal) is of `source`."""

    name: str
    path: str
    source: bytes
    sha256: str


def home_packages(env: Mapping[str, str]) -> Path:
    """Where packages are installed: `packages` in `$ALC_HOME`, or in `~/.algocline`."""
    home = env.get("ALC_HOME")
    if home:
        return Path(home).expanduser() / "packages"
    user = env.get("HOME")
    return (Path(user) if user else Path.home()) / ".algocline" / "packages"


def search_path(env: Mapping[str, str]) -> list[Path]:
    """The directories of `$ALC_PACKAGES_PATH` (parted by colons), then the home of installed packages."""
    listed = env.get("ALC_PACKAGES_PATH", "").split(":")
    return [Path(each).expanduser() for each in listed if each] + [home_packages(env)]


def find_module(
    name: str, directories: Iterable[str | os.PathLike[str]], max_bytes: int = MAX_MODULE_BYTES
) -> Module:
    """The first of `<directory>/<name>/init.lua` and `<directory>/<name>.lua`, dots in `name` being folders.

    Raises `PackageError`: a wrong name, no such module (it lists where it was looked for), or an unreadable one.
    """
    parts = checked_name(name)
    looked: list[str] = []
    for directory in directories:
        stem = os.path.join(os.path.abspath(directory), *parts)
        for path in (os.path.join(stem, "init.lua"), f"{stem}.lua"):
            source = read_inside(path, os.path.abspath(directory), max_bytes)
            if source is not None:
                source = as_text(source, path)
                return Module(name, path, source, hashlib.sha256(source).hexdigest())
            looked.append(path)
    where = "".join(f"\n\tno file '{path}'" for path in looked) or " (no package directories)"
    raise PackageError(f"module '{name}' not found:{where}")


def checked_name(name: str) -> list[str]:
    """The parts of a module's name. Raises `PackageError` for a name that could lead elsewhere."""
    parts = name.split(".")
    if len(name) > MAX_NAME_CHARS or not all(NAME_PART.fullmatch(part) for part in parts):
        raise PackageError(
            f"module name {name[:MAX_NAME_CHARS]!r} is not allowed: "
            "letters, digits, '_' and '-', with single dots between parts"
        )
    return parts


def read_inside(path: str, directory: str, max_bytes: int) -> bytes | None:
    """The bytes of a file that is inside `directory` after all links; None if there is none.

    Raises `PackageError` when it is not a regular file, leads out, is too large or cannot be read.
    """
    try:
        # not blocking: opening a FIFO must not hang
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise PackageError(f"'{path}' cannot be read: {error.strerror}") from error
    try:
        real, inside = os.readlink(f"/proc/self/fd/{fd}"), os.path.realpath(directory)
        if os.path.commonpath([real, inside]) != inside:
            raise PackageError(f"'{path}' is a link that leaves its package directory")
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise PackageError(f"'{path}' is not a regular file")
        with os.fdopen(fd, "rb", closefd=False) as file:
            source = file.read(max_bytes + 1)
    except OSError as error:
        raise PackageError(f"'{path}' cannot be read: {error.strerror}") from error
    finally:
        os.close(fd)
    if len(source) > max_bytes:
        raise PackageError(f"'{path}' is larger than {max_bytes} bytes")
    return source


def as_text(source: bytes, path: str) -> bytes:
    """What Lua's own loader of files would compile: no byte order mark, no first line that starts with `#`.

    Raises `PackageError` for compiled Lua.
    """
    source = source.removeprefix(BYTE_ORDER_MARK)
    if source.startswith(b"#"):
        source = b"--" + source  # a comment, so that line numbers stay
    if source.startswith(b"\x1b"):
        raise PackageError(f"'{path}' is compiled Lua; only text is loaded")
    return source
