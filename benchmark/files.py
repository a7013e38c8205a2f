"""Writing files so that a kill leaves the old one or the new one, and hashing values and files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmark.errors import IntegrityError

# Of files that are read as a whole: lists, records and protocols are far below, and what is above is no such file.
MOST_BYTES, MOST_YAML = 256 * 2**20, 2**18


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, flush it to disk and rename it over `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        with contextlib.suppress(OSError):
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
        raise IntegrityError(f"{path}: is not a regular file")
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


def read_json(path: Path, links: bool = True) -> Any:
    """The JSON value in `path`."""
    return json.loads(read_bounded(path, links=links).decode("utf-8"))


def read_yaml(path: Path, links: bool = True) -> Any:
    """The YAML value in `path`, see `parse_yaml`; yaml.YAMLError or UnicodeDecodeError for what is none."""
    return parse_yaml(read_bounded(path, MOST_YAML, links).decode("utf-8"))


def parse_yaml(text: str) -> Any:
    """A YAML value of plain data; an alias (`*name`) is an error, because a few of them make gigabytes."""
    return yaml.load(text, Loader=_PlainLoader)


class _PlainLoader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.constructor.ConstructorError(
                None, None, f"aliases are not read; write out what *{event.anchor} stands for", event.start_mark
            )
        return super().compose_node(parent, index)


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
