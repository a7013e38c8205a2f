"""Faults of a file system, without a file system that has them: the functions that Python asks it through refuse."""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import threading
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Faults:
    """Errors for whoever writes below `folder`, beginning after `spared` writes; `remove` ends them.

    Errors of reading are raised for whoever opens a file there to read it.
    """

    def __init__(self, monkeypatch: Any, folder: Path) -> None:
        self.patch = monkeypatch
        self.folder = os.path.realpath(folder)
        self.spared = 0
        # Watchers in other threads are not what is tested.
        self.thread = threading.get_ident()

    def remove(self) -> None:
        """Be sound again."""
        self.patch.undo()

    def writing_fails(self, number: int, spared: int = 0) -> None:
        """Every way to write fails with this number."""
        self.spared = spared
        self._open(number, writing=True)
        for name in ("mkdir", "replace", "rename", "link", "truncate", "utime", "chmod"):
            self._path(name, number)
        # A full disk still lets go of files.
        if number in (errno.EROFS, errno.EACCES):
            self._path("unlink", number)

    def reading_fails(self, number: int) -> None:
        """Opening a file to read it fails with this number."""
        self._open(number, writing=False)

    def no_locks(self) -> None:
        """As on NFS without a lock daemon."""

        def refuse(*_: Any) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        self.patch.setattr(fcntl, "flock", refuse)

    def locks_on_this_machine_only(self) -> None:
        """As on Lustre with `localflock`: every process gets the lock, as if each were on a machine of its own."""
        self.patch.setattr(fcntl, "flock", lambda *_: None)

    def no_fsync(self) -> None:
        """As on many file systems in user space."""

        def refuse(*_: Any) -> None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

        self.patch.setattr(os, "fsync", refuse)

    def _refuse(self, path: Any, number: int) -> None:
        if not isinstance(path, (str, os.PathLike)) or threading.get_ident() != self.thread:
            return
        if not os.path.abspath(path).startswith(self.folder):
            return
        self.spared -= 1
        if self.spared < 0:
            raise OSError(number, os.strerror(number), os.fspath(path))

    def _open(self, number: int, writing: bool) -> None:
        plain_open, plain_os_open = io.open, os.open

        def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if bool(set(mode) & set("wax+")) == writing:
                self._refuse(file, number)
            return plain_open(file, mode, *arguments, **options)

        def os_opened(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
            if bool(flags & WRITING) == writing and not flags & os.O_DIRECTORY:
                self._refuse(path, number)
            return plain_os_open(path, flags, *arguments, **options)

        self.patch.setattr(builtins, "open", opened)
        self.patch.setattr(io, "open", opened)
        self.patch.setattr(os, "open", os_opened)

    def _path(self, name: str, number: int) -> None:
        plain = getattr(os, name)

        def called(path: Any, *arguments: Any, **options: Any) -> Any:
            self._refuse(path, number)
            return plain(path, *arguments, **options)

        self.patch.setattr(os, name, called)
