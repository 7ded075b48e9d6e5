"""`moonward doctor`: what this machine offers to sessions."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import moonward
from moonward.actors.errors import SettingsError
from moonward.actors.settings import DESCRIPTORS_PER_SESSION, Settings
from moonward.cli.exit_status import COMPLETED, FAILED
from moonward.cli.terminal_text import json_line, one_line

Verdict = Literal["ok", "weak", "bad"]
TRIAL_S: Final = 30.0
"""Seconds that a step of the trial session may take. Arbitrary; it takes milliseconds."""

MARKS: Mapping[Verdict, str] = {"ok": "ok  ", "weak": "weak", "bad": "BAD "}


class Finding(NamedTuple):
    """One thing that was looked at. `weak`: sessions run, with less; `bad`: they do not run."""

    name: str
    verdict: Verdict
    text: str


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `doctor`."""
    parser = commands.add_parser(
        "doctor",
        help="what this machine offers",
        description="What this machine offers: kernel confinement, limits, versions. "
        "Exit status 1 if sessions cannot run.",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Print the findings; returns the exit status."""
    findings = list(examine(os.environ))
    if arguments.json:
        print(json_line([finding._asdict() for finding in findings]))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            print(f"{MARKS[finding.verdict]} {finding.name:<{width}}  {one_line(finding.text)}")
    return FAILED if any(finding.verdict == "bad" for finding in findings) else COMPLETED


def examine(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at everything."""
    yield Finding("moonward", "ok", moonward.__version__)
    yield _python()
    yield _system()
    yield from _lua()
    yield Finding("sqlite", "ok", sqlite3.sqlite_version)
    yield _pidfd()
    yield from _confinement()
    yield _open_files()
    yield _processors()
    try:
        settings = Settings.resolve(None, {}, environ)
    except SettingsError as error:
        yield Finding("settings", "bad", str(error))
        return
    yield Finding("settings", "ok", _named(settings.given()))
    yield _sessions(settings)
    yield _data_directory(settings.data_path)
    yield _trial(settings)


def _python() -> Finding:
    text = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    return Finding("python", "ok", text)


def _system() -> Finding:
    text = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return Finding("system", "ok" if sys.platform == "linux" else "bad", text)


def _lua() -> Iterator[Finding]:
    try:
        from lupa import lua55
    except ImportError as error:
        yield Finding("lua", "bad", f"lupa with Lua 5.5 is needed: {error}")
        return
    version = ".".join(str(part) for part in lua55.LUA_VERSION)
    yield Finding("lua", "ok", f"Lua {version} from lupa {metadata.version('lupa')}")


def _pidfd() -> Finding:
    open_pidfd: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    try:
        if open_pidfd is None:
            raise OSError("this Python was built without it")
        os.close(open_pidfd(os.getpid()))
    except OSError as error:
        return Finding("pidfd", "bad", f"processes cannot be watched: {error}")
    return Finding("pidfd", "ok", "processes can be watched")


def _confinement() -> Iterator[Finding]:
    from moonward.actors.worker.confine import facts

    found = facts()
    abi = found["landlock_abi"]
    yield Finding("landlock", "ok" if abi else "weak", f"ABI {abi}" if abi else "not offered by this kernel")
    filters = found["seccomp"]
    yield Finding("seccomp", "ok" if filters else "weak", "offered" if filters else "not offered here")
    whole = bool(abi and filters)
    yield Finding(
        "confinement", "ok" if whole else "weak", f"workers will be confined by: {found['confinement']}"
    )


def _trial(settings: Settings) -> Finding:
    """Run a session: what counts in the end."""
    from moonward.actors.terminal import Completed
    from moonward.runtime import Runtime

    try:
        with Runtime(settings, journal="memory:") as runtime:
            session = runtime.start("return alc.llm('?') .. '!'")
            session.wait(TRIAL_S)
            session.feed("yes", query_id="q-0", timeout=TRIAL_S)
            state = session.finished(TRIAL_S).state
    except Exception as error:
        return Finding("trial", "bad", f"a session did not run: {error!r}")
    if state != Completed("yes!"):
        return Finding("trial", "bad", f"a session ended in {state!r}")
    return Finding("trial", "ok", "a session ran to its end")


def _open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Finding("open files", "ok", f"limit {_limit(soft)}, could be raised to {_limit(hard)}")


def _limit(value: int) -> str:
    return "none" if value == resource.RLIM_INFINITY else str(value)


def _processors() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("processors", "ok", f"{usable} usable")


def _sessions(settings: Settings) -> Finding:
    limit = settings.session_limit()
    if settings.max_sessions is not None:
        return Finding("sessions", "ok", f"{limit} at once, as set by max_sessions")
    why = f"from the limit on open files, at {DESCRIPTORS_PER_SESSION} a session"
    return Finding("sessions", "ok", f"{limit} at once, {why}")


def _data_directory(path: Path) -> Finding:
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        return Finding("data", "weak", f"{path} cannot be written: no alc.state and no cards")
    return Finding("data", "ok", str(path))


def _named(given: Mapping[str, Any]) -> str:
    return "from the environment: " + ", ".join(given) if given else "defaults"
