"""Counting tokens: an estimate for every text, replaced by what the host's provider counted when it tells."""

from __future__ import annotations

from typing import Any, Final, Literal

TokenSource = Literal["estimated", "provided", "definite"]
"""How far a count can be trusted, weakest first. `provided` is what the host reported with its answer; nothing
in this project counts tokens itself, so `definite` is left to the empty sum, which is surely 0."""

ASCII_PER_TOKEN: Final = 4
"""ASCII characters to a token; the contract's figure, the usual rule of thumb for English."""
OTHER_NUMERATOR: Final = 2
OTHER_DENOMINATOR: Final = 3
"""Two tokens to three other characters; the contract's figure."""


MOST_UTF8_BYTES: Final = 4
"""Bytes of a character in UTF-8, at most (RFC 3629)."""


def estimate_tokens(text: str) -> int:
    """Estimated tokens: ASCII characters / 4 and other characters × 2/3, each rounded up."""
    if text.isascii():
        return -(-len(text) // ASCII_PER_TOKEN)
    plain = len(text.encode("ascii", "ignore"))
    other = len(text) - plain
    return -(-plain // ASCII_PER_TOKEN) - (-other * OTHER_NUMERATOR // OTHER_DENOMINATOR)


def estimate_prompt_tokens(prompt: str, system: str | None) -> int:
    """Estimated tokens of a query: its prompt and its system text, each on its own."""
    return estimate_tokens(prompt) + (estimate_tokens(system) if system else 0)


def utf8_bytes(text: str | None) -> int:
    """Bytes of UTF-8, the contract's unit of `total_*_chars`; 0 for None."""
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class TokenSum:
    """A running sum of token counts, and how many of its parts are of which source."""

    __slots__ = ("estimated", "provided", "tokens")

    def __init__(self) -> None:
        self.tokens = 0
        self.estimated = 0
        self.provided = 0

    def add_estimate(self, tokens: int) -> None:
        """Count a part that we estimated."""
        self.tokens += tokens
        self.estimated += 1

    def add_provided(self, tokens: int) -> None:
        """Count a part that the host reported."""
        self.tokens += tokens
        self.provided += 1

    def replace_estimate(self, estimate: int, tokens: int) -> None:
        """Put what the host reported in the place of an estimate counted before."""
        self.tokens += tokens - estimate
        self.estimated -= 1
        self.provided += 1

    def plus(self, other: TokenSum) -> TokenSum:
        """The sum of both; it knows all the parts."""
        both = TokenSum()
        both.tokens = self.tokens + other.tokens
        both.estimated = self.estimated + other.estimated
        both.provided = self.provided + other.provided
        return both

    @property
    def source(self) -> TokenSource:
        """The weakest source among the parts; `definite` for the empty sum."""
        if self.estimated:
            return "estimated"
        return "provided" if self.provided else "definite"

    def to_json(self) -> dict[str, Any]:
        """`{"tokens", "source"}`."""
        return {"tokens": self.tokens, "source": self.source}
