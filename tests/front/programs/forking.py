"""A host that forks.  forking.py JOURNAL

The child tries what its copy of the Runtime does and what a Runtime of its own does, writes what came of it as JSON and lives
on until its input ends; the host waits to be killed.
"""

import json
import os
import sys
import threading

import moonward


def error_of(call: object) -> str:
    try:
        call()  # type: ignore[operator]
    except moonward.MoonwardError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def main() -> None:
    runtime = moonward.Runtime(warm_workers=1, journal=sys.argv[1])
    session = runtime.start("return alc.llm('?')")
    session.wait()
    parent = os.getpid()
    if os.fork() == 0:
        calls = [
            session.wait,
            lambda: session.feed("1"),
            runtime.snapshots,
            lambda: runtime.start("return 1"),
        ]
        errors = {error_of(call).replace(str(parent), "PARENT") for call in calls}
        runtime.close()
        with moonward.Runtime(warm_workers=0) as own:
            state = own.start("return 1").wait(20)
        print(
            json.dumps([sorted(errors), list(runtime.events())[:0], state.to_json("")["result"]]), flush=True
        )
        sys.stdin.read()
        os._exit(0)
    print(session.id, flush=True)
    threading.Event().wait()


main()
