"""chunk, match_enum, match_bool, parse_score, parse_number, json_extract, fingerprint, and the repair of UTF-8."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .harness import Conversation, run

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def talk(body: str) -> Iterator[Conversation]:
    conversation = Conversation(f"local a = alc.json_decode(input) return alc.json_encode({{{body}}})")
    yield conversation
    conversation.close()


def ask(conversation: Conversation, *arguments: Any) -> Any:
    ok, text = conversation(json.dumps(arguments, ensure_ascii=False))
    assert ok, text
    (value,) = json.loads(text)
    return value


@pytest.fixture(scope="module")
def chunk() -> Iterator[Conversation]:
    yield from talk("alc.chunk(a[1], a[2])")


@pytest.fixture(scope="module")
def fingerprint() -> Iterator[Conversation]:
    yield from talk("alc.fingerprint(a[1])")


@pytest.fixture(scope="module")
def match() -> Iterator[Conversation]:
    yield from talk("alc.match_enum(a[1], a[2], {threshold = a[3]}) or false")


@pytest.fixture(scope="module")
def extract() -> Iterator[Conversation]:
    yield from talk("alc.json_extract(a[1]) or false")


def chunks_of(items: list[str], size: int, overlap: int) -> list[list[str]]:
    """The contract, in Python."""
    step = 1 if overlap >= size else size - overlap
    result, at = [], 0
    while size and at < len(items):
        result.append(items[at : at + size])
        if at + size >= len(items):
            break
        at += step
    return result


@settings(max_examples=150, deadline=None)
@given(text=TEXT, size=st.integers(0, 6), overlap=st.integers(0, 7))
def test_chunks_of_characters(chunk: Conversation, text: str, size: int, overlap: int) -> None:
    result = ask(chunk, text, {"mode": "chars", "size": size, "overlap": overlap})
    assert (result or []) == ["".join(each) for each in chunks_of(list(text), size, overlap)]


@settings(max_examples=150, deadline=None)
@given(
    lines=st.lists(st.text("ab あ", max_size=3), max_size=9),
    size=st.integers(0, 6),
    overlap=st.integers(0, 7),
)
def test_chunks_of_lines(chunk: Conversation, lines: list[str], size: int, overlap: int) -> None:
    result = ask(chunk, "".join(line + "\n" for line in lines), {"size": size, "overlap": overlap})
    assert (result or []) == ["\n".join(each) for each in chunks_of(lines, size, overlap)]


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ("alc.chunk('a\\r\\nb\\n\\nc')", ["a\nb\n\nc"]),
        ("alc.chunk('')", {}),
        ("alc.chunk('abc', {mode = 'chars', size = 0})", {}),
        ("alc.chunk('abcde', {mode = 'chars', size = 2})", ["ab", "cd", "e"]),
        ("alc.chunk('abcd', {mode = 'chars', size = 3, overlap = 1})", ["abc", "cd"]),
        ("alc.chunk('abc', {mode = 'chars', size = 2, overlap = 9})", ["ab", "bc"]),
        ("alc.chunk('abc', {mode = 'chars', size = '1', overlap = {}})", ["abc"]),
        ("alc.chunk('あいう', {mode = 'chars', size = 2.0})", ["あい", "う"]),
        ("alc.chunk('abc', {mode = 'chars', size = math.maxinteger})", ["abc"]),
        ("alc.chunk(('x'):rep(5) .. '\\xff', {mode = 'chars', size = 4})", ["xxxx", "x\ufffd"]),
    ],
)
def test_the_last_chunk_ends_at_the_end(call: str, result: Any) -> None:
    assert run(f"return {call}").value == result


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.sampled_from("aB \t\n\0é0あ"), max_size=40))
def test_the_fingerprint_is_djb2_of_what_is_left(fingerprint: Conversation, text: str) -> None:
    left = bytearray()
    for byte in text.encode():
        if byte in b" \t\n\r\v\f":
            if left[-1:] != b" ":
                left.append(32)
        else:
            left.append(byte + 32 if 65 <= byte <= 90 else byte)
    value = 5381
    for byte in bytes(left).strip(b" "):
        value = (value * 33 + byte) & 0xFFFFFFFF
    assert ask(fingerprint, text) == f"{value:08x}"


def jaro_winkler(a: str, b: str) -> float:
    """By the definition: matches within the window, transpositions halved, up to four letters of common start."""
    if not a or not b:
        return float(a == b)
    window = max(max(len(a), len(b)) // 2 - 1, 0)
    free = set(range(len(b)))
    pairs = []
    for i, letter in enumerate(a):
        for j in range(max(0, i - window), min(len(b), i + window + 1)):
            if j in free and b[j] == letter:
                free.remove(j)
                pairs.append((letter, j))
                break
    if not pairs:
        return 0.0
    moved = sum(
        letter != b[j] for (letter, _), (_, j) in zip(pairs, sorted(pairs, key=lambda p: p[1]), strict=True)
    )
    count = len(pairs)
    jaro = (count / len(a) + count / len(b) + (count - moved // 2) / count) / 3
    prefix = 0
    while prefix < min(4, len(a), len(b)) and a[prefix] == b[prefix]:
        prefix += 1
    return jaro + prefix * 0.1 * (1 - jaro) if jaro > 0.7 else jaro


@settings(max_examples=300, deadline=None)
@given(word=st.text("abcdé", min_size=1, max_size=9), other=st.text("abcdé", min_size=1, max_size=9))
def test_words_match_when_they_are_similar_enough(match: Conversation, word: str, other: str) -> None:
    score = jaro_winkler(other, word)
    if other in word:
        assert ask(match, word, [other], 0.999) == other
    else:
        assert ask(match, word, [other], score - 1e-9) == other
        assert ask(match, word, [other], score + 1e-9) is False


@pytest.mark.parametrize(
    ("text", "candidates", "result"),
    [
        ("I choose APPROVE", ["Reject", "Approve"], "Approve"),
        ("not approve but reject", ["approve", "reject"], "reject"),
        ("reject, no, approve", ["approve", "reject"], "approve"),
        ("The highest", ["high", "highest"], "highest"),
        ("apprve!", ["approve", "reject"], "approve"),
        ("needs revison now", ["needs revision", "accept"], "needs revision"),
        ("xyz", ["approve", "reject"], False),
        ("", ["a"], False),
        ("a", [], False),
        ("ПРИНЯТЬ ÉTÉ ΑΩ", ["été", "αω", "принять"], "αω"),
        ("anything", [""], False),
    ],
)
def test_the_latest_mention_wins_then_the_most_similar(
    match: Conversation, text: str, candidates: list[str], result: Any
) -> None:
    assert ask(match, text, candidates, 0.7) == result


def test_the_candidate_comes_back_as_it_was_given() -> None:
    code = "return {alc.match_enum('level 3', {1, 3}), math.type(alc.match_enum('3', {3})), alc.match_enum('Ab', {'aB'})}"
    assert run(code).value == [3, "integer", "aB"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("approved", True),
        ("YES.", True),
        ("yes, but no", False),
        ("no... well, LGTM!", True),
        ("notable okay disagreement", None),
        ("_yes_", True),
        ("is_ok", True),
        ("yes-please", True),
        ("はいyesです", True),
        ("答えはno。", False),
        ("no\u2014really", False),
        ("\xabno\xbb \xd7yes\xd7", True),
        ("noël, éno, ноno, no\u0301, nồno", None),
        ("oké: ok", True),
        ("disagree", False),
        ("I do not disagree, so true", True),
        ("", None),
    ],
)
def test_the_last_whole_word_decides(text: str, result: bool | None) -> None:
    assert run("return alc.match_bool(ctx.text)", ctx={"text": text}).value is result


def test_scores_and_numbers() -> None:
    code = """
    local s, n = alc.parse_score, alc.parse_number
    return {{s('Score: 7/10'), s('12'), s('0'), s('-3'), s('none'), s('none', 'd'), s(nil), s(8.5), s(('9'):rep(400)), s('x', 0)},
            {n('about -3.5kg'), n('5.'), n('.5'), n('v1.2.3'), n('none') == nil, n(5) == nil, n('a=1 b=2', 'b=(%d+)'),
             n('a=1', 'b=(%d+)') == nil, math.type(n('7')), math.type(n('7.0'))}}"""
    assert run(code).value == [
        [7, 10, 1, 3, 5, "d", 5, 8, 10, 0],
        [-3.5, 5, 5, 1.2, True, True, 2, True, "integer", "float"],
    ]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('{"a": 1}', {"a": 1}),
        ("[1, 2]", [1, 2]),
        ("5", False),
        ('"{}"', {}),
        ('text\n```json\n{"a": 1}\n```\n{"b": 2}', {"a": 1}),
        ("```\nnot json\n```\n```json\n[1]\n```", [1]),
        ('```json\n{"open": 1}', {"open": 1}),
        ('Here: [1] and {"a": {"b": 2}} then {"c": 3}', {"a": {"b": 2}}),
        ('{not} {"a": 1}', {"a": 1}),
        ('{"a": "}"} tail', {"a": "}"}),
        ('say {" and {"a": 1}', {"a": 1}),
        ('{{"a": 1}}', {"a": 1}),
        ('{ open {"a": 1}', {"a": 1}),
        ('{see {"a": 1}} then {"b": 2}', {"b": 2}),
        ('{see {"a": 1}} then [3]', [3]),
        ('[see {"a": 1}', {"a": 1}),
        ("result [1, [2]] end", [1, [2]]),
        ('a \\" {"b": "x\\"}"}', {"b": 'x"}'}),
        ("no json at all", False),
        ("", False),
    ],
)
def test_json_is_found_in_prose(extract: Conversation, text: str, result: Any) -> None:
    assert ask(extract, text) == result


def test_json_extract_takes_only_strings() -> None:
    assert (
        run(
            "return {alc.json_extract() == nil, alc.json_extract(5) == nil, alc.json_extract({}) == nil}"
        ).value
        == [True] * 3
    )


@pytest.mark.parametrize(
    "make",
    ["('{'):rep(200000)", "('{\"a\":'):rep(50000) .. ('}'):rep(50000)", "('```'):rep(100000)", "('[\"'):rep(100000)",
     "('{\"'):rep(60000) .. ('}'):rep(60000)", "('\\\\'):rep(300000) .. '{'"],
)  # fmt: skip
def test_json_extract_is_linear(make: str) -> None:
    code = f"local text = {make} local start = os.clock() alc.json_extract(text) return os.clock() - start"
    assert run(code).value < 5


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=12) | st.lists(st.sampled_from([b"a", b"\xe3\x81\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0", b"\xf4\x90"]), max_size=6).map(b"".join))  # fmt: skip
def test_broken_utf8_is_repaired_as_python_does(repair: Conversation, data: bytes) -> None:
    ok, prompt = repair("".join(map(chr, data)))
    assert ok
    assert prompt == data.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def repair() -> Iterator[Conversation]:
    """Gets bytes as code points, and gives them back as they are: repaired on the way to the host."""
    body = (
        "local t = {} for _, c in utf8.codes(input) do t[#t + 1] = string.char(c) end return table.concat(t)"
    )
    conversation = Conversation(body)
    yield conversation
    conversation.close()
