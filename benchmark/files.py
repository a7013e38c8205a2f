"""Files: which ones count, reading them, writing them so that a kill leaves the old one or the new one, hashing."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError, IntegrityError

# Of files that are read as a whole: lists, records and protocols are far below, and what is above is no such file.
MOST_BYTES = 256 * 2**20
# Some network and user-space file systems have no fsync, and some no modes; what they do not offer is done without.
_NOT_OFFERED = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM}
# Written to find out why a library could not write.
_PROBE = bytes(1 << 20)
# What systems leave behind in folders that they show or copy, beside names that begin with a dot.
_CLUTTER = ("thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "__macosx", "#recycle", "$recycle.bin")

# What must be checked before a file below a folder is replaced.
_guards: dict[Path, Callable[[], None]] = {}


def is_clutter(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or a system's own: nobody's data, wherever it lies."""
    return name.startswith(".") or name.lower() in _CLUTTER


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, flush it to disk and rename it over `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _naming(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        try:
            yield temporary
        except Exception as error:
            _tell_why(temporary, path, error)
            raise
        with _where_offered():
            os.chmod(temporary, 0o644)
        with _naming(path), open(temporary, "rb+") as file:
            sync(file.fileno())
        check_guards(path)
        os.replace(temporary, path)
        with contextlib.suppress(OSError):
            sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def guarding(folder: Path, check: Callable[[], None]) -> Iterator[None]:
    """In the block, call `check` before any file below `folder` is replaced; it raises where that must not happen."""
    _guards[folder] = check
    try:
        yield
    finally:
        del _guards[folder]


def check_guards(path: Path) -> None:
    """Call the check of every guarded folder above `path`."""
    for folder, check in list(_guards.items()):
        if Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder)):
            check()


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        sync(handle)
    finally:
        os.close(handle)


def sync(handle: int) -> None:
    """Have an open file reach the disk, where the file system offers that."""
    with _where_offered():
        os.fsync(handle)


def remove_leftovers(folder: Path) -> None:
    """Delete what a killed process left half written in `folder` and below; nobody else may be writing there."""
    for path in folder.rglob(".*.tmp"):
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def _where_offered() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of the system name the file that was to be written, where they name none or the temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, os.strerror(error.errno), str(path)) from error


def _tell_why(temporary: Path, path: Path, error: Exception) -> None:
    """Raise the system's own error where writing failed and a library says something else, or nothing, of the reason.

    torch and safetensors report a full disk as errors of their own, NumPy as an OSError without a number.
    """
    if isinstance(error, BenchmarkError):
        return
    with _naming(path):
        if isinstance(error, OSError) and error.errno is not None:
            if error.filename is None:
                raise error
            return
        with open(temporary, "ab") as file:
            file.write(_PROBE)
            file.flush()
            sync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def check_regular(path: Path) -> int:
    """The size of a file in bytes, without opening it.

    Raises IntegrityError for a device, a pipe or a folder, which have no end, and for a large file that was never
    written: `FileNotFoundError` and other errors of the system are passed on.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        kind = "folder" if stat.S_ISDIR(found.st_mode) else "device or a pipe, not a regular file"
        raise IntegrityError(f"{path}: is a {kind}, where a file should be")
    if found.st_size > 64 * 2**20 and found.st_blocks * 512 < found.st_size // 8:
        raise IntegrityError(f"{path}: most of its {found.st_size} bytes were never written; a download may have ended")
    return found.st_size


def read_bounded(path: Path, most: int = MOST_BYTES, links: bool = True) -> bytes:
    """The bytes of a regular file of at most `most` bytes; IntegrityError for any other.

    links: whether it may be a symbolic link. What strangers send may not: it could lead to any file of this machine.
    """
    if not links and path.is_symlink():
        raise IntegrityError(f"{path}: is a symbolic link; only regular files are read here")
    size = check_regular(path)
    if size > most:
        raise IntegrityError(f"{path}: has {size} bytes; files of this kind are read up to {most}")
    with open(path, "rb") as file:
        return file.read(most)


def read_text(path: Path, links: bool = True, most: int = MOST_BYTES) -> str:
    """The UTF-8 text in `path`; IntegrityError for anything else that may lie there: a folder, a device, bytes."""
    try:
        return read_bounded(path, most, links).decode("utf-8")
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}") from error


def read_json(path: Path, links: bool = True) -> Any:
    """The JSON value in `path`; IntegrityError where there is none."""
    try:
        return json.loads(read_text(path, links))
    except RecursionError as error:
        raise IntegrityError(f"{path}: is nested too deeply") from error
    except ValueError as error:
        raise IntegrityError(f"{path}: is not JSON: {error}") from error


def canonical_json(value: Any) -> str:
    """One spelling for one value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def hash_value(value: Any) -> str:
    """SHA-256, in hex, of a JSON value's canonical form."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256, in hex, of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
