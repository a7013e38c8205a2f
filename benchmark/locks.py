"""Leases: one process at a time in a folder, on one machine or on many, whatever locks the file system offers.

All that is asked of it is that of several processes that create one file, one succeeds. A lease is a file
`.lease-<number>` that says who holds the folder; its holder rewrites it every few seconds, so that it changes. Whoever
sees it unchanged for long enough, by a clock of its own, or knows that its process is gone, may take the folder: it
creates the lease with the next number, which only one can, looks again, and deletes the dead one. A holder whose lease
is gone has lost the folder: it finds out before it replaces any file there.

filelock's `SoftFileLease` works in the same way, but takes over a dead lease by exchanging two names, which NFS, SMB
and most file systems in user space refuse: there a unit whose worker was killed would be held for ever.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.files import guarding, sync

LEASE = ".lease-"
# A lease is rewritten so often, and its holder is dead when it did not change for so long; both in seconds.
BEAT, SILENCE = 10.0, 60.0
# Bytes of a lease: always the same, so that rewriting it is one write.
SIZE = 1024
# Seconds between two attempts to take a folder.
_PAUSE = 0.1
# What each lease that is somebody else's said when it was last looked at, since when by this process's clock, and
# whether it has ever changed.
_seen: dict[Path, tuple[bytes, float, bool]] = {}


class Busy(BenchmarkError):
    """Another process is at work in the folder.

    living: whether it is known to live, and not only not yet known to be dead.
    """

    def __init__(self, message: str, living: bool = False) -> None:
        super().__init__(message)
        self.living = living


class Lost(Busy):
    """This process held the folder, was silent for too long, and another one took it."""


@dataclass(frozen=True)
class Holder:
    """Who holds a folder, or did when it died.

    since, last: when it took the folder and last showed itself, in seconds since the epoch, by its own clock and by the
    disk's. gone: whether its process is known to have ended, as only processes on its machine can know.
    """

    host: str
    pid: int
    since: float
    last: float
    gone: bool

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Lease:
    """A folder that this process holds."""

    def __init__(self, path: Path) -> None:
        """Create the lease; raises FileExistsError where somebody else has."""
        self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        self._path = path
        self._open = True
        # The thread that rewrites the file must not do so once its descriptor is closed, or stands for another file.
        self._writing = threading.Lock()
        self._says = {**_myself(), "token": secrets.token_hex(8), "since": round(time.time(), 3), "beat": 0}
        try:
            self._write()
        except BaseException:
            self.release()
            raise

    def beat(self) -> None:
        """Show that the holder lives."""
        with self._writing:
            if self._open:
                self._says["beat"] += 1
                self._write()

    def check(self) -> None:
        """Raise Lost if the folder is not this process's any more."""
        if not self._is_mine():
            others = [holder for holder in [holder_of(self._path.parent)] if holder]
            raise Lost(
                f"{self._path.parent}: was lost to {others[0] if others else 'another process'}, because this process "
                f"was silent for more than {SILENCE:.0f} s"
            )

    def release(self) -> None:
        """Let the folder go."""
        with self._writing:
            with contextlib.suppress(OSError):
                if self._is_mine():
                    os.unlink(self._path)
            if self._open:
                self._open = False
                os.close(self._file)

    def _write(self) -> None:
        os.pwrite(self._file, json.dumps(self._says).encode().ljust(SIZE), 0)
        sync(self._file)

    def _is_mine(self) -> bool:
        said = _said(_read(self._path))
        return said is not None and said.get("token") == self._says["token"]


