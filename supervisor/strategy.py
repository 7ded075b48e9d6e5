"""Which children a failure concerns. Pure functions over the start order."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import assert_never

from moonward.supervisor.child_spec import Restart
from moonward.supervisor.exits import ExitReason


class Strategy(enum.Enum):
    """What else is restarted when one child is."""

    ONE_FOR_ONE = "one_for_one"
    """Nothing."""
    ONE_FOR_ALL = "one_for_all"
    """All other children."""
    REST_FOR_ONE = "rest_for_one"
    """The children that were started after it."""


def wants_restart(restart: Restart, reason: ExitReason) -> bool:
    """Whether a child that ended by itself with `reason` is started again."""
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return reason.is_failure
        case Restart.TEMPORARY:
            return False
        case _:
            assert_never(restart)


def concerned(strategy: Strategy, order: Sequence[str], failed: str) -> tuple[str, ...]:
    """The children to restart when `failed` does, itself included, in start order."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return (failed,)
        case Strategy.ONE_FOR_ALL:
            return tuple(order)
        case Strategy.REST_FOR_ONE:
            return tuple(order[order.index(failed) :])
        case _:
            assert_never(strategy)


def stop_order(children: Iterable[str]) -> tuple[str, ...]:
    """The order in which `children`, given in start order, are stopped."""
    return tuple(reversed(tuple(children)))


def kept_after_stop(children: Iterable[tuple[str, Restart]]) -> tuple[str, ...]:
    """Those of a stopped group that are started again: temporary children are forgotten instead."""
    return tuple(child for child, restart in children if restart is not Restart.TEMPORARY)
