"""One process at a time in a folder, on one machine or on several, whether or not the file system offers locks.

A lock of the system (flock) is let go by itself when its process dies, but some file systems have none, and on others
it holds on one machine only. So the holder also leaves a lease: a file that says who holds the folder and that is
touched while the holder lives.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from benchmark.errors import BenchmarkError

LOCK, LEASE = ".lock", ".lease"
# The lease is touched so often, and a holder on another machine is dead after so long without; both in seconds.
BEAT, SILENCE = 10.0, 60.0

_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}


class Busy(BenchmarkError):
    """Another process is at work in the folder."""


@contextlib.contextmanager
def exclusive(folder: Path, patience: float = 5.0) -> Iterator[None]:
    """Hold the folder against other processes; a killed holder is noticed at once, one on another machine in a minute.

    Raises Busy after `patience` seconds of waiting.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lease = folder / LEASE
    deadline = time.monotonic() + patience
    with open(folder / LOCK, "w") as file:
        locked: bool | None = False
        while True:
            locked = locked or _flock(file)
            if locked is not False and _take(lease, file, locked is True):
                break
            if time.monotonic() > deadline:
                raise Busy(f"{folder}: busy: {_holder(lease)} is at work there; run the same command again afterwards")
            time.sleep(0.1)
        ended = threading.Event()
        threading.Thread(target=_beat, args=(lease, ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            if _read(lease) == _myself():
                with contextlib.suppress(OSError):
                    lease.unlink()


def _flock(file: IO[str]) -> bool | None:
    """Whether the lock was taken; None where there are none."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def _take(lease: Path, lock: IO[str], locked: bool) -> bool:
    """Write the lease, unless one is there whose holder may be alive. locked: whether a lock is held as well."""
    try:
        handle = os.open(lease, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        if not _alive(lease, lock, locked):
            _remove_dead(lease)
        return False
    try:
        os.write(handle, json.dumps(_myself()).encode())
    finally:
        os.close(handle)
    return True


def _remove_dead(lease: Path) -> None:
    # Renamed first: of several that find it dead, only one can.
    dead = lease.with_name(f"{LEASE}.{socket.gethostname()}-{os.getpid()}.tmp")
    with contextlib.suppress(FileNotFoundError):
        os.rename(lease, dead)
        os.unlink(dead)


def _alive(lease: Path, lock: IO[str], locked: bool) -> bool:
    holder = _read(lease)
    mine = _myself()
    if holder is not None and (holder.get("host"), holder.get("boot")) == (mine["host"], mine["boot"]):
        # On one machine a lock that could be taken shows that nobody else lives.
        return not locked and _start_of(holder.get("pid")) == holder.get("start") is not None
    # By the file system's own clock, because those of two machines differ.
    lock.write(".")
    lock.flush()
    try:
        return os.fstat(lock.fileno()).st_mtime - lease.stat().st_mtime < SILENCE
    except FileNotFoundError:
        return False


def _beat(lease: Path, ended: threading.Event) -> None:
    while not ended.wait(BEAT):
        with contextlib.suppress(OSError):
            os.utime(lease)


def _read(lease: Path) -> dict[str, object] | None:
    try:
        holder = json.loads(lease.read_bytes())
    except (OSError, ValueError):
        return None
    return holder if isinstance(holder, dict) else None


def _holder(lease: Path) -> str:
    holder = _read(lease)
    return f"process {holder.get('pid')} on {holder.get('host')}" if holder else "another process"


def _myself() -> dict[str, object]:
    return {"host": socket.gethostname(), "boot": _boot(), "pid": os.getpid(), "start": _start_of(os.getpid())}


@functools.cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _start_of(pid: object) -> str | None:
    """When a process started, in the system's own terms, because numbers are used again; None if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
