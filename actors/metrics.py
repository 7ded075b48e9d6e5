"""What a session has used. Each figure is counted when its event happens; nothing is summed up afterwards."""

from __future__ import annotations

from typing import Any

from moonward.actors.query import LlmQuery, TokenUsage
from moonward.actors.tokens import TokenSum, estimate_prompt_tokens, estimate_tokens, utf8_bytes


class Metrics:
    """Counters of a session: queries, pauses and resumes as numbers, texts in UTF-8 bytes, tokens by source."""

    __slots__ = (
        "llm_calls",
        "pauses",
        "prompt_bytes",
        "prompt_tokens",
        "response_bytes",
        "response_tokens",
        "rounds",
    )

    def __init__(self) -> None:
        self.llm_calls = 0
        self.pauses = 0
        self.rounds = 0
        self.prompt_bytes = 0
        self.response_bytes = 0
        self.prompt_tokens = TokenSum()
        self.response_tokens = TokenSum()

    @property
    def total_tokens(self) -> int:
        """Tokens of all prompts and answers so far, estimates included."""
        return self.prompt_tokens.tokens + self.response_tokens.tokens

    def asked(self, query: LlmQuery) -> int:
        """Count a query; the estimate of its tokens."""
        tokens = estimate_prompt_tokens(query.prompt, query.system)
        self.llm_calls += 1
        self.prompt_bytes += utf8_bytes(query.prompt) + utf8_bytes(query.system)
        self.prompt_tokens.add_estimate(tokens)
        return tokens

    def answered(self, prompt_estimate: int, response: str, usage: TokenUsage | None) -> tuple[int, int]:
        """Count an answer; the tokens of its prompt and of itself, reported ones in the place of estimates."""
        self.response_bytes += utf8_bytes(response)
        prompt_tokens = prompt_estimate
        if usage is not None and usage.prompt_tokens is not None:
            prompt_tokens = usage.prompt_tokens
            self.prompt_tokens.replace_estimate(prompt_estimate, prompt_tokens)
        if usage is not None and usage.completion_tokens is not None:
            response_tokens = usage.completion_tokens
            self.response_tokens.add_provided(response_tokens)
        else:
            response_tokens = estimate_tokens(response)
            self.response_tokens.add_estimate(response_tokens)
        return prompt_tokens, response_tokens

    def to_json(self, elapsed_ms: int) -> dict[str, Any]:
        """The `auto` part of a session's stats, without its budget."""
        return {
            "elapsed_ms": elapsed_ms,
            "llm_calls": self.llm_calls,
            "pauses": self.pauses,
            "rounds": self.rounds,
            "total_prompt_chars": self.prompt_bytes,
            "total_response_chars": self.response_bytes,
            "prompt_tokens": self.prompt_tokens.to_json(),
            "response_tokens": self.response_tokens.to_json(),
            "total_tokens": self.prompt_tokens.plus(self.response_tokens).to_json(),
        }
