"""Looking into clips in worker processes: results are kept, and an interruption loses little and ends at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmark.datasets.inspection import inspect_clips
from benchmark.errors import EnvironmentProblem
from benchmark.video.frames import UnreadableClip


def quiet(done: int, total: int) -> None:
    pass


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty clips of one frame, and an empty cache."""
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
    for clip in range(20):
        folder = tmp_path / "data" / f"{clip:02d}"
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "1.jpg"), np.full((8, 8, 3), clip, np.uint8))
    return tmp_path / "data"


PATHS = [f"{clip:02d}" for clip in range(20)]


def counted(looked: list[str]):
    def inspect(reader, path):
        looked.append(path.name)
        return reader.count

    return inspect


def look(root: Path, inspect=None, paths=PATHS, report=quiet, workers=1) -> tuple[dict, list[str]]:
    looked: list[str] = []
    return inspect_clips(root, paths, inspect or counted(looked), "test", workers, report), looked


def kept_file(root: Path) -> Path:
    return next((root.parent / "cache").rglob("*.jsonl"))


def test_an_unchanged_clip_is_looked_into_once(root):
    first, looked = look(root)
    again, looked_again = look(root)
    assert (len(looked), looked_again) == (20, [])
    assert again == first


def test_a_changed_clip_is_looked_into_again(root):
    look(root)
    cv2.imwrite(str(root / "03/2.jpg"), np.zeros((8, 8, 3), np.uint8))
    findings, looked = look(root)
    assert looked == ["03"]
    assert findings["03"].value == 2


def test_an_interrupted_look_goes_on_where_it_was(root):
    def interrupt(done: int, total: int) -> None:
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(root, report=interrupt)
    findings, looked = look(root)
    assert looked == PATHS[12:]
    assert len(findings) == 20


def test_a_half_written_line_costs_that_clip_and_no_other(root):
    look(root)
    file = kept_file(root)
    file.write_bytes(file.read_bytes()[:-9])
    assert look(root)[1] == ["19"]
    assert look(root)[1] == []


@pytest.mark.parametrize(
    "line", [b"[]", b"3", b"null", b'{"path": 1}', b"\xff\xfe", b'{"path": [], "signature": 1, "value": 2}']
)
def test_a_foreign_line_is_ignored(root, line):
    look(root)
    with open(kept_file(root), "ab") as file:
        file.write(line + b"\n")
    assert look(root)[1] == []


def test_results_of_another_kind_are_not_mixed_up(root):
    look(root)
    looked: list[str] = []
    inspect_clips(root, PATHS, counted(looked), "another", 1, quiet)
    assert len(looked) == 20


def test_a_cache_that_cannot_be_written_costs_only_speed(root):
    (root.parent / "cache").write_text("a file where the folder should be")
    findings, looked = look(root)
    assert len(looked) == len(findings) == 20


def test_a_fault_is_reported_and_looked_for_again(root):
    def inspect(reader, path):
        raise UnreadableClip(f"{path}: broken")

    findings, _ = look(root, inspect)
    assert findings["07"].fault == f"{root / '07'}: broken"
    assert len(look(root)[1]) == 20


def test_a_missing_clip_is_a_fault(root):
    findings, _ = look(root, paths=["00", "none"])
    assert findings["00"].fault is None
    assert "none: no such folder" in findings["none"].fault


def test_a_file_that_the_system_refuses_is_a_fault(root):
    def inspect(reader, path):
        raise PermissionError(13, "Permission denied", str(path))

    findings, _ = look(root, inspect)
    assert "cannot be read" in findings["00"].fault
    assert "Permission denied" in findings["00"].fault


def frame_count(reader, path):
    return reader.count


def look_for_ever(reader, path):
    path.with_suffix(".begun").touch()
    signal.pause()


def die(reader, path):
    os._exit(1)


def test_workers_find_the_same_as_one_process(root):
    parallel, _ = look(root, frame_count, workers=2)
    kept_file(root).unlink()
    assert parallel == look(root, frame_count)[0]


def test_an_interrupt_ends_the_workers_at_once(root, monkeypatch):
    """Workers that would never end by themselves are at work when the interrupt comes, and are killed."""
    workers: list[multiprocessing.process.BaseProcess] = []

    def interrupt(*_: object):
        while len(list(root.glob("*.begun"))) < 2:
            time.sleep(0.01)
        workers.extend(multiprocessing.active_children())
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmark.datasets.inspection.as_completed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        look(root, look_for_ever, workers=2)
    # The pool's own thread waits for them as well; to the one that comes second a worker looks alive for a moment.
    deadline = time.monotonic() + 120
    while None in (ended := [worker.exitcode for worker in workers]) and time.monotonic() < deadline:
        time.sleep(0.01)
    for worker in workers:  # those that were left
        worker.kill()
    assert ended == [-signal.SIGKILL] * 2


def test_a_worker_that_dies_is_reported_with_what_to_do(root):
    with pytest.raises(EnvironmentProblem, match="smaller --workers"):
        look(root, die, workers=2)
