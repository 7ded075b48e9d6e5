"""The tools for packages, and what the server says of itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import moonward
from moonward.actors.errors import SettingsError
from moonward.actors.host.package_install import put_packages
from moonward.actors.host.package_list import PackageInfo, list_packages, remove_package
from moonward.actors.host.packages import home_packages, search_path
from moonward.servers.answering import Result
from moonward.servers.definitions import Definitions
from moonward.servers.desk import Desk
from moonward.servers.session_tools import PROJECT_ROOT
from moonward.servers.tool import Tool, ToolCall, output, text, truth

MODES: Final = ("single", "collection", "local_single", "local_collection")
"""What an installation was of; the seed system's words."""

INSTALLED: Final = output(
    {
        "installed": {"type": "array", "items": {"type": "string"}},
        "skipped": {"type": "array", "items": {"type": "string"}},
        "mode": {"type": "string", "enum": list(MODES)},
        "packages": {"type": "array", "items": {"type": "object"}},
    },
    "installed",
    "skipped",
)

LISTED: Final = output(
    {
        "packages": {"type": "array", "items": {"type": "object"}},
        "search_paths": {"type": "array", "items": {"type": "object"}},
    },
    "packages",
    "search_paths",
)


class PackageTools:
    """The tools of this module, on one desk. `environ` says where packages are."""

    def __init__(self, desk: Desk, environ: Mapping[str, str]) -> None:
        self._desk = desk
        self._environ = environ

    def tools(self) -> list[Tool]:
        """Each with what it tells a host."""
        return [
            Tool(
                name="alc_pkg_list",
                title="List packages",
                description="The packages that alc_advice and `require` find, with version, description and place.",
                run=self.listing,
                properties={"project_root": PROJECT_ROOT},
                output=LISTED,
                reads_only=True,
                is_idempotent=True,
            ),
            Tool(
                name="alc_pkg_install",
                title="Install packages",
                description="Install a package (an `init.lua` at the root), or a collection (sub-folders with an "
                "`init.lua` each), from a directory or a Git URL. From a directory, packages of the same name are "
                "replaced; from Git they are skipped, unless `force` is true.",
                run=self.install,
                properties={
                    "url": text(
                        "A directory, or a Git URL: https://…, ssh://…, git@host:path, github.com/user/repo."
                    ),
                    "name": text("A name for a single package, instead of the last part of `url`."),
                    "force": truth("Replace packages that are installed already."),
                },
                required=("url",),
                output=INSTALLED,
                destroys=True,
                reaches_out=True,
            ),
            Tool(
                name="alc_pkg_remove",
                title="Remove a package",
                description="Remove an installed package. Sessions that have loaded it go on with what they loaded.",
                run=self.remove,
                properties={"name": text("The package's name.")},
                required=("name",),
                output=output({"removed": {"type": "string"}, "path": {"type": "string"}}, "removed"),
                destroys=True,
            ),
            Tool(
                name="alc_info",
                title="About this server",
                description="The server's version, where its journal and its packages are, how far this machine "
                "confines scripts.",
                run=self.info,
                properties={},
                output=output({"version": {"type": "string"}}, "version"),
                reads_only=True,
                is_idempotent=True,
            ),
        ]

    async def listing(self, call: ToolCall) -> Result:
        """`alc_pkg_list`."""
        root = call.arguments.string("project_root") or None
        return await self._desk.in_thread(self._listing, call, root)

    def _listing(self, call: ToolCall, root: str | None) -> dict[str, Any]:
        project = call.guest.package_folders(root)
        paths = [(path, "project_root") for path in project] + self._search_paths()
        found = list_packages([path for path, _ in paths])
        return {
            "packages": [_shown(info, paths) for info in found],
            "search_paths": [{"path": path, "source": source} for path, source in paths],
        } | ({"project_root": root} if root is not None else {})

    async def install(self, call: ToolCall) -> Result:
        """`alc_pkg_install`."""
        given = call.arguments
        call.guest.check_installing()
        url = given.string("url")
        if not url:
            raise SettingsError("url is missing: a directory or a Git URL is needed")
        name, force = given.optional_name("name") or None, given.truth("force")
        return await self._desk.in_thread(self._install, call, url, name, force)

    def _install(self, call: ToolCall, url: str, name: str | None, force: bool) -> dict[str, Any]:
        home = home_packages(self._environ)
        source = call.guest.package_source(url)
        is_local = source.startswith("/")
        done = put_packages(source, home, name, self._environ, replaces=force or is_local)
        kind = "collection" if done.is_collection else "single"
        result: dict[str, Any] = {
            "installed": [info.name for info in done.installed],
            "skipped": done.skipped,
            "mode": f"local_{kind}" if is_local else kind,
            "packages": [_shown(info, []) for info in done.installed],
        }
        types = Definitions(home).keep()
        return result if types is None else result | {"types_path": types}

    async def remove(self, call: ToolCall) -> Result:
        """`alc_pkg_remove`."""
        name = call.arguments.name("name")
        call.guest.check_installing()
        path = await self._desk.in_thread(remove_package, name, home_packages(self._environ))
        return {"removed": name, "path": path, "scope": "global"}

    async def info(self, call: ToolCall) -> Result:
        """`alc_info`."""
        settings = self._desk.core.settings
        return {
            "name": "moonward",
            "version": moonward.__version__,
            "journal": settings.journal,
            "durability": settings.durability if settings.is_durable else "none",
            "data_dir": str(settings.data_path),
            "packages_dir": str(home_packages(self._environ)),
            "search_paths": [{"path": path, "source": source} for path, source in self._search_paths()],
            "confinement": await self._desk.in_thread(_confinement),
            "max_sessions": settings.session_limit(),
            "user": call.guest.name,
        }

    def _search_paths(self) -> list[tuple[str, str]]:
        """The directories of packages in the order they are searched, and where each comes from."""
        configured = [
            (str(path.absolute()), "package_paths") for path in self._desk.core.settings.package_paths
        ]
        *listed, home = search_path(self._environ)
        environment = [(os.path.abspath(path), "ALC_PACKAGES_PATH") for path in listed]
        return [*configured, *environment, (os.path.abspath(home), "default")]


def _confinement() -> str:
    from moonward.actors.worker.confine import facts

    return str(facts()["confinement"])


def _shown(info: PackageInfo, paths: list[tuple[str, str]]) -> dict[str, Any]:
    """A package as the seed system's clients expect it; what is not known is left out."""
    source = os.path.dirname(info.path)
    shown = {
        "name": info.name,
        "version": info.version,
        "description": info.description,
        "category": info.category,
        "path": info.path,
        "source": source,
        "scope": "project" if (source, "project_root") in paths else "global",
        "active": True,
    }
    return {key: value for key, value in shown.items() if value is not None}
