"""The kernel's own limit of CPU time: it ends a long slice even when the host cannot."""

import resource

from moonward.actors.limits import Limits
from moonward.actors.watchdog import CPU_SLACK_S, Slice, Watchdog
from moonward.actors.worker_pool import ReadyWorker

from .conftest import Desk


def soft_cpu_limit(ready: ReadyWorker) -> int:
    return resource.prlimit(ready.process.pid, resource.RLIMIT_CPU)[0]


def test_a_long_slice_has_a_cpu_limit_of_the_kernel_until_it_ends(desk: Desk) -> None:
    ready = desk.take(desk.pool())
    watchdog = Watchdog(desk.loop)
    limits = Limits(cpu_seconds=100)
    slice_ = Slice(ready.process, limits, 0.0, lambda loss: None)
    assert soft_cpu_limit(ready) == resource.RLIM_INFINITY
    desk.on_loop(lambda: watchdog.begin(slice_))

    def looked_at(done):
        if soft_cpu_limit(ready) != resource.RLIM_INFINITY:
            done(True)
        else:
            desk.loop.call_later(0.01, lambda: looked_at(done))

    desk.awaited(looked_at)
    assert 100 + CPU_SLACK_S <= soft_cpu_limit(ready) <= 100 + CPU_SLACK_S + 1
    desk.on_loop(lambda: watchdog.end(slice_))
    assert soft_cpu_limit(ready) == resource.RLIM_INFINITY
    desk.on_loop(ready.process.close)
