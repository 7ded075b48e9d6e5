"""`moonward bench`: puts a load on a strategy, and says how long it took to answer."""

from __future__ import annotations

import argparse
import math
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moonward.actors.errors import SettingsError
from moonward.actors.query import LlmQuery, QueryResponse
from moonward.actors.settings import Settings
from moonward.cli import conversation
from moonward.cli.answers import AnswersFile, AnswerSource, FixedAnswer, NoAnswer
from moonward.cli.exit_status import COMPLETED, FAILED, INTERRUPTED
from moonward.cli.terminal_text import json_line

if TYPE_CHECKING:
    from moonward.load.plan import Answers, Plan
    from moonward.load.tally import Tally

DEFAULT_ANSWER = "ok"
"""What the fake model says unless told otherwise. As good as any."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `bench`."""
    parser = commands.add_parser(
        "bench",
        help="put a load on a strategy and measure it",
        description="Start sessions of a strategy at a rate, answer them as a model would, and print how long "
        "everything took, counted from when it was due. State and cards go to a directory that is removed afterwards. "
        "Ctrl-C ends the load and prints what there is; a second one ends the program.",
        epilog="Exit status: 0 sessions came to an end, 1 none did, 2 wrong usage, 130 interrupted.",
    )
    code = parser.add_mutually_exclusive_group(required=True)
    code.add_argument("file", metavar="FILE", nargs="?", help="a Lua script")
    code.add_argument("-e", dest="code", metavar="CODE", help="the script itself")
    parser.add_argument("--ctx", metavar="JSON|@FILE", help="the script's ctx, a JSON object")
    conversation.add_package_path(parser)
    _add_load(parser)
    answers = parser.add_mutually_exclusive_group()
    answers.add_argument(
        "--answer",
        metavar="TEXT",
        default=DEFAULT_ANSWER,
        help=f"answer every query with TEXT ({DEFAULT_ANSWER})",
    )
    answers.add_argument(
        "--answers",
        metavar="FILE.jsonl",
        help='each session\'s answers in order, one {"response": "…"} a line',
    )
    parser.add_argument(
        "--think",
        metavar="SECONDS|FROM-TO",
        default="0",
        help="how long the fake model thinks for an answer (0)",
    )
    parser.add_argument(
        "--journal",
        metavar="URL",
        default="memory:",
        help="memory: (default), or sqlite:///path, which keeps them",
    )
    parser.add_argument("--json", action="store_true", help="print JSON with all percentiles, not the table")
    parser.add_argument(
        "--plot",
        metavar="FILE",
        type=Path,
        help="draw the distributions: .svg; .png or .pdf with the extra bench",
    )
    parser.set_defaults(handler=handle)


def _add_load(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rate",
        metavar="N",
        type=_number("sessions a second", 0.0),
        help="sessions that arrive a second, however earlier ones fare; without it, --concurrency are always under way",
    )
    parser.add_argument(
        "--arrivals", choices=("poisson", "even"), default="poisson", help="how they are spread (poisson)"
    )
    parser.add_argument(
        "--concurrency",
        metavar="N",
        type=_count,
        default=64,
        help="most sessions under way; others wait (64)",
    )
    parser.add_argument(
        "--duration",
        metavar="SECONDS",
        type=_number("seconds", 0.0),
        default=10.0,
        help="how long they arrive (10)",
    )
    parser.add_argument(
        "--warm-up",
        metavar="SECONDS",
        type=_number("seconds", 0.0, or_equal=True),
        default=1.0,
        help="before that, not counted (1)",
    )
    parser.add_argument(
        "--drain",
        metavar="SECONDS",
        type=_number("seconds", 0.0, or_equal=True),
        default=10.0,
        help="after that, for those under way to end; then they are cancelled (10)",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of arrivals and thinking (0)")


def _number(what: str, above: float, *, or_equal: bool = False) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value) or value < above or (value == above and not or_equal):
            raise argparse.ArgumentTypeError(
                f"{what} must be {'at least' if or_equal else 'more than'} {above:g}, got {text}"
            )
        return value

    number.__name__ = what
    return number


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return value


