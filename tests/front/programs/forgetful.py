"""A program that uses a Runtime and forgets to close it.  forgetful.py HOW

Writes the process ids of all its descendants and ends: by `return`, `exit` (SystemExit), `error`, or with a `thread`
of its own that is still waiting for a session.
"""

import os
import sys
import threading

import moonward
from moonward.testing import descendants


def main() -> None:
    how = sys.argv[1]
    runtime = moonward.Runtime(warm_workers=2)
    session = runtime.start("return alc.llm('?')")
    session.wait()
    spinning = runtime.start("while true do end")
    if how == "thread":
        threading.Thread(target=spinning.wait, daemon=True).start()
    print(*descendants(os.getpid()), flush=True)
    if how == "exit":
        sys.exit(7)
    if how == "error":
        raise ZeroDivisionError("a fault of the program")


main()
