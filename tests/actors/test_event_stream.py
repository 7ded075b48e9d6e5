"""Numbered events for any number of observers."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonward.actors.errors import SettingsError
from moonward.actors.event_stream import EventStream
from moonward.actors.event_streams import EventStreams
from moonward.observing import aread, begin, read


def filled(count: int, capacity: int = 10) -> EventStream:
    stream = EventStream("e", capacity, "s")
    for n in range(count):
        stream.push(("log", "s", n, {"n": n + 1}))
    return stream


def test_numbers_count_from_one() -> None:
    events, newest = filled(3).read(0)
    assert [event.number for event in events] == [("e", 1), ("e", 2), ("e", 3)]
    assert newest == 3


def test_an_observer_that_was_too_slow_hears_how_many_it_missed() -> None:
    events, newest = filled(25).read(3)
    assert events[0].kind == "missed"
    assert events[0].data == {"count": 12}
    assert [event.data["n"] for event in events[1:]] == list(range(16, 26))
    assert newest == 25


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 12))
def test_every_event_is_read_or_counted_as_missed(count: int, after: int, capacity: int) -> None:
    events, newest = filled(count, capacity).read(after)
    lost = sum(event.data["count"] for event in events if event.kind == "missed")
    shown = [event.data["n"] for event in events if event.kind != "missed"]
    assert lost + len(shown) == max(0, count - after)
    assert shown == list(range(count - len(shown) + 1, count + 1))
    assert newest == max(count, after)


def test_an_event_of_an_older_epoch_tells_of_an_unknown_gap_first() -> None:
    after, first = begin(filled(1), ("older", 7))
    assert after == 0
    assert [event.kind for event in first] == ["missed"]
    assert first[0].data == {"count": None}


@pytest.mark.parametrize("since", [3, ("e",), ("e", -1), (1, 2), ("e", True), "e1"])
def test_a_wrong_number_is_refused(since: object) -> None:
    with pytest.raises(SettingsError, match="since must be the number of an event"):
        begin(filled(1), since)


def test_a_session_s_stream_ends_with_its_finish() -> None:
    stream = filled(2)
    stream.push(("finished", "s", 3, {}))
    assert [event.kind for event in read(stream, None)] == ["log", "log", "finished"]


def test_a_closed_stream_ends_its_readers() -> None:
    stream = filled(2)
    stream.close()
    assert len(list(read(stream, ("e", 1)))) == 1


def test_a_stream_may_go_on_from_events_that_are_gone() -> None:
    stream = EventStream("e", 3, "s", 7)
    for n in range(5):
        stream.push(("log", "s", n, {"n": n}))
    events, newest = stream.read(0)
    assert [(event.number[1], event.data.get("n")) for event in events[1:]] == [(10, 2), (11, 3), (12, 4)]
    assert events[0].data == {"count": 9}
    assert newest == 12
    assert stream.read(10)[0][0].data == {"n": 3}


def test_an_observer_that_breaks_is_nobody_elses_affair() -> None:
    stream, heard = EventStream("e", 3), []
    stream.when_more(0, lambda: heard.append(1 // 0))
    stream.when_more(0, lambda: heard.append("heard"))
    stream.push(("log", "s", 0, {}))
    assert heard == ["heard"]
    stream.when_more(1, lambda: heard.append(1 // 0))
    stream.close()


def test_a_stream_that_rests_is_the_same_while_anybody_holds_it() -> None:
    streams = EventStreams("e", 3)
    held = streams.hold("s")
    held.push(("log", "s", 0, {}))
    assert streams.find("s") is held
    assert streams.rest("s") == 1
    assert streams.find("s") is None
    assert streams.borrow("s") is held
    assert streams.hold("s") is held
    assert streams.rest("s") == 1
    del held
    again = streams.hold("s", 1)
    again.push(("log", "s", 0, {}))
    assert again.read(1)[0][0].number == ("e", 2)
    streams.drop("s")
    assert again.closed
    assert streams.rest("none") == 0


def test_a_script_that_tells_without_end_does_not_keep_the_event_loop_from_others() -> None:
    stream = filled(1)

    async def observe() -> None:
        async for _ in aread(stream, None):
            stream.push(("log", "s", 0, {}))  # there is always more

    async def test() -> None:
        observing = asyncio.create_task(observe())
        while stream.total < 3:  # noqa: ASYNC110 (turns are what this is about)
            await asyncio.sleep(0)
        observing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await observing

    asyncio.run(test())
