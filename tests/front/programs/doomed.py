"""A host that is about to be killed.  doomed.py SESSIONS SPINNING HOW

Starts sessions, lets some of them spin, writes the process ids of all its descendants and waits for ever. HOW `forks`:
a child forked from it by the program goes on living, holding copies of all its pipes.
"""

import os
import sys
import threading

import moonward
from moonward.testing import descendants


def spin(session: moonward.Session) -> None:
    while True:
        try:
            session.feed("go", timeout=0.01)
        except moonward.FeedTimeout as error:
            if error.accepted:
                return


def main() -> None:
    sessions, spinning, how = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    runtime = moonward.Runtime(warm_workers=2)
    for number in range(sessions):
        session = runtime.start("alc.llm('?') while true do end")
        session.wait()
        if number < spinning:
            spin(session)
    ours = descendants(os.getpid())
    if how == "forks" and os.fork() == 0:
        threading.Event().wait()
    print(*ours, flush=True)
    threading.Event().wait()


main()
