"""Entries for workers of tests: what runs in a confined child instead of the Lua worker."""

import os

import msgspec

from moonward.actors.worker.wire import PROTOCOL, Hello, frame


def hello_frame(confinement, protocol=PROTOCOL):
    return frame(msgspec.json.encode(Hello(protocol, "Lua 5.5", os.getpid(), "prelude", confinement)))


def greet(confinement):
    """Say hello, then wait for the end of the input."""
    os.write(1, hello_frame(confinement))
    while os.read(0, 4096):
        pass
    os._exit(0)
