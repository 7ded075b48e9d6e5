"""`moonward types`: definitions of the script's library for editors."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Final

from moonward.actors.errors import SettingsError
from moonward.cli.exit_status import COMPLETED
from moonward.cli.terminal_text import one_line

FILE_NAME: Final = "alc.lua"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `types`."""
    parser = commands.add_parser(
        "types",
        help="write definitions of the script's library for editors",
        description="Write LuaCATS definitions of `alc` and `ctx` to DIR/alc.lua, for lua-language-server and others. "
        "Name DIR in the editor's workspace.library.",
    )
    parser.add_argument(
        "dir", metavar="DIR", nargs="?", default=".", help="a directory; made if missing (default: .)"
    )
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Write the file, by rename; returns the exit status."""
    from moonward.actors.library import library, luacats

    folder = Path(arguments.dir)
    target = folder / FILE_NAME
    text = luacats(library())
    try:
        if target.exists() and not target.read_bytes().startswith(b"---@meta"):
            raise SettingsError(f"{one_line(str(target))} is there and was not written by this command")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, delete=False) as file:
            file.write(text)
        os.chmod(file.name, 0o644)
        os.replace(file.name, target)
    except OSError as error:
        raise SettingsError(f"cannot write {one_line(str(target))}: {error.strerror}") from None
    print(one_line(str(target)))
    return COMPLETED
