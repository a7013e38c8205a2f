"""Annotation files are closed while a plugin's code runs: opening one is refused, and leaves a trace.

What it proves: no Python code of a plugin, by accident or with `open`, read a label of the test split through the
dataset's lists or the names of clips in the process that trained or predicted, its data loaders included; a plugin that
catches the refusal still fails its unit. What it does not prove: it is no sandbox. Code in C that opens files itself, a
program that the plugin starts, a search through this process's memory, or a plugin that carries labels in its own files
or weights, are not seen. For that there is reading the plugin, and training it again.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmark.errors import IntegrityError

# One line for each refusal, in the folder of the unit.
TRACE = "refused.txt"


class Guard:
    """Files that may not be opened, told apart by what they are and not by their names: a link to one is one."""

    def __init__(self, files: Iterable[Path], folder: Path) -> None:
        status = [(path, path.stat()) for path in files if path.is_file()]
        self.files = {(each.st_dev, each.st_ino): path for path, each in status}
        self.trace = folder / TRACE

    def check(self, path: Any) -> None:
        """Refuse to open `path` if it is one of the files."""
        try:
            found = os.stat(path)
        except (OSError, ValueError, TypeError):
            return
        closed = self.files.get((found.st_dev, found.st_ino))
        if closed is None:
            return
        with open(self.trace, "a", encoding="utf-8") as file:
            file.write(f"{closed}\n")
        raise IntegrityError(f"{closed}: holds labels or names of clips, and may not be opened by what is trained")


_guard: Guard | None = None
_installed = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _guard is not None:
        _guard.check(arguments[0])


@contextlib.contextmanager
def closed(files: Iterable[Path], folder: Path) -> Iterator[None]:
    """Close `files` to this process, and to those that it forks, until the block ends.

    folder: where the trace is left. Raises IntegrityError in the end if one was opened, whatever became of the refusal.
    """
    global _guard, _installed
    check_trace(folder)
    if not _installed:
        # There is no way to remove an audit hook again, so there is one, which mostly has nothing to do.
        sys.addaudithook(_watch)
        _installed = True
    _guard = Guard(files, folder)
    try:
        yield
    finally:
        _guard = None
        check_trace(folder)


def check_trace(folder: Path) -> None:
    """Raise IntegrityError if what lies in `folder` was made by code that tried to open a closed file."""
    trace = folder / TRACE
    if trace.is_file():
        opened = trace.read_text(encoding="utf-8").partition("\n")[0]
        raise IntegrityError(
            f"{folder}: a plugin tried to open {opened or 'a closed file'}, which holds labels or names of clips; "
            "nothing made there is used: mend the plugin and delete that folder to start again"
        )