def handle(arguments: argparse.Namespace) -> int:
    """Put the load on, and print what happened; returns the exit status."""
    from moonward.load import chart, report
    from moonward.load.tally import Tally

    plan = _plan(arguments)
    if arguments.plot is not None:
        chart.check(arguments.plot)
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="moonward-bench-") as folder:
        settings = Settings.resolve(
            None, {"journal": arguments.journal, "data_dir": folder}, os.environ, at_home=True
        )
        _run(settings, plan, tally)
    if arguments.json:
        print(json_line(report.as_json(plan, tally, _environment(settings))))
    else:
        print(report.table(plan, tally))
        for name in ("answer", "start"):
            if tally.samples[name]:
                print(f"\n{name}\n{report.distribution(tally.samples[name])}")
    if arguments.plot is not None:
        _draw(arguments.plot, arguments.file or "-e", tally)
    if tally.is_interrupted:
        return INTERRUPTED
    return COMPLETED if tally.ends else FAILED


def _draw(path: Path, name: str, tally: Tally) -> None:
    from moonward.load import chart

    spreads = {each: spread for each, spread in tally.spreads().items() if each != "lag"}
    try:
        chart.draw(spreads, f"moonward bench {name}", path)
    except OSError as error:
        raise SettingsError(f"--plot: cannot write {path}: {error.strerror}") from None


def _run(settings: Settings, plan: Plan, tally: Tally) -> None:
    import asyncio  # as the actors: only by the commands that need it

    from moonward.load.generator import precise_loop

    with asyncio.Runner(loop_factory=precise_loop) as runner:
        runner.run(_load(settings, plan, tally))


async def _load(settings: Settings, plan: Plan, tally: Tally) -> None:
    import asyncio

    from moonward.aio import AsyncRuntime
    from moonward.load.generator import Generator
    from moonward.load.progress import Progress

    progress = Progress(sys.stderr)
    total_s = plan.warm_up_s + plan.duration_s
    async with AsyncRuntime(settings) as runtime:
        generator = Generator(runtime, plan, tally)
        loop = asyncio.get_running_loop()

        def interrupted() -> None:
            generator.stop()
            loop.remove_signal_handler(signal.SIGINT)  # the next one ends the program

        loop.add_signal_handler(signal.SIGINT, interrupted)
        try:
            await generator.run(lambda at_s: progress.now(f"{at_s:.0f} s of {total_s:g}: {tally.text}"))
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            progress.end(tally.text)


def _plan(arguments: argparse.Namespace) -> Plan:
    from moonward.load.plan import Plan
    from moonward.load.think_time import ThinkTime

    return Plan(
        code=arguments.code if arguments.code is not None else conversation.source_of(Path(arguments.file)),
        model=_FakeModel(arguments.answer, arguments.answers),
        ctx=conversation.json_object("--ctx", arguments.ctx),
        packages=arguments.package_path,
        rate=arguments.rate,
        arrivals=arguments.arrivals,
        concurrency=arguments.concurrency,
        duration_s=arguments.duration,
        warm_up_s=arguments.warm_up,
        drain_s=arguments.drain,
        think=ThinkTime.parse(arguments.think),
        seed=arguments.seed,
    )


class _FakeModel:
    """Answers from a file, or always the same."""

    def __init__(self, text: str, file: str | None) -> None:
        self._file = AnswersFile(Path(file)) if file is not None else None
        self._fixed = FixedAnswer(text)

    def answers(self) -> Answers:
        """Answers for another session."""
        return _SessionAnswers(self._file.again() if self._file is not None else self._fixed)


class _SessionAnswers:
    """The answers of one session."""

    def __init__(self, source: AnswerSource) -> None:
        self._source = source

    def answer(self, query: LlmQuery) -> QueryResponse:
        """The next one."""
        from moonward.load.plan import NoAnswerLeft

        try:
            return self._source.answer(query)
        except NoAnswer as error:
            raise NoAnswerLeft(str(error)) from None


def _environment(settings: Settings) -> dict[str, Any]:
    import moonward

    return {
        "moonward": moonward.__version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "journal": settings.journal.partition(":")[0],
        "durability": settings.durability,
    }
