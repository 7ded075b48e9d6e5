"""Workers for these tests: real ones, but a script that begins with `--rogue NAME` is played by the function of that
name. Confined as all workers are; it has what native code in a worker would have, which is its pipes.
"""

import _socket
import ctypes
import json
import os
import signal
import struct

from moonward.actors.limits import Limits
from moonward.actors.worker import worker
from moonward.actors.worker.wire import PROTOCOL, Hello
from moonward.actors.worker.worker import Kit

MARK = "--rogue "
QUESTION = b'{"t":"ask","queries":[{"prompt":"?"}]}'


def prepare():
    """See `worker.prepare`."""
    kit = Kit.installed()
    return lambda confinement: play(confinement, kit)


def play(confinement, kit):
    """Greet, read what to run, and be a real worker or the rogue that it names."""
    vm = kit.vm(int.from_bytes(os.urandom(4), "little"), Limits().memory_bytes)
    kit.rehearse()
    json.loads("[1.5]")
    worker._write(Hello(PROTOCOL, worker.LUA_VERSION, vm.hash_seed, kit.digest, confinement))
    begin = kit.begin(worker._read_body())
    if begin.code.startswith(MARK):
        name, _, arguments = begin.code[len(MARK) :].partition(" ")
        ROGUES[name](*json.loads(f"[{arguments}]"))
        os._exit(0)
    worker.run(worker._vm_for(begin, vm, kit.chunks), begin)
    os._exit(0)


# -- what it can say -------------------------------------------------------------------------------------------------


def put(data):
    """Write bytes; a host that has gone ends it."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(1, rest) :]
        except BrokenPipeError:
            os._exit(0)


def frame(body):
    """Bytes as a frame."""
    return struct.pack("<I", len(body)) + body


def say(body):
    """Write a frame with a JSON object, or with bytes as they are."""
    put(frame(body if isinstance(body, bytes) else json.dumps(body).encode()))


def done(value=1, **fields):
    say({"t": "done", "value": value, **fields})


def ask(*prompts, **fields):
    say({"t": "ask", "queries": [{"prompt": each, **fields} for each in prompts]})


def call(name="state.get", *args):
    say({"t": "call", "name": name, "args": list(args or ("default", "k"))})


def hear():
    """Read one reply of the host; its kind and what follows the clocks."""
    (length,) = struct.unpack("<I", exactly(4))
    body = exactly(length)
    kind, _, skip = struct.unpack_from("<BQI", body)
    return kind, body[13 + skip :]


def exactly(count):
    data = b""
    while len(data) < count:
        part = os.read(0, min(count - len(data), 1 << 16))
        if not part:
            os._exit(0)
        data += part
    return data


def hang():
    """Do nothing, and use no processor."""
    while os.read(0, 1 << 16):
        pass
    os._exit(0)


def spin():
    while True:
        pass


# -- the rogues ------------------------------------------------------------------------------------------------------


def write(text):
    """Any bytes (latin-1), then wait."""
    put(text.encode("latin-1"))
    hang()


def write_and_exit(text):
    put(text.encode("latin-1"))


def body(text):
    """Any body of a frame (latin-1), then wait."""
    say(text.encode("latin-1"))
    hang()


def huge_digits():
    say(b'{"t":"done","value":' + b"9" * 3_000_000 + b"}")
    hang()


def many(text, count):
    """The same frame again and again."""
    one = frame(text.encode())
    put(one * count)
    hang()


def endless(text):
    """The same frame for ever."""
    block = frame(text.encode()) * 200
    while True:
        put(block)


def endless_big_notes():
    """Frames of logs, each as large as a frame may be."""
    note = ["log", "info", "alc.log", "x" * 4000]
    big = frame(json.dumps({"t": "notes", "notes": [note] * 2000}).encode())
    while True:
        put(big)


def hollow(kind, item, count):
    """A frame of few bytes and many values."""
    items = ",".join([item] * count)
    bodies = {
        "notes": '{"t":"notes","notes":[%s]}',
        "note": '{"t":"notes","notes":[[%s]]}',
        "stat": '{"t":"notes","notes":[["stat","k",[%s]]]}',
        "ask": '{"t":"ask","queries":[%s]}',
        "clocks": '{"t":"ask","queries":[{"prompt":"x"}],"clocks":[%s]}',
        "done": '{"t":"done","value":[%s]}',
        "done clocks": '{"t":"done","value":1,"clocks":[%s]}',
        "fork": '{"t":"fork","strategies":[%s],"ctx":{}}',
        "call": '{"t":"call","name":"state.keys","args":[%s]}',
    }
    say((bodies[kind] % items).encode())
    hang()


def options(count):
    """A question with very many options."""
    extra = ",".join(f'"{number:x}":1' for number in range(count))
    say(('{"t":"ask","queries":[{"prompt":"x","extra":{%s}}]}' % extra).encode())
    hang()


def deep(kind, levels):
    """Arrays in arrays, in a place where any value may be."""
    nested = "[" * levels + "]" * levels
    bodies = {
        "done": '{"t":"done","value":%s}',
        "stat": '{"t":"notes","notes":[["stat","k",%s]]}',
        "progress": '{"t":"notes","notes":[["progress",%s,1,null]]}',
        "call": '{"t":"call","name":"state.set","args":["default","k",%s]}',
        "fork": '{"t":"fork","strategies":["none"],"ctx":{"a":%s}}',
    }
    say((bodies[kind] % nested).encode())
    if kind in ("stat", "progress"):
        ask("and now?")
        hear()
        done()
    hang()


def never_reads():
    """Ask for something large, and never take it."""
    ask("something large, please")
    spin()


def asks_without_reading(count):
    """Call again and again, and never take a reply."""
    block = frame(json.dumps({"t": "call", "name": "state.get", "args": ["rogue", "big"]}).encode())
    for _ in range(count):
        put(block)
    spin()


def store_and_ask_without_reading(count):
    """Store something large, then ask for it again and again without ever reading it."""
    call("state.set", "rogue", "big", "x" * 3_000_000)
    hear()
    asks_without_reading(count)


def closes_its_output():
    os.close(1)
    hang()


def closes_its_output_and_spins():
    os.close(1)
    spin()


def closes_its_input():
    os.close(0)
    ask("?")
    spin()


def done_then(text):
    """End, and go on all the same."""
    put(frame(b'{"t":"done","value":1}') + frame(text.encode()))
    hang()


def done_at_once():
    """Nothing but the end: allowed, it is what an empty script does."""
    done("forged")


def ends_while_asked():
    """Say the last word while a question is open."""
    put(frame(QUESTION) + frame(b'{"t":"done","value":"early"}'))
    hang()


def breaks_while_asked(kind):
    put(frame(QUESTION) + frame(json.dumps({"t": "failed", "error": "early", "kind": kind}).encode()))
    hang()


def answers_itself():
    """Go on without waiting for the answer."""
    put(frame(QUESTION) * 2)
    hang()


def ask_then_notes(count):
    """Log while the host waits for an answer."""
    ask("?")
    for number in range(count):
        say({"t": "notes", "notes": [["log", "info", "alc.log", f"late {number}"]]})
    hear()
    done()


def note(*fields):
    """One note of any form, then a question, so that it is in the journal, then the end."""
    say({"t": "notes", "notes": [list(fields)]})
    ask("?")
    hear()
    done()


def many_stats(count, size):
    for number in range(count):
        say({"t": "notes", "notes": [["stat", f"k{number}", "x" * size]]})
    ask("?")
    hear()
    done()


def many_calls(count):
    """Calls that are answered, one after the other."""
    for _ in range(count):
        call("budget.remaining")
        hear()
    done()


def big_results(count):
    """Calls whose results are large."""
    call("state.set", "rogue", "big", "x" * 3_000_000)
    hear()
    for _ in range(count):
        call("state.get", "rogue", "big")
        hear()
    done()


def stores_much(count):
    for number in range(count):
        call("state.set", "rogue", f"k{number}", "x" * 3_000_000)
        hear()
    done()


def makes_cards(count):
    for _ in range(count):
        call("card.create", {"pkg": {"name": "rogue"}, "text": "x" * 900_000})
        hear()
    done()


def another_namespace():
    """Read and write what is the victim's."""
    call("state.set", "victim", "turns", 10**6)
    hear()
    done()


