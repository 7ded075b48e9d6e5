"""Installing packages from a local directory or a Git repository.

Guarantees: nothing of the source is run (no hooks, no submodules, no filters of its own); a package appears, or
replaces its former version, by rename; only regular files and folders are copied.

What does not work: between the two renames of a replacement, for microseconds, the package is not there.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from moonward.actors.errors import PackageError
from moonward.actors.host.package_list import PackageInfo, describe
from moonward.actors.host.packages import NAME_PART

GIT_TIMEOUT_S = 120.0
"""Longest time for a clone. Arbitrary; collections of packages are a few megabytes."""

MAX_FILES = 10_000
"""Most files of one installation. The largest public collection has about 1,000."""

MAX_BYTES = 64 << 20
"""Most bytes of one installation. The largest public collection takes about 6 MiB."""

GIT_URL = re.compile(r"(https|ssh|file)://[^\s]+")
SCP_URL = re.compile(r"[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^\s:]+")


class Installation(NamedTuple):
    """What was installed, and the names of the packages that were there already and stayed as they were."""

    installed: list[PackageInfo]
    skipped: list[str]
    is_collection: bool


def install_packages(
    source: str,
    home: Path,
    name: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = GIT_TIMEOUT_S,
) -> list[PackageInfo]:
    """Install the package, or the collection, at `source` into `home`; what was installed.

    `source` is a directory or a Git URL (https, ssh, file, user@host:path); `env` is Git's environment. `name` names
    a single package; without it, the last part of `source` does. Raises `PackageError`.
    """
    return put_packages(source, home, name, env, timeout_s).installed


def put_packages(
    source: str,
    home: Path,
    name: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = GIT_TIMEOUT_S,
    *,
    replaces: bool = True,
) -> Installation:
    """The same; unless it `replaces`, packages of the same name stay as they are."""
    local = Path(source).expanduser()
    try:
        if not is_git_url(source):
            if not local.is_dir():
                raise PackageError(f"'{source}' is neither a directory nor a Git URL (https, ssh, file)")
            return install_folder(local, home, name or local.resolve().name, replaces=replaces)
        with tempfile.TemporaryDirectory(prefix="moonward-clone-") as scratch:
            clone = Path(scratch) / "clone"
            clone_repository(source, clone, env or os.environ, timeout_s)
            last = source.rstrip("/").replace(":", "/").rsplit("/", 1)[-1]
            return install_folder(clone, home, name or last.removesuffix(".git"), replaces=replaces)
    except OSError as error:
        raise PackageError(f"installing '{masked(source)}' failed: {error}") from error


def is_git_url(source: str) -> bool:
    """Whether a source is a URL that may be cloned."""
    return bool(GIT_URL.fullmatch(source) or SCP_URL.fullmatch(source))


def masked(url: str) -> str:
    """A URL without the user and password that it may hold."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def clone_repository(url: str, target: Path, env: Mapping[str, str], timeout_s: float) -> None:
    """Clone the last commit. Raises `PackageError`."""
    command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"]
    command += ["clone", "--quiet", "--depth", "1", "--no-recurse-submodules", "--template="]
    command += ["--", url, str(target)]
    quiet = {
        "GIT_ALLOW_PROTOCOL": "https:ssh:file",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C",
    }
    try:
        git = subprocess.Popen(
            command,
            env={**env, **quiet},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise PackageError("git is not installed") from error
    try:
        _, complaint = git.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        os.killpg(git.pid, signal.SIGKILL)  # its own group: ssh and the like end with it
        git.communicate()
        raise PackageError(f"cloning '{masked(url)}' took longer than {timeout_s:g} s") from error
    if git.returncode != 0:
        said = masked(complaint.decode("utf-8", "replace").strip())[-500:]
        raise PackageError(f"cloning '{masked(url)}' failed: {said}")


def install_folder(folder: Path, home: Path, name: str, *, replaces: bool = True) -> Installation:
    """Install a folder with an `init.lua` as `name`, or each of its sub-folders that has one."""
    is_collection = not (folder / "init.lua").is_file()
    if is_collection:
        sources = {each.name: each for each in sorted(folder.iterdir()) if (each / "init.lua").is_file()}
    else:
        sources = {name: folder}
    if not sources:
        raise PackageError("no init.lua at the root or in a sub-folder: this is no package")
    for each in sources:
        if not NAME_PART.fullmatch(each):
            raise PackageError(f"package name {each!r} is not allowed: letters, digits, '_' and '-'")
    skipped = [] if replaces else [each for each in sources if os.path.lexists(home / each)]
    sources = {each: source for each, source in sources.items() if each not in skipped}
    home.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".installing-", dir=home))
    try:
        copier = Copier()
        for each, source in sources.items():
            copier.copy(source, staging / each)
            if describe(str(staging), each) is None:
                raise PackageError(f"the init.lua of '{each}' is not a readable file of Lua text")
        for each in sources:
            replace_folder(staging / each, home / each, staging / f"{each}.old")
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    installed = [describe(str(home), each) for each in sources]
    return Installation([info for info in installed if info is not None], skipped, is_collection)


def replace_folder(fresh: Path, place: Path, former: Path) -> None:
    """Put `fresh` at `place`; what was there goes to `former`."""
    if place.exists() or place.is_symlink():
        os.rename(place, former)
    os.rename(fresh, place)


class Copier:
    """Copies regular files and folders, within the limits of one installation."""

    def __init__(self) -> None:
        self._files = 0
        self._bytes = 0

    def copy(self, source: Path, target: Path) -> None:
        """Copy a folder. Hidden files and links are left out. Raises `PackageError` past a limit."""
        target.mkdir(mode=0o755)
        with os.scandir(source) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    self.copy(Path(entry.path), target / entry.name)
                elif entry.is_file(follow_symlinks=False):
                    self._copy_file(entry.path, target / entry.name)

    def _copy_file(self, source: str, target: Path) -> None:
        fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as stream:
            status = os.fstat(fd)
            self._files += 1
            self._bytes += status.st_size
            if self._files > MAX_FILES or self._bytes > MAX_BYTES:
                raise PackageError(
                    f"packages of more than {MAX_FILES} files or {MAX_BYTES} bytes are refused"
                )
            if stat.S_ISREG(status.st_mode):
                with open(target, "xb") as copy:
                    shutil.copyfileobj(stream, copy)
