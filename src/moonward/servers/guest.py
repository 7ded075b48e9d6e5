"""Who calls a server, and which files of this machine the caller may name.

Over standard input and output, and over HTTP without a token, the caller is whoever started the server: a guest
without a name, who reaches every session and may name any file that the server can read. A caller with a token has
a name: it reaches its own sessions, and names files only in directories that the server was told to open to it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from moonward.actors.errors import PackageError, SettingsError
from moonward.actors.host.package_install import is_git_url
from moonward.actors.host.packages import as_text, read_inside

EVERYWHERE: Final = ("/",)
"""The directories of a guest who may name any file."""

BARE_URL: Final = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+/[^\s]+")
"""A Git URL without its scheme, `github.com/user/package`, as the seed system takes it."""


@dataclass(frozen=True)
class Guest:
    """A caller. `name` is None for whoever started the server; `folders` are real paths.

    `may_install`: packages are everybody's, and who replaces one reaches into the sessions of others.
    """

    name: str | None = None
    folders: tuple[str, ...] = EVERYWHERE
    may_install: bool = True

    @property
    def is_trusted(self) -> bool:
        """Whether it may do what the server's own user may."""
        return self.folders == EVERYWHERE

    def script(self, path: str, max_bytes: int) -> str:
        """The Lua text of the file at `path`. Blocks."""
        full, folder = self._placed("code_file", path)
        try:
            source = read_inside(full, folder, max_bytes)
            if source is not None:
                return as_text(source, path).decode()
        except UnicodeDecodeError as error:
            raise SettingsError(f"code_file: {path!r} is not UTF-8: {error.reason}") from None
        except (PackageError, ValueError) as error:
            raise SettingsError(f"code_file: {error}") from None
        raise SettingsError(f"code_file: {path!r} not found")

    def package_folders(self, project_root: str | None) -> list[str]:
        """The directories that a project adds to the search for packages. Blocks."""
        if project_root is None:
            return []
        full = self._inside("project_root", project_root)
        if not os.path.isdir(full):
            raise SettingsError(f"project_root: {project_root!r} is not a directory")
        packages = os.path.join(full, "packages")
        if not os.path.isdir(packages):
            return []
        return [self._inside("project_root", packages)]

    def check_installing(self) -> None:
        """Raise `SettingsError` for a guest who may not change which packages there are."""
        if not self.may_install:
            raise SettingsError(
                "installing and removing packages is not open to you: they are shared by all users of this server"
                " (which --allow-install would change)"
            )

    def package_source(self, url: str) -> str:
        """Where `alc_pkg_install` installs from: a URL, or a directory that this guest may name. Blocks."""
        if is_git_url(url):
            if not self.is_trusted and not url.startswith("https://"):
                raise SettingsError(f"url: of Git URLs only https is open to you, got {url!r}")
            return url
        if BARE_URL.fullmatch(url) and not os.path.isdir(url):
            return f"https://{url}"
        return self._inside("url", url)

    def _inside(self, argument: str, path: str) -> str:
        return self._placed(argument, path)[0]

    def _placed(self, argument: str, path: str) -> tuple[str, str]:
        """The real, absolute path, and which of the guest's directories it is in."""
        if not path or "\0" in path:
            raise SettingsError(f"{argument} must be a path, got {path!r}")
        if not self.is_trusted and not path.startswith("/"):
            raise SettingsError(f"{argument} must be an absolute path, got {path!r}")
        try:
            full = os.path.realpath(Path(path).expanduser() if self.is_trusted else path)
        except (OSError, ValueError, RuntimeError) as error:
            raise SettingsError(f"{argument}: {path!r} cannot be followed: {error}") from None
        for folder in self.folders:
            if os.path.commonpath([full, folder]) == folder:
                return full, folder
        raise SettingsError(f"{argument}: {path!r} is in no directory that this server opens to you")