def call_named(length):
    """A call whose name is long."""
    call("x" * length, 1)
    kind, rest = hear()
    done([kind, len(rest)])


def require_named(length):
    """A module whose name is long."""
    say({"t": "require", "name": "a." * (length // 2)})
    kind, rest = hear()
    done([kind, len(rest)])


def unknown_call(name):
    call(name, 1)
    kind, rest = hear()
    done([kind, rest[4:].decode()])


def asks_much(count, size):
    """Questions that are large, one after the other."""
    for _ in range(count):
        ask("x" * size)
        hear()
    done()


def drips():
    """A frame, byte by byte, that never ends."""
    put(struct.pack("<I", 1000))
    while True:
        put(b"{")


def drips_slowly(count):
    """A frame, byte by byte."""
    for byte in frame(b'{"t":"done","value":1}').ljust(count)[:count]:
        put(bytes([byte]))


def forks():
    os.fork()


def executes():
    os.execv("/bin/true", ["true"])


def aborts():
    os.abort()


def takes_memory():
    taken = []
    while True:
        taken.append(bytearray(1 << 20))


def fills_stderr():
    """Write to the standard error that all workers share."""
    for _ in range(100_000):
        try:
            os.write(2, b"\x1b[31mforged\n" * 300)
        except BlockingIOError:
            pass
    done()


def hello_again():
    say({"t": "hello", "protocol": 1, "lua": "Lua 5.5", "hash_seed": 1, "prelude": "", "confinement": ""})
    hang()


def is_silent():
    """Say nothing, use nothing."""
    hang()


def says_nothing_and_spins():
    spin()


LIBC = ctypes.CDLL(None, use_errno=True)

ATTEMPTS = {
    "open": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "stat": lambda: os.stat("/etc/passwd"),
    "list": lambda: os.listdir("/"),
    "connect": lambda: _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM).connect(("127.0.0.1", 9)),
    "send": lambda: _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
    "signal": lambda: os.kill(os.getppid(), 0),
    "signal the host": lambda: os.kill(-1, 0),
    "trace": lambda: checked(LIBC.ptrace(0x4206, os.getppid(), 0, 0)),
    "read memory": lambda: checked(LIBC.process_vm_readv(os.getppid(), None, 0, None, 0, 0)),
    "open memory": lambda: os.open(f"/proc/{os.getppid()}/mem", os.O_RDONLY),
}


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")


def tries(what):
    """From native code, inside a worker like any other; the end says how it went, unless it dies of it."""
    try:
        ATTEMPTS[what]()
    except OSError:
        done("refused")
    else:
        done("it worked")


def stops():
    """Stop itself, as the terminal would: it may signal itself alone."""
    signal.raise_signal(signal.SIGSTOP)


def stops_while_asked():
    """The same, with a question open: what is answered is never read."""
    ask("?")
    hear()
    signal.raise_signal(signal.SIGSTOP)


ROGUES = {
    name: each
    for name, each in globals().items()
    if callable(each) and getattr(each, "__module__", "") == __name__
}
