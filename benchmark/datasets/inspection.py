"""Looking into every clip of a dataset, in worker processes; what was found is kept, so that a long look can go on.

Results lie in the cache folder, one line of JSON per clip with the signature of its files: a clip that has not changed
is not looked into twice. Deleting the folder is always safe.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from benchmark.files import hash_value
from benchmark.processes import follow_parent, worker_pool
from benchmark.specs import Clip, DatasetLayout, ReportProgress
from benchmark.video.cache import cache_folder
from benchmark.video.clip import FrameReader, UnreadableClip
from benchmark.video.frames import open_clip

# Clips that a worker takes at once: few, because what it has not handed back is lost when the command is interrupted.
BATCH = 8
DIED = (
    "a worker process died while it read clips, for lack of memory or in the video decoder; nothing finished is lost: "
    "run the same command again, with a smaller --workers"
)

# Called in a worker with an opened clip and its path; the result goes to a JSON file. Raises UnreadableClip.
Inspect = Callable[[FrameReader, Path], Any]


@dataclass(frozen=True)
class Finding:
    """What was found in a clip, or the fault that makes it unreadable."""

    value: Any = None
    fault: str | None = None


@dataclass(frozen=True)
class _Outcome:
    """A worker's answer; `signature` is None for a faulty clip, `changed` is False where the kept value still holds."""

    path: str
    signature: str | None = None
    changed: bool = True
    value: Any = None
    fault: str | None = None


def present_sources(layout: DatasetLayout, clips: Sequence[Clip], root: Path) -> tuple[str, ...]:
    """The frame sources in which any clip has frames; others were not downloaded."""
    return tuple(name for name in layout.frame_sources if any((root / clip.frames[name]).exists() for clip in clips))


def inspect_clips(
    root: Path, paths: Sequence[str], inspect: Inspect, kind: str, workers: int, report: ReportProgress
) -> dict[str, Finding]:
    """What `inspect` finds in each of `paths`, which are relative to `root`.

    kind: names what `inspect` computes; another name, and nothing that was kept before is used. Faults are not kept:
    they are few, and a fault of the disk may be gone the next time.
    """
    paths = list(dict.fromkeys(paths))
    log = _Log(cache_folder() / "inspections" / f"{hash_value([kind, str(root.resolve())])}.jsonl")
    jobs = [(path, log.kept[path][0] if path in log.kept else None) for path in paths]
    findings: dict[str, Finding] = {}
    with contextlib.closing(_outcomes(root, jobs, inspect, workers)) as outcomes, log:
        for outcome in outcomes:
            if outcome.fault is not None or outcome.signature is None:
                findings[outcome.path] = Finding(fault=outcome.fault)
            elif outcome.changed:
                findings[outcome.path] = Finding(outcome.value)
                log.append(outcome.path, outcome.signature, outcome.value)
            else:
                findings[outcome.path] = Finding(log.kept[outcome.path][1])
            report(len(findings), len(paths))
    return findings


class _Log:
    """The file of results: read when made, then appended to. `kept` is signature and value by path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None
        self.kept: dict[str, tuple[str, Any]] = {}
        with contextlib.suppress(OSError):
            for line in path.read_bytes().splitlines():
                # A kill leaves half a line.
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    entry = json.loads(line)
                    self.kept[entry["path"]] = (entry["signature"], entry["value"])

    def __enter__(self) -> _Log:
        # Without a writable cache the work is done again the next time; that is no reason to stop.
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._path, "ab")
            # Ends a half-written line, so that the next one stands on its own; empty lines are skipped in reading.
            self._file.write(b"\n")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def append(self, path: str, signature: str, value: Any) -> None:
        """Add one result and hand it to the system, where it survives a kill of this process."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                line = json.dumps({"path": path, "signature": signature, "value": value})
                self._file.write(line.encode() + b"\n")
                self._file.flush()


_Job = tuple[str, str | None]


def _outcomes(root: Path, jobs: Sequence[_Job], inspect: Inspect, workers: int) -> Generator[_Outcome, None, None]:
    """The outcome of every job, in any order, as it is there."""
    batches = [jobs[first : first + BATCH] for first in range(0, len(jobs), BATCH)]
    workers = min(workers, len(batches))
    if workers <= 1:
        for job in jobs:
            yield _look(root, job, inspect)
        return
    with worker_pool(workers, _start_worker, died=DIED) as pool:
        for future in as_completed([pool.submit(_look_at_batch, root, batch, inspect) for batch in batches]):
            yield from future.result()


def _start_worker() -> None:
    follow_parent()
    cv2.setNumThreads(1)


def _look_at_batch(root: Path, jobs: Sequence[_Job], inspect: Inspect) -> list[_Outcome]:
    return [_look(root, job, inspect) for job in jobs]


def _look(root: Path, job: _Job, inspect: Inspect) -> _Outcome:
    name, kept = job
    path = root / name
    try:
        reader = open_clip(path)
        # Taken before reading: a file that changes meanwhile will not match the next time.
        signature = hashlib.sha256(reader.signature(thorough=True).encode(errors="surrogateescape")).hexdigest()
        if signature == kept:
            return _Outcome(name, signature, changed=False)
        return _Outcome(name, signature, value=inspect(reader, path))
    except UnreadableClip as error:
        return _Outcome(name, fault=str(error))
    except (OSError, cv2.error) as error:
        return _Outcome(name, fault=f"{path}: cannot be read: {error}")
