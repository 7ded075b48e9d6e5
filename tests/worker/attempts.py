"""Run as a program: confine this process as a worker is confined, then try what a broken-out script would try.

    attempts.py LAYERS USER ATTEMPT      LAYERS: both, landlock, seccomp, none; USER: same, nobody

Writes `done` when the attempt succeeded, `refused ERRNO` when it was refused; or dies of it.
"""

import ctypes
import errno
import os
import sys

from moonward.actors.worker.confine import Confinement

libc = ctypes.CDLL(None, use_errno=True)
PARENT = os.getppid()
ADDRESS = 0
NOBODY = 65534


def native(name, *arguments):
    """A function of the C library; raises what it reports."""
    values = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    if getattr(libc, name)(*values) == -1:
        raise OSError(ctypes.get_errno(), name)


def open_file():
    native("open", b"/etc/passwd", os.O_RDONLY)


def stat_file():
    native("access", b"/etc/passwd", os.R_OK)
    os.stat("/etc/passwd")


def list_directory():
    os.listdir("/")


def make_directory():
    path = f"/tmp/moonward-attempt-{os.getpid()}"
    native("mkdir", path.encode(), 0o700)
    os.rmdir(path)


def connect_tcp():
    import _socket

    _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM).connect_ex(("127.0.0.1", 9))


def send_udp():
    import _socket

    _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))


def connect_unix():
    native("socket", 1, 1, 0)


def fork():
    if os.fork() == 0:
        os._exit(0)


def start_thread():
    import _thread

    _thread.start_new_thread(lambda: None, ())


def execute():
    # the new program would write `done` for us
    os.execv("/bin/echo", ["echo", "-n", "done"])


def signal_the_parent():
    native("kill", PARENT, 0)


def signal_the_parents_thread():
    libc.syscall.restype = ctypes.c_long
    if libc.syscall(ctypes.c_long(234), ctypes.c_long(PARENT), ctypes.c_long(PARENT), ctypes.c_long(0)) < 0:
        raise OSError(ctypes.get_errno(), "tgkill")


def trace_the_parent():
    native("ptrace", 0x4206, PARENT, 0, 0)  # PTRACE_SEIZE: stops nothing, and ends with this process


def read_the_parents_memory():
    native("open", b"/proc/%d/mem" % PARENT, os.O_RDONLY)


class Piece(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def somewhere_in_the_parent():
    """An address that the parent has mapped, if it can be known."""
    try:
        with open(f"/proc/{PARENT}/maps") as maps:
            return int(maps.readline().partition("-")[0], 16)
    except OSError:
        return 1 << 16


def read_the_parents_memory_directly():
    buffer = ctypes.create_string_buffer(16)
    mine, theirs = Piece(ctypes.addressof(buffer), 16), Piece(ADDRESS, 16)
    native("process_vm_readv", PARENT, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)


def write_the_parents_memory_directly():
    buffer = ctypes.create_string_buffer(0)
    mine, theirs = Piece(ctypes.addressof(buffer), 0), Piece(ADDRESS, 0)
    native("process_vm_writev", PARENT, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)


def send_to_the_parents_pipe():
    native("open", b"/proc/%d/fd/1" % PARENT, os.O_WRONLY)


def take_the_parents_descriptor():
    native("syscall", 434, PARENT, 0)  # pidfd_open, the same number on every machine
    native("syscall", 438, 0, 0, 0)  # pidfd_getfd


def be_signalled_about_a_pipe():
    native("fcntl", 1, 8, PARENT)  # F_SETOWN: the kernel would send the signals


def raise_own_priority():
    native("setpriority", 0, 0, -20)


def kill_everybody():
    native("kill", -1, 0)


def use_io_uring():
    native("syscall", 425, 8, ctypes.create_string_buffer(120))


def load_bpf():
    native("syscall", 321 if os.uname().machine == "x86_64" else 280, 0, None, 0)


def open_own_memory():
    native("open", b"/proc/self/mem", os.O_RDWR)


def map_executable_memory():
    libc.mmap.restype = ctypes.c_long
    native("mmap", None, 4096, 7, 0x22, -1, 0)


def make_memory_executable():
    buffer = ctypes.create_string_buffer(3 * 4096)
    native("mprotect", (ctypes.addressof(buffer) + 4095) & -4096, 4096, 7)


def make_a_descriptor():
    native("memfd_create", b"x", 0)


def copy_a_descriptor():
    native("dup", 1)


def raise_own_limits():
    unlimited = (ctypes.c_ulong * 2)(ctypes.c_ulong(-1).value, ctypes.c_ulong(-1).value)
    native("setrlimit", 9, unlimited)  # RLIMIT_AS


def become_dumpable():
    native("prctl", 4, 1, 0, 0, 0)


def leave_namespaces():
    native("unshare", 0x10000000)  # CLONE_NEWUSER


def attempt(name):
    """Do it; the text that says how it went."""
    try:
        globals()[name]()
    except OSError as error:
        return f"refused {errno.errorcode.get(error.errno or 0)}"
    except RuntimeError:  # threads raise this
        return "refused"
    return "done"


def main():
    global ADDRESS
    layers, user, name = sys.argv[1:]
    ADDRESS = somewhere_in_the_parent()
    import _socket  # noqa: F401  what is imported later could not be opened

    if user == "nobody":
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    if layers == "unconfined":
        outcome = "unconfined"
    else:
        confinement = Confinement(
            landlock=layers in ("both", "landlock"), seccomp=layers in ("both", "seccomp")
        )
        outcome = confinement.apply(64 << 20, PARENT)
    os.write(1, outcome.encode() + b"\n")
    os.write(1, attempt(name).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
