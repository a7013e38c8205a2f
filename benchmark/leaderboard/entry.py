"""An entry of the leaderboard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from benchmark.records import Record


@dataclass(frozen=True)
class Entry:
    """A record that was accepted; `path` is its folder, relative to the leaderboard's.

    joined: whether whoever published it had the labels, and recomputed every score from them.
    """

    path: PurePosixPath
    record: Record
    joined: bool = False
