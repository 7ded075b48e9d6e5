"""`moonward advise`: an installed strategy, run to its end."""

from __future__ import annotations

import argparse

from moonward.cli import conversation


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `advise`."""
    parser = commands.add_parser(
        "advise",
        help="run an installed strategy to its end",
        description="Run the strategy package NAME to its end: require(NAME).run(ctx), where ctx is the options and "
        "the task. See `moonward packages list`. The result goes to standard output as JSON, everything else to "
        "standard error. Without an answer option it asks on the terminal.",
        epilog=conversation.EPILOG,
    )
    parser.add_argument("name", metavar="NAME", help="the package")
    parser.add_argument("--task", metavar="TEXT", help="what is to be done: ctx.task")
    parser.add_argument("--opts", metavar="JSON|@FILE", help="the other fields of ctx, a JSON object")
    conversation.add_options(parser)
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Run the strategy that the arguments name; returns the exit status."""
    opts = conversation.json_object("--opts", arguments.opts)
    return conversation.to_the_end(
        arguments,
        lambda runtime: runtime.advise(arguments.name, arguments.task, opts, packages=arguments.package_path),
    )
