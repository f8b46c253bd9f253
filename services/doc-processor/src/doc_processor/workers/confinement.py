"""What the kernel takes away from a worker for good: the network, other people's files, and other processes.

No privilege is needed for any of it; what the kernel lacks is left out, and reported. Programs that a worker starts inherit it all. Landlock: https://docs.kernel.org/userspace-api/landlock.html, seccomp:
https://docs.kernel.org/userspace-api/seccomp_filter.html.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_LARGEST_FILE, _MOST_FILES = 1 << 30, 256

# AUDIT_ARCH, and the numbers of: socket, ptrace, process_vm_readv, process_vm_writev, mount, unshare, setns, bpf,
# perf_event_open, userfaultfd, add_key, request_key, keyctl, kexec_load, init_module, finit_module.
_SYSTEM_CALLS = {
    "x86_64": (0xC000003E, (41, 101, 310, 311, 165, 272, 308, 321, 298, 323, 248, 249, 250, 246, 175, 313)),
    "aarch64": (0xC00000B7, (198, 117, 270, 271, 40, 97, 268, 280, 241, 282, 217, 218, 219, 104, 105, 273)),
}
# The same everywhere: io_uring_setup, which can open sockets too, and pidfd_getfd.
_COMMON_CALLS = (425, 438)
_X32 = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _NOT_PERMITTED, _KILL = 0x7FFF0000, 0x00050001, 0x80000000

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE, _READ, _LIST, _REFER, _TRUNCATE = 1, 2, 4, 8, 1 << 13, 1 << 14
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/proc", "/sys/devices/system", "/nix/store")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def confine(memory_bytes: int, scratch: str) -> list[str]:
    """Give up what a parser never needs, and end when the service ends; `scratch` is where it may write.

    Returns what is in force: `files` (only programs, libraries and `scratch` can be read), `network` (no socket can be made).
    """
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE),
        (resource.RLIMIT_NOFILE, _MOST_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    if sys.platform != "linux":
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return []
    done = {"files": _restrict_files(libc, scratch), "network": _refuse_calls(libc)}
    return [name for name, works in done.items() if works]


def _restrict_files(libc: ctypes.CDLL, scratch: str) -> bool:
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return False
    everything = (1 << 13) - 1 | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    # From version 6 on, signals and abstract sockets end at the worker as well; from 4 on, TCP.
    attributes = struct.pack("=QQQ", everything, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        return False
    try:
        for path in _readable():
            _allow(libc, ruleset, path, _EXECUTE | _READ | _LIST)
        for path in _DEVICES:
            _allow(libc, ruleset, path, _READ | _WRITE)
        _allow(libc, ruleset, scratch, everything & ~_EXECUTE)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)) == 0)
    finally:
        os.close(ruleset)


def _readable() -> Iterable[str]:
    """The interpreter, its packages, and the programs and data of the system."""
    given = [os.environ.get("TESSDATA_PREFIX", ""), *os.environ.get("LD_LIBRARY_PATH", "").split(":")]
    own = [sys.prefix, sys.base_prefix, *sys.path, *os.environ.get("PATH", "").split(":"), *given]
    return {os.path.realpath(path) for path in (*own, *_SYSTEM) if path and path != "/" and os.path.exists(path)}


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = rights if Path(path).is_dir() else rights & (_EXECUTE | _READ | _WRITE)
        libc.syscall(_ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, opened), ctypes.c_uint32(0))
    finally:
        os.close(opened)


def _refuse_calls(libc: ctypes.CDLL) -> bool:
    if platform.machine() not in _SYSTEM_CALLS:
        return False
    architecture, calls = _SYSTEM_CALLS[platform.machine()]
    refused = (*calls, *_COMMON_CALLS)
    program = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    program.append((_AT_LEAST, len(refused) + 1, 0, _X32))
    program += [(_EQUAL, len(refused) - at, 0, call) for at, call in enumerate(refused)]
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _NOT_PERMITTED)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
    filter_ = struct.pack("@HP", len(program), ctypes.addressof(code))
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filter_, 0, 0) == 0)
