"""`moonward export` and `moonward import`: a session as one file that another journal can take."""

from __future__ import annotations

import argparse
from pathlib import Path

from moonward.actors.errors import SettingsError
from moonward.cli.exit_status import COMPLETED
from moonward.cli.journal import add_journal
from moonward.cli.operating import add_session, archive, opened, print_json
from moonward.cli.terminal_text import one_line


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `export` and `import`."""
    export = commands.add_parser(
        "export",
        help="write a session to one file",
        description="Write a session with all that it needs to one file, whether a host has it or not. The file holds "
        "prompts and answers; only its user may read it.",
    )
    add_session(export)
    export.add_argument("file", metavar="FILE", help="the file")
    export.add_argument("--force", action="store_true", help="replace FILE if it is there")
    export.set_defaults(handler=put)
    import_ = commands.add_parser(
        "import",
        help="take a session from a file",
        description="Take a session from a file that `moonward export` wrote. Its id, which goes to standard output, "
        "must not be in the journal yet.",
    )
    import_.add_argument("file", metavar="FILE", help="the file")
    add_journal(import_)
    import_.add_argument("--json", action="store_true", help="print the id as a JSON object")
    import_.set_defaults(handler=take)


def put(arguments: argparse.Namespace) -> int:
    """`export`; returns the exit status."""
    from moonward.actors.journal import portable
    from moonward.actors.tree import write_whole

    path = Path(arguments.file)
    if path.is_dir() or (path.exists() and not arguments.force):
        raise SettingsError(f"{path} is there already; --force replaces a file")
    with archive(arguments) as shelf:
        session_id = shelf.find(arguments.session)
        write_whole(path, portable.pack(shelf.portable(session_id)))
    print(f"exported {one_line(session_id)} to {one_line(str(path))}")
    return COMPLETED


def take(arguments: argparse.Namespace) -> int:
    """`import`; returns the exit status."""
    with opened(arguments) as runtime:
        session_id = runtime.import_(arguments.file).id
    if arguments.json:
        print_json({"session_id": session_id})
    else:
        print(one_line(session_id))
    return COMPLETED
