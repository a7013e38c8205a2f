"""Opaque names: what training and prediction call a clip, whose id or path may hold its label.

Clip ids of FERV39k, AFEW and CAER are paths like `Action/Happy/0267`, and everything that a plugin sees of a clip has
its name. In a unit's split files clips have random names instead, drawn anew for every attempt; which clip is meant is
known to the code that reads frames and to the code that writes predictions.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.files import read_json, write_json

NAMES = "names.json"

Row = dict[str, Any]


@dataclass(frozen=True)
class Names:
    """What opaque names stand for: the clip's id, and its path relative to its dataset's root."""

    clips: Mapping[str, tuple[str, str]]

    def id_of(self, name: str) -> str:
        """The id of what is called `name`: a clip, or a window or frame of one (`<name>/<which>`)."""
        clip, slash, which = name.partition("/")
        return f"{self.clips[clip][0]}{slash}{which}"

    def path_of(self, name: str) -> str:
        """The path of the clip that `name` is, or is a part of."""
        return self.clips[name.partition("/")[0]][1]


def hide(splits: Mapping[str, Sequence[Row]]) -> tuple[dict[str, list[Row]], Names]:
    """The rows of split files with opaque names and without paths; a clip has one name wherever it is listed."""
    drawn: dict[tuple[str, str], str] = {}
    hidden: dict[str, list[Row]] = {}
    for split, rows in splits.items():
        hidden[split] = []
        for row in rows:
            clip, slash, which = row["clip_id"].rpartition("/") if "window" in row else (row["clip_id"], "", "")
            name = drawn.setdefault((clip, row["path"]), secrets.token_hex(8))
            kept = {key: value for key, value in row.items() if key != "path"}
            hidden[split].append({**kept, "clip_id": f"{name}{slash}{which}"})
    return hidden, Names({name: clip for clip, name in drawn.items()})


def write_names(folder: Path, names: Names) -> None:
    """Write what the names in a folder's split files stand for."""
    write_json(folder / NAMES, names.clips)


def read_names(folder: Path) -> Names | None:
    """What the names in a folder's split files stand for; None for files whose names are no secret.

    Read once: while a plugin's code runs, the file is closed to everybody in the process (see `benchmark.units.guard`).
    """
    path = folder / NAMES
    if not path.is_file():
        return None
    status = path.stat()
    return _read(path, status.st_ino, status.st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _read(path: Path, inode: int, changed: int) -> Names:
    return Names({name: (clip, frames) for name, (clip, frames) in read_json(path).items()})
