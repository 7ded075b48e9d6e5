"""A fault of our own ends what it happened in, and tells whoever waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import moonward
from moonward.actors import looking
from moonward.actors.registry import Registry


@pytest.fixture
def runtime() -> Iterator[moonward.Runtime]:
    with moonward.Runtime(warm_workers=0) as shared:
        yield shared


def raise_fault(*_: object) -> None:
    raise ZeroDivisionError("a fault of our own")


def test_a_caller_whose_message_ends_the_session_actor_is_told_to_try_again(
    runtime: moonward.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = runtime.start("return alc.llm('?')")
    event = session.wait(10)
    with monkeypatch.context() as broken:
        broken.setattr(looking, "wait", raise_fault)
        with pytest.raises(moonward.SessionRestarting):
            session.wait(10)
    assert session.wait(10) == event


def test_a_caller_whose_message_ends_the_registry_is_told_to_try_again(
    runtime: moonward.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = runtime.start("return alc.llm('?')")
    event = session.wait(10)
    with monkeypatch.context() as broken:
        broken.setattr(Registry, "route", raise_fault)
        with pytest.raises(moonward.SessionRestarting):
            session.wait(10)
    assert session.wait(10) == event
