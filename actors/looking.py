"""How a session is waited for and looked at: nothing is shown before it is durable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moonward.actors.messages import Look, Snap, Wait, WaitForEnd

if TYPE_CHECKING:
    from moonward.actors.session_actor import SessionActor


def wait(session: SessionActor, message: Wait) -> None:
    """The event that the session is in, or else the next; wakes one whose Lua should run and does not."""
    event = session.state.event()
    if event is not None:
        session.after(message.reply, event)
    elif session.may_wake(message.reply):
        session.wake()
        session.wait_next(message.reply)
    message.looked()


def wait_for_end(session: SessionActor, message: WaitForEnd) -> None:
    """The end; a paused session that sleeps is left asleep."""
    state = session.state
    if state.terminal is not None:
        session.after(message.reply, state.event())
    elif state.pending:
        session.wait_for_end(message.reply)
    elif session.may_wake(message.reply):
        session.wake()
        session.wait_for_end(message.reply)
    message.looked()


def look(session: SessionActor, message: Look[Any]) -> None:
    """Read from the state."""
    try:
        value = message.read(session.state, session.now())
    except Exception as error:
        message.reply.fail(error)
        return
    session.show_after(message, value)


def snap(session: SessionActor, message: Snap) -> None:
    """A snapshot."""
    shot = session.state.snapshot(message.filter, message.history, session.now())
    shot["residency"] = session.residency
    shot["restarts"] = session.script.restarts
    shot["confinement"] = session.confinement
    session.show_after(message, shot)
