"""Entries survive being written, and no bytes do harm."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moonward.actors.errors import JournalError
from moonward.actors.journal.codec import HEADER_BYTES, VERSION, decode, decode_all, encode
from moonward.actors.journal.entries import (
    Answered,
    Ask,
    Batch,
    Called,
    ChildEnded,
    Ended,
    Entry,
    Paused,
    Started,
    View,
)
from moonward.actors.query import LlmQuery, TokenUsage
from moonward.actors.terminal import ERROR_KINDS, Cancelled, Completed, Failed

from .samples import answered, ended, one_of_each, paused, started

texts = st.text(max_size=30)
ints = st.integers(-(2**63), 2**64 - 1)
counts = st.integers(0, 2**53)
maybe = texts | st.none()
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | ints | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, json_values, max_size=3)
clocks = st.lists(st.tuples(counts, counts), max_size=3)
views = st.builds(View, st.lists(objects, max_size=2), objects | st.none(), objects)
queries = st.builds(LlmQuery, texts, texts, maybe, counts, st.booleans(), st.booleans())
states = (
    st.builds(Completed, json_values)
    | st.builds(Failed, texts, st.sampled_from(ERROR_KINDS))
    | st.builds(Cancelled, texts)
)
answers = st.builds(Answered, texts, texts, counts, st.none() | st.builds(TokenUsage, counts, counts), maybe)
entries: st.SearchStrategy[Entry] = st.one_of(
    answers,
    st.builds(Batch, st.lists(answers, max_size=3)),
    st.builds(
        Started, texts, texts, texts, texts, counts, ints, texts, counts, objects, maybe, st.lists(texts)
    ),
    st.builds(
        Paused,
        st.lists(queries, max_size=3),
        st.lists(st.builds(Ask, texts, counts, clocks), max_size=2),
        counts,
        views,
    ),
    st.builds(Called, texts, texts, texts, maybe, maybe, maybe, clocks),
    st.builds(ChildEnded, texts, maybe, maybe),
    st.builds(Ended, states, counts, views, clocks),
)


def with_header(body: bytes) -> bytes:
    """`body` as if this program had written it."""
    return bytes((VERSION,)) + crc32(body).to_bytes(4, "little") + body


@given(entries)
@settings(max_examples=150, deadline=None)
def test_every_entry_survives_being_written(entry: Entry) -> None:
    assert decode(encode(entry)) == entry


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_arbitrary_bytes_are_an_entry_or_a_journal_error(data: bytes) -> None:
    for candidate in (data, with_header(data)):
        try:
            decode(candidate)
        except JournalError:
            pass


@given(entries, st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_is_noticed(entry: Entry, data: st.DataObject) -> None:
    good = encode(entry)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(JournalError):
        decode(bytes(bad))


@pytest.mark.parametrize("entry", one_of_each(), ids=lambda entry: type(entry).__name__)
def test_an_entry_cut_anywhere_is_refused(entry: Entry) -> None:
    good = encode(entry)
    for length in range(len(good)):
        with pytest.raises(JournalError):
            decode(good[:length])


def test_a_wrong_type_inside_a_sound_entry_is_refused() -> None:
    body = msgspec.msgpack.encode({"type": "answered", "query_id": 1, "response": "x", "at_ms": 0})
    with pytest.raises(JournalError, match="wrong form"):
        decode(with_header(body))


def test_an_unknown_sort_of_entry_is_refused() -> None:
    with pytest.raises(JournalError, match="wrong form"):
        decode(with_header(msgspec.msgpack.encode({"type": "dreamt"})))


def test_deeply_nested_bytes_are_refused() -> None:
    head = b"\x83\xa4type\xa5ended\xa5at_ms\x00\xa5state\x82\xa4type\xa9completed\xa6result"
    with pytest.raises(JournalError):
        decode(with_header(head + b"\x91" * 100_000))


def test_a_newer_version_is_refused_by_its_number() -> None:
    data = bytes((VERSION + 1,)) + encode(paused(0))[1:]
    with pytest.raises(JournalError, match=f"version {VERSION + 1}; this program reads version {VERSION}"):
        decode(data)


def test_the_first_version_is_still_read() -> None:
    written = bytes.fromhex(
        "017a8af17286a474797065a8616e737765726564a871756572795f6964a3712d30a8726573706f6e7365a8616e7377657220"
        "30a561745f6d73cd03eaa5757361676582ad70726f6d70745f746f6b656e7301b1636f6d706c6574696f6e5f746f6b656e73"
        "02a36b6579a56b65792d30"
    )
    assert encode(answered(0)) == written
    assert decode(written) == answered(0)
    assert written[0] == 1
    assert len(written) > HEADER_BYTES


def test_a_value_that_has_no_form_is_refused_when_it_is_written() -> None:
    with pytest.raises(JournalError, match="Ended entry cannot be written"):
        encode(Ended(Completed(2**70), 0))
    with pytest.raises(JournalError, match="Answered entry cannot be written"):
        encode(Answered("q-0", "\ud800", 0))


def test_an_error_in_a_list_says_which_entry() -> None:
    bodies = [encode(started("s-9")), encode(ended())[:-1]]
    with pytest.raises(JournalError, match=r"session 's-9', entry 1: .*checksum"):
        decode_all(bodies, "s-9")
