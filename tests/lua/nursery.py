"""Forks workers on request: a prepared interpreter, so that a test pays a fork and not an import.

Run as a script with the number of a Unix socket: each message brings two descriptors, a new worker's 0 and 1.
"""

from __future__ import annotations

import os
import signal
import socket
import sys


def main() -> None:
    from moonward.actors.worker.worker import prepare

    serve = prepare()
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, fds, _, _ = socket.recv_fds(control, 1, 2)
        if not message:
            return
        if os.fork() == 0:
            control.close()
            for target, fd in enumerate(fds):
                os.dup2(fd, target)
                os.close(fd)
            serve("none")
        for fd in fds:
            os.close(fd)


if __name__ == "__main__":
    main()
