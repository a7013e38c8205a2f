"""Write a made-up dataset in DFEW's distributed tree: same folders, same lists, invented faces."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import openpyxl

from benchmark.datasets.synthetic import MARKER
from benchmark.datasets.synthetic.emotions import EMOTIONS, perform
from benchmark.datasets.synthetic.labels import (
    FOLDS,
    Feeling,
    draw_feeling,
    planned_counts,
    stratified_folds,
)
from benchmark.datasets.synthetic.scenes import SCENE_HEIGHT, SCENE_WIDTH, film
from benchmark.errors import UsageError
from benchmark.specs import ReportProgress

GENERATOR = 1  # raise it whenever the same seed starts to give other bytes
INTERPOLATED = 16

# DFEW's usable single-labelled clips per class, and how many more are in the folders but have no majority.
_SHARES = {
    "happy": 2445,
    "sad": 1894,
    "neutral": 2669,
    "angry": 2173,
    "surprise": 1469,
    "disgust": 145,
    "fear": 902,
}
_UNLABELLED = 0.03
_SHORT_EVERY = 25  # one clip in so many has fewer frames than the 16 that most methods ask for
_FRAMES_PER_SECOND = 25
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 88]
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class _ClipPlan:
    """All that a worker needs to make one clip; `label` is None for a clip without a majority."""

    id: int
    label: str | None
    seed: int


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic DFEW with `clips` single-labelled clips to the folder `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, or when
    `clips` is too small to give every fold a clip of every class, or `seed` is negative.
    """
    if seed < 0:
        raise UsageError(f"The seed of a synthetic dataset cannot be negative, but is {seed}. Use 0 or more.")
    out = Path(out).absolute()
    _refuse_occupied(out)
    plans = _plan(clips, seed)
    _remove_abandoned(out)
    unfinished = out.with_name(f".{out.name}.unfinished-{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:
        feelings: dict[int, Feeling] = {}
        for done, (clip, feeling) in enumerate(_make_clips(plans, unfinished, workers), start=1):
            feelings[clip] = feeling
            report(done, len(plans))
        _write_annotation(unfinished / "Annotation" / "annotation.xlsx", feelings)
        labels = {plan.id: plan.label for plan in plans if plan.label is not None}
        _write_lists(unfinished / "EmoLabel_DataSplit", labels, stratified_folds(labels, _rng(seed, 0, 1)))
        _write_marker(unfinished / MARKER, clips, seed)
        _refuse_occupied(out)
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _remove_abandoned(out: Path) -> None:
    """Delete what a killed process left half done beside `out`."""
    for path in out.parent.glob(f".{out.name}.unfinished-*"):
        try:
            os.kill(int(path.name.rpartition("-")[2]), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
        except PermissionError:
            continue


def _refuse_occupied(out: Path) -> None:
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} exists and is not an empty folder. Choose another target or move it away first.")


def _rng(*key: int) -> np.random.Generator:
    """A generator of its own for every key; clip ids start at 1, so key 0 is free for the plan."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(key))))


def _plan(clips: int, seed: int) -> list[_ClipPlan]:
    labels: list[str | None] = [name for name, n in planned_counts(clips, _SHARES).items() for _ in range(n)]
    labels += [None] * max(1, round(_UNLABELLED * clips))
    order = _rng(seed, 0, 0).permutation(len(labels))
    return [_ClipPlan(number, labels[which], seed) for number, which in enumerate(order, start=1)]


def _make_clips(plans: list[_ClipPlan], root: Path, workers: int | None) -> Iterator[tuple[int, Feeling]]:
    """Make all clips, in any order; yields each clip's id and votes as it is finished."""
    workers = min(workers or os.cpu_count() or 1, len(plans))
    if workers == 1:
        yield from (_make_clip(plan, root) for plan in plans)
        return
    # Spawned, not forked: the caller may hold threads of torch or of OpenCV.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,))
    try:
        for future in as_completed([pool.submit(_make_clip, plan, root) for plan in plans]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _make_clip(plan: _ClipPlan, root: Path) -> tuple[int, Feeling]:
    """Write one clip in its three forms: the scene's video, the face crops, and sixteen interpolated crops."""
    rng = _rng(plan.seed, plan.id)
    feeling = draw_feeling(plan.label, rng)
    short = plan.id % _SHORT_EVERY == 0
    frames = int(rng.integers(11, 16)) if short else 16 + int(rng.gamma(2.0, 4.2))
    scenes, crops = film(perform(feeling.mixture, frames, rng), rng)
    _write_video(root / "Clip" / "original" / f"{plan.id}.mp4", scenes)
    _write_frames(root / "Clip" / "clip_224x224" / f"{plan.id:05d}", crops)
    _write_frames(root / "Clip" / "clip_224x224_16f" / f"{plan.id:05d}", _interpolate(crops, INTERPOLATED))
    return plan.id, feeling


def _interpolate(frames: list[np.ndarray], length: int) -> list[np.ndarray]:
    """Resample a clip to `length` frames, linearly in time."""
    resampled = []
    for position in np.linspace(0, len(frames) - 1, length):
        before = int(position)
        after, share = min(before + 1, len(frames) - 1), position - before
        resampled.append(cv2.addWeighted(frames[before], 1 - share, frames[after], share, 0))
    return resampled


def _write_frames(folder: Path, frames: list[np.ndarray]) -> None:
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        encoded, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), _JPEG)
        if not encoded:
            raise OSError(f"OpenCV could not encode frame {number} of {folder}")
        # Written by Python, because cv2.imwrite reports a full disk only by a return value.
        (folder / f"{folder.name}_{number:05d}.jpg").write_bytes(data.tobytes())


