"""Which packages there are, and removing one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from moonward.actors.errors import PackageError
from moonward.actors.host.package_meta import package_meta
from moonward.actors.host.packages import MAX_MODULE_BYTES, NAME_PART, read_inside


class PackageInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A package: `name` is what `require` takes, `path` its folder, or its only file; the rest is what it says of
    itself."""

    name: str
    path: str
    version: str | None = None
    description: str | None = None
    category: str | None = None


def list_packages(directories: Iterable[str | os.PathLike[str]]) -> list[PackageInfo]:
    """The folders with an `init.lua` and the single `.lua` files, by name; of one name, the one that `require` would
    find."""
    found: dict[str, PackageInfo] = {}
    for directory in directories:
        root = os.path.abspath(directory)
        try:
            names = sorted(os.listdir(root))
        except OSError:
            continue  # a directory of the search path need not exist
        for name in dict.fromkeys(each.removesuffix(".lua") for each in names):
            if NAME_PART.fullmatch(name) and name not in found:
                info = describe(root, name)
                if info is not None:
                    found[name] = info
    return sorted(found.values(), key=lambda info: info.name)


def describe(root: str, name: str) -> PackageInfo | None:
    """The package of a name in a directory, None if there is none that `require` would read."""
    path = os.path.join(root, name)
    try:
        source = read_inside(os.path.join(path, "init.lua"), root, MAX_MODULE_BYTES)
        if source is None:
            path += ".lua"
            source = read_inside(path, root, MAX_MODULE_BYTES)
    except PackageError:
        return None
    if source is None:
        return None
    meta = package_meta(source.decode("utf-8", "replace"))
    return PackageInfo(name, path, meta.get("version"), meta.get("description"), meta.get("category"))


def remove_package(name: str, home: Path) -> str:
    """Remove an installed package from `home`; its former path. Raises `PackageError`."""
    if not NAME_PART.fullmatch(name):
        raise PackageError(f"package name {name!r} is not allowed: letters, digits, '_' and '-'")
    folder = home / name
    try:
        single = home / f"{name}.lua"
        if folder.is_symlink():
            folder.unlink()
            return str(folder)
        if not folder.exists() and (single.is_symlink() or single.is_file()):
            single.unlink()
            return str(single)
        if not folder.is_dir():
            raise PackageError(f"package '{name}' is not installed in '{home}'")
        # away by one rename, so that no session finds half of a package
        grave = tempfile.mkdtemp(prefix=".removed-", dir=home)
        os.rename(folder, os.path.join(grave, name))
        shutil.rmtree(grave, ignore_errors=True)
    except OSError as error:
        raise PackageError(f"package '{name}' cannot be removed: {error}") from error
    return str(folder)
