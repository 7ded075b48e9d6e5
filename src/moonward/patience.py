"""What a caller hears whose patience ends before the session answers."""

from __future__ import annotations

from typing import Any

from moonward.actors.errors import FeedTimeout
from moonward.actors.messages import Feed


def timed_out(message: Any, timeout_s: float) -> FeedTimeout:
    """The error of a wait that took `timeout_s` seconds; a feed that nobody looked at yet is taken back."""
    if not isinstance(message, Feed):
        return FeedTimeout(f"nothing came within {timeout_s:g} s; the session goes on")
    accepted: bool | None
    if message.withdraw():
        accepted = False
        text = f"the answer was not accepted within {timeout_s:g} s, and has been taken back"
    elif message.accepted:
        accepted = True
        text = f"the answer was accepted; nothing followed within {timeout_s:g} s; the session goes on"
    else:
        accepted = None
        text = f"it is not yet known after {timeout_s:g} s whether the answer is durable; the session goes on"
    return FeedTimeout(text, message.query_id, accepted)
