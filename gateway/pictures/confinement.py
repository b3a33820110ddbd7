"""Takes from a process all that a decoder does not need: files, network, other programs, other users' rights.

For the decode child, which imports nothing of Loupe but this. What the system does not have is left out; `confine` answers
what holds. Linux: prctl(2), seccomp(2), unshare(2); elsewhere the limits alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import sys

ADDRESS_SPACE = 1024**3
CPU_SECONDS = 60  # whoever starts us ends us long before, unless he is gone
NOBODY = 65_534
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_DUMPABLE = 1, 22, 38, 4
SECCOMP_MODE_FILTER = 2
CLONE_NEWNET, CLONE_NEWNS, CLONE_THREAD = 0x4000_0000, 0x0002_0000, 0x0001_0000
# linux/seccomp.h, linux/filter.h, linux/audit.h
ALLOW, ERRNO, KILL = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
EPERM, ENOSYS = 1, 38
LOAD, JUMP_EQUAL, JUMP_SET, RETURN = 0x20, 0x15, 0x45, 0x06
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
# What Python and the codecs call once all is loaded, by machine: read, write, memory, threads of ours, time, the end.
ALLOWED = (
    "read write close fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn ioctl madvise mremap "
    "futex sched_yield sched_getaffinity getpid gettid exit exit_group clock_gettime clock_nanosleep nanosleep "
    "getrandom set_robust_list rseq tgkill sigaltstack restart_syscall prlimit64 getrlimit sysinfo getcpu gettimeofday"
).split()
MACHINES: dict[str, tuple[int, dict[str, int]]] = {
    "x86_64": (
        0xC000_003E,
        {
            "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12,
            "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "ioctl": 16, "sched_yield": 24, "mremap": 25,
            "madvise": 28, "nanosleep": 35, "getpid": 39, "clone": 56, "exit": 60, "gettimeofday": 96, "getrlimit": 97,
            "sysinfo": 99, "sigaltstack": 131, "gettid": 186, "futex": 202, "sched_getaffinity": 204,
            "restart_syscall": 219, "clock_gettime": 228, "clock_nanosleep": 230, "exit_group": 231, "tgkill": 234,
            "set_robust_list": 273, "prlimit64": 302, "getcpu": 309, "getrandom": 318, "rseq": 334, "clone3": 435,
        },
    ),
    "aarch64": (
        0xC000_00B7,
        {
            "ioctl": 29, "close": 57, "lseek": 62, "read": 63, "write": 64, "fstat": 80, "exit": 93, "exit_group": 94,
            "futex": 98, "set_robust_list": 99, "nanosleep": 101, "clock_gettime": 113, "clock_nanosleep": 115,
            "sched_getaffinity": 123, "sched_yield": 124, "restart_syscall": 128, "tgkill": 131, "sigaltstack": 132,
            "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "getrlimit": 163, "getcpu": 168,
            "gettimeofday": 169, "getpid": 172, "gettid": 178, "sysinfo": 179, "brk": 214, "munmap": 215, "mremap": 216,
            "clone": 220, "mmap": 222, "mprotect": 226, "madvise": 233, "prlimit64": 261, "getrandom": 278, "rseq": 293,
            "clone3": 435,
        },
    ),
}  # fmt: skip


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def confine(parent: int | None = None) -> list[str]:
    """Give up everything, for good; answers what holds, in words. Whatever is still to be loaded must be loaded before.

    Args:
        parent: the process that started us; when it has ended already, so do we.
    """
    held = ["limits"]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if parent is not None and os.getppid() != parent:
            raise SystemExit("nobody is there to ask for pictures")
        held += ["ends with its parent"]
        held += ["no network"] if libc.unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 else []
    held += ["a user of its own"] if _become_nobody() else []
    _limit()
    if sys.platform == "linux":
        libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # which a change of the user takes away
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        held += ["no system calls but a few"] if _filter_calls(libc) else []
    return held


def _become_nobody() -> bool:
    if os.geteuid() != 0:
        return False
    with contextlib.suppress(OSError):  # a container may lack these rights, or the number
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return os.geteuid() != 0


def _limit() -> None:
    """No descriptor more than those that are open: so nothing can be opened, connected or started."""
    limits = {
        resource.RLIMIT_AS: ADDRESS_SPACE,
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for what, value in limits.items():
        resource.setrlimit(what, (value, value))


def _filter_calls(libc: ctypes.CDLL) -> bool:
    """Every other system call fails with EPERM (seccomp's filter, in the kernel's BPF)."""
    if platform.machine() not in MACHINES:
        return False
    architecture, numbers = MACHINES[platform.machine()]
    code = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_EQUAL, 0, 1, numbers["clone3"]),
        (RETURN, 0, 0, ERRNO | ENOSYS),  # its flags are out of a filter's sight; clone's, which is tried then, are not
    ]
    for name in ALLOWED:
        code += [(JUMP_EQUAL, 0, 1, numbers[name]), (RETURN, 0, 0, ALLOW)]
    code += [
        (JUMP_EQUAL, 0, 3, numbers["clone"]),
        (LOAD, 0, 0, FIRST_ARGUMENT_AT),
        (JUMP_SET, 0, 1, CLONE_THREAD),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, ERRNO | EPERM),
    ]
    packed = b"".join(struct.pack("<HBBI", *line) for line in code)
    program = _Program(len(code), ctypes.cast(ctypes.create_string_buffer(packed, len(packed)), ctypes.c_void_p))
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)
