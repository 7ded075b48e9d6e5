"""Why a strand lost its worker, and what follows from it."""

from __future__ import annotations

from typing import Literal, NamedTuple

LossKind = Literal["crash", "protocol", "deadline", "limit", "zygote", "start"]


class Loss(NamedTuple):
    """`kind`:

    `crash` the process ended unasked; `protocol` it wrote what no worker writes; `deadline` its slice took too long
    without using its CPU (stopped or starved); `limit` the script caused the end for certain, and would again;
    `zygote` its parent was lost, which is nobody's fault; `start` no worker became ready.
    """

    kind: LossKind
    detail: str

    @property
    def is_final(self) -> bool:
        """Whether trying again would end the same way."""
        return self.kind == "limit"

    @property
    def is_charged(self) -> bool:
        """Whether the session's restart budget pays for it."""
        return self.kind != "zygote"
