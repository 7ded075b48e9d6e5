"""Workers whose scripts have `walk` and `leak`: see `walk.lua`. In all else they are what a worker is."""

from pathlib import Path

from moonward.actors.worker import worker
from moonward.actors.worker.prelude import Prelude
from moonward.actors.worker.worker import Kit

HERE = Path(__file__).parent


def prepare():
    """See `worker.prepare`. The host is told of the installed prelude, which it compares."""
    installed = Prelude.installed()
    (boot, source), *others = installed.sources
    capture, walk = ((HERE / name).read_text() for name in ("walk_capture.lua", "walk.lua"))
    kit = Kit(Prelude([(boot, capture + source), ("walk", walk), *others]))
    kit.digest = installed.digest
    kit.vm(0, 1 << 27)
    return lambda confinement: worker.serve(confinement, kit)