@contextlib.contextmanager
def exclusive(folder: Path, patience: float = 5.0, tell: Callable[[str], None] | None = None) -> Iterator[Lease]:
    """Hold the folder against other processes; every file that the block replaces below it is checked for that.

    A dead holder on this machine is noticed at once, one on another machine after a minute of watching it. Raises Busy
    after `patience` seconds of waiting, and Lost when the folder was taken from this process. tell: is told once whom
    it waits for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    while True:
        try:
            lease = take(folder)
            break
        except Busy as busy:
            if time.monotonic() >= deadline:
                raise
            if tell:
                tell(f"waiting: {busy}")
                tell = None
        time.sleep(_PAUSE)
    ended = threading.Event()
    threading.Thread(target=_keep, args=(lease, ended), daemon=True).start()
    try:
        with guarding(folder, lease.check):
            yield lease
    finally:
        ended.set()
        lease.release()


def take(folder: Path) -> Lease:
    """Take the folder, or raise Busy at once; whoever takes it must keep the lease alive."""
    found = _leases(folder)
    for path, content in found.items():
        if _may_live(path, content):
            raise _busy(folder, path, content)
    number = max((_number(path) for path in found), default=0) + 1
    path = folder / f"{LEASE}{number}"
    try:
        lease = Lease(path)
    except FileExistsError:
        raise _busy(folder, path, _read(path) or b"") from None
    try:
        # Whoever was slower than others between looking and creating sees now what they did. Two that create at the
        # same time both see it, and both try again.
        for other, content in _leases(folder).items():
            if other != path and found.get(other) != content:
                raise _busy(folder, other, content)
        for dead in found:
            _seen.pop(dead, None)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(dead)
        lease.check()
    except BaseException:
        lease.release()
        raise
    return lease


def holder_of(folder: Path) -> Holder | None:
    """Who holds the folder, alive or not; None where nobody does."""
    try:
        paths = sorted(_leases(folder), key=_number)
    except FileNotFoundError:
        return None
    for path in reversed(paths):
        with contextlib.suppress(OSError, KeyError, TypeError, ValueError):
            said = _said(_read(path)) or {}
            last = path.stat().st_mtime
            return Holder(str(said["host"]), int(said["pid"]), float(said["since"]), last, _gone(said))
    return None


def _keep(lease: Lease, ended: threading.Event) -> None:
    while not ended.wait(BEAT):
        # A disk that cannot be reached now may be there again before anybody misses the lease.
        with contextlib.suppress(OSError):
            lease.beat()


def _leases(folder: Path) -> dict[Path, bytes]:
    """What every lease in the folder says."""
    names = [name for name in os.listdir(folder) if name.startswith(LEASE) and name.removeprefix(LEASE).isdecimal()]
    found = {folder / name: _read(folder / name) for name in names}
    return {path: content for path, content in found.items() if content is not None}


def _number(path: Path) -> int:
    return int(path.name.removeprefix(LEASE))


def _read(path: Path) -> bytes | None:
    # Opened, because network file systems ask the server then, and not always for a file's status.
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return os.read(file, SIZE)
    finally:
        os.close(file)


def _said(content: bytes | None) -> dict[str, Any] | None:
    """What a lease says; None for one that is missing, damaged, or not written yet."""
    try:
        said = json.loads(content or b"")
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _may_live(path: Path, content: bytes) -> bool:
    """Whether the lease's holder is not known to be dead."""
    before, now = _seen.get(path), time.monotonic()
    if before is None or before[0] != content:
        before = _seen[path] = (content, now, before is not None)
    return not _gone(_said(content)) and now - before[1] < SILENCE


def _busy(folder: Path, path: Path, content: bytes) -> Busy:
    said = _said(content) or {}
    who = f"process {said['pid']} on {said['host']}" if "pid" in said and "host" in said else "another process"
    _, since, changed = _seen.get(path, (b"", 0.0, False))
    shown = changed and time.monotonic() - since < 3 * BEAT
    return Busy(f"{folder}: busy: {who} is at work there", shown or (bool(said) and _is_here(said) and not _gone(said)))


def _is_here(said: dict[str, Any]) -> bool:
    """Whether the numbers of the holder's processes are those of this one's."""
    mine = _myself()
    return all(said.get(key) == mine[key] for key in ("host", "boot", "space"))


def _gone(said: dict[str, Any] | None) -> bool:
    """Whether the holder's process is known to have ended, which only processes beside it can know."""
    if said is None or not _is_here(said) or not isinstance(said.get("pid"), int):
        return False
    try:
        os.kill(said["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is somebody else's
        pass
    state, start = _process(said["pid"])
    # A process that ended, and nobody has asked how; and its number may be another process's by now.
    return state == "Z" or (start is not None and said.get("start") is not None and start != said["start"])


def _myself() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": socket.gethostname(), "boot": _boot(), "space": _space(), "pid": pid, "start": _process(pid)[1]}


@functools.cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _space() -> str:
    """The system's name for the numbering of processes that this one sees: containers have their own."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _process(pid: int) -> tuple[str, str | None]:
    """A process's state, and when it started, in the system's own terms; "" and None where that cannot be known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return "", None
