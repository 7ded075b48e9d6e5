"""Each kind of fault at each point, with real workers: sessions go on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import moonward
from moonward.testing import Faults, FaultyRuntime, Kind, Point, nothing_left_behind
from moonward.testing.fault import POINTS, kinds_at

SCRIPT = """
alc.log("info", "one")
local first = alc.llm("first?")
alc.state.set(ctx.key, (alc.state.get(ctx.key) or 0) + 1)
alc.log("info", "two")
local second = alc.llm("second?")
return { first, second, alc.state.get(ctx.key) }
"""

LIMITS = {"slice_seconds": 0.4}
"""So that what is stopped or dropped for good is noticed soon."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyRuntime]:
    with FaultyRuntime(data_dir=tmp_path_factory.mktemp("data")) as runtime:
        yield runtime


def outcome(runtime: moonward.Runtime, key: str) -> tuple[object, list[str]]:
    """Result and pending queries of one run of the script."""
    session = runtime.start(SCRIPT, {"key": key}, limits=LIMITS)
    asked = []
    event: moonward.Accepted | moonward.Paused | moonward.Finished = session.wait(20)
    while isinstance(event, moonward.Paused):
        asked += [f"{query.id} {query.prompt}" for query in event.queries]
        event = session.feed(f"answer {len(asked)}", timeout=20)
    assert isinstance(event, moonward.Finished)
    return event.state, asked


CASES = [(kind, point) for point in POINTS for kind in kinds_at(point)]


@pytest.mark.parametrize(("kind", "point"), CASES)
def test_a_session_survives_each_kind_of_fault_at_each_point(
    kind: Kind, point: Point, shared: FaultyRuntime
) -> None:
    faults = shared.faults
    if point == "start":  # the first start fails to its caller; this is about a replacement
        faults.add("kill", "asked").add(kind, point, nth=2)
    else:
        faults.add(kind, point, for_s=0.02 if kind == "slow" else None)
    try:
        state, asked = outcome(shared, f"{kind} {point}")
    finally:
        faults.calm()
    assert state == moonward.Completed(["answer 1", "answer 2", 1])
    assert asked == ["q-0 first?", "q-1 second?"]
    last = faults.history[-1]
    assert (last.kind, last.point) == (kind, point)


def test_a_start_that_fails_is_told_to_the_caller() -> None:
    with FaultyRuntime(Faults().add("fail", "start")) as runtime:
        with pytest.raises(moonward.WorkerError, match="a test lets no worker start"):
            runtime.start("return 1")


def test_a_worker_that_is_stopped_for_a_while_goes_on_and_is_not_replaced() -> None:
    faults = Faults().add("stop", "begin", for_s=0.1)
    with FaultyRuntime(faults) as runtime:
        session = runtime.start("return alc.llm('?')")
        session.wait(10)
        assert session.snapshot()["restarts"] == 0
        assert session.feed("yes", timeout=10) == moonward.Finished(
            moonward.Completed("yes"),
            session.wait().metrics,  # type: ignore[union-attr]
        )


def test_workers_can_be_found_and_killed_by_session() -> None:
    with nothing_left_behind(), FaultyRuntime() as runtime:
        session = runtime.start("return alc.llm('?')")
        session.wait(10)
        assert list(runtime.workers(session.id)) == [""]
        assert runtime.kill_worker(session.id)
        restarted = next(event for event in session.events() if event.kind == "restarted")
        assert restarted.data["reason"] == "crash"
        session.feed("yes", timeout=10)
        assert runtime.workers(session.id) == {}
        assert not runtime.kill_worker(session.id)
