"""Text of strangers, made safe for a line of a log or a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` with everything but line breaks escaped that is no visible character: nothing moves a cursor."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )


def one_line(text: str) -> str:
    """`printable`, line breaks escaped too."""
    return printable(text).replace("\n", "\\n")
