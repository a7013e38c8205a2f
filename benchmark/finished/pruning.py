"""What finished work can do without: found, and removed.

Needed is what records name, by SHA-256, and what predicting, reproducing and later runs read. Not needed are the
checkpoint of a last epoch that was not selected, work that was started over, and what killed processes left half
written. Nothing is rewritten, so that every hash stays true.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import IntegrityError
from benchmark.files import hash_file, read_text
from benchmark.locks import Busy, exclusive
from benchmark.specs import ReportProgress
from benchmark.units import pretraining, state
from benchmark.units.identity import REPLACED
from benchmark.units.state_file import stored

STATES = (state.STATE, pretraining.STATE)
# Files of weights, and what a checkpoint of the last epoch is called; a record may name any of the former.
WEIGHTS, LAST = (".pth", ".safetensors"), "last.pth"
# Seconds to wait for a folder that somebody holds: enough to see that a holder is dead.
PATIENCE = 0.5
_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")


@dataclass(frozen=True)
class Unneeded:
    """A file or folder that can go, why, and how many bytes that frees."""

    path: Path
    why: str
    bytes: int


@dataclass(frozen=True)
class Pruned:
    """What was removed (or would be), and what was left, each with the reason."""

    removed: tuple[Unneeded, ...]
    left: tuple[tuple[Path, str], ...]

    @property
    def bytes(self) -> int:
        """How many bytes it frees."""
        return sum(each.bytes for each in self.removed)


def prune_below(places: Sequence[Path], naming: Iterable[Path], dry: bool, report: ReportProgress) -> Pruned:
    """Remove what the work below `places` can do without; killed, it has removed some of it and can be repeated.

    naming: records and states, whose SHA-256 say what is needed. dry: nothing is removed.
    """
    folders = sorted({path.parent for place in places for name in STATES for path in place.rglob(name)})
    living = {path for path in naming if not _is_replaced(path.parent)}
    needed = {found for path in living for found in _SHA256.findall(read_text(path))}
    here = {sha256 for folder in folders if not _is_replaced(folder) for sha256 in _made_by(folder)}
    removed: list[Unneeded] = []
    left: list[tuple[Path, str]] = []
    for done, folder in enumerate(folders):
        report(done, len(folders))
        try:
            with exclusive(folder, PATIENCE):
                replaced = _is_replaced(folder)
                for each in _of_replaced(folder, needed - here) if replaced else _of_work(folder, needed):
                    removed.append(each)
                    if not dry:
                        _remove(each.path)
        except Busy:
            left.append((folder, "another process is at work there"))
        except IntegrityError as error:
            left.append((folder, str(error)))
    for half in sorted({path for place in places for path in place.rglob(f"{REPLACED}/.*.tmp")}):
        removed.append(Unneeded(half, "half removed", _size(half)))
        if not dry:
            _remove(half)
    report(len(folders), len(folders))
    return Pruned(tuple(removed), tuple(left))


def _made_by(folder: Path) -> Iterator[str]:
    """The SHA-256 of the weights that living work says it holds."""
    with contextlib.suppress(IntegrityError):
        if (unit := state.read_state(folder)) is not None and unit.selected and unit.unit.source is None:
            yield unit.selected.sha256
        other = stored(folder / pretraining.STATE, pretraining.PretrainingState, "pre-training")
        if other is not None and other.weights:
            yield other.weights


def _is_replaced(folder: Path) -> bool:
    return folder.parent.name == REPLACED


def _of_work(folder: Path, needed: set[str]) -> Iterator[Unneeded]:
    """Of a unit or a pre-training."""
    for path in sorted(folder.rglob(".*.tmp")):
        yield Unneeded(path, "half written", _size(path))
    last = folder / state.CHECKPOINTS / LAST
    # Of two names of one file, taking one away frees nothing.
    if _finished(folder) and last.is_file() and last.stat().st_nlink == 1 and hash_file(last) not in needed:
        yield Unneeded(last, "the last epoch, which was not selected", _size(last))


def _finished(folder: Path) -> bool:
    if (unit := state.read_state(folder)) is not None:
        return state.is_done(folder, unit)
    other = stored(folder / pretraining.STATE, pretraining.PretrainingState, "pre-training")
    return other is not None and pretraining.is_done(folder, other)


def _of_replaced(folder: Path, needed: set[str]) -> Iterator[Unneeded]:
    """Work that was started over, unless it holds weights that are named: then somebody may want to see them."""
    named = next((path for path in _weights_in(folder) if hash_file(path) in needed), None)
    if named is not None:
        raise IntegrityError(f"a record names {named.relative_to(folder)}")
    yield Unneeded(folder, "was started over", _size(folder))


def _weights_in(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix in WEIGHTS and path.is_file())


def _size(path: Path) -> int:
    """Bytes that go with a file or folder; a file with another name elsewhere stays."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(found.st_size for found in map(os.lstat, files) if found.st_nlink == 1)


def _remove(path: Path) -> None:
    """Remove a file, or a folder such that a kill leaves it whole or under a name that says it is half removed."""
    if path.is_dir():
        half = path if path.name.startswith(".") else path.with_name(f".{path.name}.tmp")
        path.rename(half)
        shutil.rmtree(half)
    else:
        path.unlink(missing_ok=True)
