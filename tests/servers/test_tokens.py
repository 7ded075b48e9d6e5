"""Tokens, and the names of those that hold them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from moonward.actors.errors import SettingsError
from moonward.servers.tokens import Tokens


def name_of(tokens: Tokens | None, token: str) -> str | None:
    assert tokens is not None
    found = asyncio.run(tokens.verify_token(token))
    return None if found is None else found.client_id


def test_one_token_has_one_user() -> None:
    tokens = Tokens.of("s3cret", None)
    assert name_of(tokens, "s3cret") == "token"
    for wrong in ("", "s3cre", "s3crett", "S3CRET", "\udcff"):
        assert name_of(tokens, wrong) is None


def test_a_file_names_the_users(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# who\nann   t-1\n\nbob@example.org\tt-2\nann t-3\n")
    tokens = Tokens.of("t-0", file)
    assert [name_of(tokens, f"t-{i}") for i in range(5)] == ["token", "ann", "bob@example.org", "ann", None]


def test_without_any_there_are_none() -> None:
    assert Tokens.of(None, None) is None


@pytest.mark.parametrize("token", ["", " ", "a b", "é", "a\n"])
def test_a_token_that_no_header_could_carry_is_refused(token: str) -> None:
    with pytest.raises(SettingsError, match="printable ASCII"):
        Tokens.of(token, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ann", "line 1: a name .* and a token are needed"),
        ("ann t 1", "line 1: a name"),
        ("an/n t", "line 1: a name"),
        ("ann t\nbob t", "line 2: this token is another name's already"),
        ("ann é", "line 1 must be printable ASCII"),
        ("# nobody\n", "holds none"),
    ],
)
def test_a_wrong_file_is_refused_by_its_line_without_its_token(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(text)
    with pytest.raises(SettingsError, match=why):
        Tokens.of(None, file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        Tokens.of(None, tmp_path / "none")
