"""Adopts whatever a killed host leaves behind.  undertaker.py DEADLINE_S WHOM PROGRAM [ARGUMENT ...]

Starts the program, reads the process id of its zygote, kills WHOM (`host`, or `both` of them) with SIGKILL and waits
until no descendant is left. Writes how many were reaped here and how long it took; dies of SIGALRM if one is left at
the deadline.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    host = subprocess.Popen([sys.executable, *sys.argv[3:]], stdout=subprocess.PIPE)
    zygote_pid = int(host.stdout.readline())
    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
    began = time.monotonic()
    if sys.argv[2] == "both":
        os.kill(zygote_pid, signal.SIGKILL)
    os.kill(host.pid, signal.SIGKILL)
    reaped = 0
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
        reaped += 1
    print(reaped, time.monotonic() - began, flush=True)
    os._exit(0)


main()
