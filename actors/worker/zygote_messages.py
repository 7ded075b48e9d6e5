"""What host and zygote say to each other: JSON, one message per packet of a `SOCK_SEQPACKET` socket pair.

host ── ForkRequest + [stdin, stdout] ──▶ zygote ── fork ──▶ worker
host ◀── Ready ── Started + [pidfd] ── NotStarted ── Exited ── zygote
"""

from __future__ import annotations

from typing import Any

import msgspec

MAX_MESSAGE_BYTES = 4096
"""Longest packet. The longest is `Ready` with its facts, a few hundred bytes; a page."""


class ForkRequest(msgspec.Struct, frozen=True, tag_field="t", tag="fork", forbid_unknown_fields=True):
    """Fork a worker; its stdin and stdout come as descriptors with this packet."""

    id: int
    memory_bytes: int


class Ready(msgspec.Struct, frozen=True, tag_field="t", tag="ready", forbid_unknown_fields=True):
    """The zygote has imported everything. `facts`: see `confine.facts`."""

    facts: dict[str, Any]


class Started(msgspec.Struct, frozen=True, tag_field="t", tag="started", forbid_unknown_fields=True):
    """The worker asked for with `id` was forked; its pidfd comes with this packet."""

    id: int
    pid: int


class NotStarted(msgspec.Struct, frozen=True, tag_field="t", tag="not_started", forbid_unknown_fields=True):
    """The fork asked for with `id` failed."""

    id: int
    error: str


class Exited(msgspec.Struct, frozen=True, tag_field="t", tag="exited", forbid_unknown_fields=True):
    """The worker `id` has ended and is reaped. `status` as `waitpid` gives it."""

    id: int
    status: int


FromZygote = Ready | Started | NotStarted | Exited
