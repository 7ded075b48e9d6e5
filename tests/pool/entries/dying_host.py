"""A host that is about to be killed.  dying_host.py WORKERS SPINNING

Takes workers, lets some of them spin, writes the process id of its zygote and waits for ever. With 0 workers it asks
for fifty and writes at once: it dies while they are being started.
"""

import os
import sys
import threading

from moonward.actors.worker_pool import WorkerPool
from moonward.actors.zygote_process import ZygoteProcess
from moonward.supervisor.loop import Loop

MIB = 1 << 20
ENTRIES = os.path.dirname(os.path.abspath(__file__))


def main():
    workers, spinning = int(sys.argv[1]), int(sys.argv[2])
    loop = Loop()
    loop.start()
    held = []

    def spawner(on_lost, on_stderr):
        return ZygoteProcess(loop, on_lost, entry="pool_entries:greet", entry_paths=[ENTRIES])

    pool = WorkerPool(loop, 2, spawner=spawner)

    def taken(ready, error):
        held.append(ready)
        if len(held) <= spinning:
            os.write(ready.process.stdin_fd, b"s")
        if len(held) == workers:
            os.write(1, b"%d\n" % pool.stats()["zygote_pid"])

    def start():
        pool.launch()
        if workers == 0:
            os.write(1, b"%d\n" % pool.stats()["zygote_pid"])
        for _ in range(workers or 50):
            pool.take(128 * MIB, taken)

    # from a thread that ends: what it started must not end with it
    thread = threading.Thread(target=lambda: loop.post(start))
    thread.start()
    thread.join()
    threading.Event().wait()


main()
