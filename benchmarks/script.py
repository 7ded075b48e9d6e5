"""The Lua that is measured with: questions and answers of 64 bytes, as many as P carries."""

from __future__ import annotations

from typing import Final

QUESTION: Final = "What is the capital of the country that is named in line 00001?!"
ANSWER: Final = "The capital of the country that is named in that line is Berlin."
assert len(QUESTION) == len(ANSWER) == 64

ENDLESS: Final = f"while true do alc.llm('{QUESTION}') end"
"""Asks one question after another, for ever."""

SHORT: Final = f"return alc.llm('{QUESTION}')"
"""Asks one question and ends."""
