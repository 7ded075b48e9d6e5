"""`moonward packages`: which packages there are; installing and removing them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from moonward.actors.errors import SettingsError
from moonward.actors.host.packages import home_packages, search_path
from moonward.actors.settings import Settings
from moonward.cli.conversation import add_package_path
from moonward.cli.exit_status import COMPLETED
from moonward.cli.terminal_text import json_line, one_line

MAX_DESCRIPTION_CHARS = 100
"""Characters of a description that a listing for people shows. Arbitrary, so that a line stays one."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `packages` and its commands."""
    parser = commands.add_parser(
        "packages",
        help="list, install and remove packages",
        description="Packages are installed in $ALC_HOME/packages, or ~/.algocline/packages. Searched are, in this "
        "order: --package-path, MOONWARD_PACKAGE_PATHS, ALC_PACKAGES_PATH, and where packages are installed.",
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = actions.add_parser(
        "list", help="the packages that a session can require, with version and description"
    )
    add_package_path(listing)
    listing.add_argument("--json", action="store_true", help="print them as JSON")
    listing.set_defaults(handler=show)
    install = actions.add_parser(
        "install",
        help="install a package or a collection",
        description="Install from a directory or a Git URL (https, ssh, file). With an init.lua at its root it is one "
        "package; otherwise each folder in it that has one is. A package of the same name is replaced.",
    )
    install.add_argument("source", metavar="SOURCE", help="a directory, or a Git URL")
    install.add_argument(
        "--name", metavar="NAME", help="the name of a single package, instead of SOURCE's last part"
    )
    install.set_defaults(handler=put)
    remove = actions.add_parser("remove", help="remove an installed package")
    remove.add_argument("name", metavar="NAME", help="the package")
    remove.set_defaults(handler=drop)


def show(arguments: argparse.Namespace) -> int:
    """`list`: print the packages; returns the exit status."""
    from moonward.actors.host.package_list import list_packages

    given = [Path(each).absolute() for each in arguments.package_path]
    for folder in given:
        if not folder.is_dir():
            raise SettingsError(f"--package-path: {str(folder)!r} is not a directory")
    paths = [*given, *Settings.resolve(environ=os.environ).package_paths, *search_path(os.environ)]
    packages = list_packages(paths)
    if arguments.json:
        rows = [
            {"name": each.name, "version": each.version, "description": each.description, "path": each.path}
            for each in packages
        ]
        listed = [{name: value for name, value in row.items() if value is not None} for row in rows]
        print(json_line({"packages": listed, "search_paths": [str(path) for path in paths]}))
        return COMPLETED
    names = max((len(each.name) for each in packages), default=0)
    versions = max((len(one_line(each.version or "-")) for each in packages), default=0)
    for each in packages:
        text = one_line(" ".join((each.description or "").split()), MAX_DESCRIPTION_CHARS)
        print(f"{each.name:<{names}}  {one_line(each.version or '-'):<{versions}}  {text}".rstrip())
    return COMPLETED


def put(arguments: argparse.Namespace) -> int:
    """`install`: install, and print what was installed; returns the exit status."""
    from moonward.actors.host.package_install import install_packages

    for each in install_packages(arguments.source, home_packages(os.environ), arguments.name):
        print(f"installed {each.name} {one_line(each.version or '-')} in {one_line(each.path)}")
    return COMPLETED


def drop(arguments: argparse.Namespace) -> int:
    """`remove`: remove, and print what was removed; returns the exit status."""
    from moonward.actors.host.package_list import remove_package

    print(f"removed {one_line(remove_package(arguments.name, home_packages(os.environ)))}")
    return COMPLETED