def _write_video(path: Path, frames: list[np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), codec, _FRAMES_PER_SECOND, (SCENE_WIDTH, SCENE_HEIGHT))
    if not writer.isOpened():
        raise OSError(f"OpenCV could not open {path} for writing MPEG-4 video")
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()


def _write_annotation(path: Path, feelings: Mapping[int, Feeling]) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.append([f"{index}{name}" for index, name in enumerate(EMOTIONS, start=1)] + ["order", "label"])
    for clip, feeling in sorted(feelings.items()):
        sheet.append([*feeling.votes, clip, _index(feeling.label)])
    written = io.BytesIO()
    workbook.save(written)
    path.parent.mkdir(parents=True)
    path.write_bytes(_without_dates(written))


def _without_dates(workbook: io.BytesIO) -> bytes:
    """The same workbook with all its dates at the zip format's epoch: openpyxl stamps the current time on saving."""
    fixed = io.BytesIO()
    with zipfile.ZipFile(workbook) as source, zipfile.ZipFile(fixed, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", data)
            target.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), data, zipfile.ZIP_DEFLATED)
    return fixed.getvalue()


def _index(label: str | None) -> int:
    """DFEW's label number: 1..7, and 0 for a clip without a majority."""
    return 0 if label is None else EMOTIONS.index(label) + 1


def _write_lists(folder: Path, labels: Mapping[int, str], folds: Mapping[int, int]) -> None:
    for fold in range(1, FOLDS + 1):
        parts = {
            "train(single-labeled)": [clip for clip in sorted(labels) if folds[clip] != fold],
            "test(single-labeled)": [clip for clip in sorted(labels) if folds[clip] == fold],
        }
        for part, members in parts.items():
            path = folder / part / f"set_{fold}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="", encoding="utf-8") as file:
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(["video_name", "label"])
                rows.writerows([clip, _index(labels[clip])] for clip in members)


def _write_marker(path: Path, clips: int, seed: int) -> None:
    marker = {"dataset": "dfew", "generator": GENERATOR, "seed": seed, "clips": clips}
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(marker) + "\n")
        file.flush()
        os.fsync(file.fileno())
