"""What runs in the workers of these tests instead of Lua: each entry misbehaves in one way, but for `greet`."""

import os

import msgspec

from moonward.actors.worker.wire import PROTOCOL, Hello, frame


def hello_frame(confinement, protocol=PROTOCOL):
    return frame(msgspec.json.encode(Hello(protocol, "Lua 5.5", os.getpid(), "prelude", confinement)))


def until_end_of_input():
    while os.read(0, 4096):
        pass
    os._exit(0)


def greet(confinement):
    """Say hello, then do what the host writes: `s` spins, `m` takes 600 MiB, `x` exits with 3, anything else is echoed."""
    os.write(1, hello_frame(confinement))
    while data := os.read(0, 4096):
        if data == b"s":
            spin()
        if data == b"x":
            os._exit(3)
        os.write(1, take_memory() if data == b"m" else data)
    os._exit(0)


def spin():
    os.write(1, b"spinning")
    while True:
        pass


def take_memory():
    try:
        taken = bytes(600 << 20)
    except MemoryError:
        return b"refused"
    return b"taken %d" % (len(taken) >> 20)


def no_hello(confinement):
    until_end_of_input()


def hello_of_half(confinement):
    os.write(1, hello_frame(confinement)[:-5])
    until_end_of_input()


def garbage(confinement):
    os.write(1, b"Traceback (most recent call last):\n")
    until_end_of_input()


def huge_frame(confinement):
    os.write(1, b"\xff\xff\xff\xff")
    until_end_of_input()


def empty_frame(confinement):
    os.write(1, b"\0\0\0\0")
    until_end_of_input()


def not_json(confinement):
    os.write(1, frame(b"hello"))
    until_end_of_input()


def another_message(confinement):
    os.write(1, frame(b'{"t":"notes","notes":[]}'))
    until_end_of_input()


def future_protocol(confinement):
    os.write(1, hello_frame(confinement, PROTOCOL + 1))
    until_end_of_input()


def talkative(confinement):
    os.write(1, hello_frame(confinement) + b"more")
    until_end_of_input()


def unconfined(confinement):
    os.write(1, hello_frame("landlock"))
    until_end_of_input()


def exits(confinement):
    os._exit(5)


def raises(confinement):
    raise ValueError("broken \x1b[31mentry")


def floods_stderr(confinement):
    """Fill standard error far beyond what a pipe holds, then say hello."""
    for _ in range(200):
        try:
            os.write(2, b"x" * 4096)
        except BlockingIOError:
            pass
    greet(confinement)


def closes_output(confinement):
    os.close(1)
    until_end_of_input()
