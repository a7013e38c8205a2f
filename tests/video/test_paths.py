"""Every way from a clip to a model reads the same frames: run, cache, check, audit, predict, pretrain."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.datasets import similarity
from benchmark.datasets.check import Report, check_dataset
from benchmark.datasets.inspection import inspect_clips
from benchmark.datasets.layouts.table import LAYOUT as TABLE
from benchmark.datasets.similarity import KIND, hash_clip
from benchmark.planning.pretraining_sources import videos
from benchmark.training.adapter import import_mmaction
from benchmark.video import videos as video_files
from benchmark.video.sampling import sample_frames
from tests.video.drawing import draw, number_of, numbers
from tests.video.test_folders import RESOURCE_FORK, encode, frames

import_mmaction()

from benchmark.training.data import ReadFrames  # noqa: E402
from benchmark.training.prediction import sliding  # noqa: E402

FRAMES = 24


def mac(folder: Path) -> Path:
    (frames(folder) / "._00001.jpg").write_bytes(RESOURCE_FORK)
    return folder


def padded(folder: Path) -> Path:
    for path in frames(folder).iterdir():
        path.write_bytes(path.read_bytes() + bytes(200))
    return folder


CLIPS: dict[str, Callable[[Path], Path]] = {
    "b-frames.avi": lambda path: draw(path, "MPEG-4", FRAMES, 2),
    "b-frames.mp4": lambda path: draw(path, "MPEG-4", FRAMES, 2),
    "h264.avi": lambda path: draw(path, "H.264", FRAMES, 3),
    "h264.m4v.mp4": lambda path: draw(path, "H.264", FRAMES, 3, gop=250),
    "hevc.mkv": lambda path: draw(path, "HEVC", FRAMES, 2),
    "mpeg2.mpg": lambda path: draw(path, "MPEG-2", FRAMES, 2),
    "late.ts": lambda path: draw(path, "H.264", FRAMES, 3, gop=250),
    "vp9.webm": lambda path: draw(path, "VP9", FRAMES),
    "uneven.mp4": lambda path: draw(path, "H.264", FRAMES, times=[n * n for n in range(FRAMES)]),
    "unpadded": lambda path: frames(path, "{}.jpg"),
    "prefixed": lambda path: frames(path, "frame{}.jpg"),
    "mac": mac,
    "tails": padded,
    "png": lambda path: frames(path, "{:05d}.png"),
    "webp": lambda path: frames(path, "{}.webp"),
    "bmp": lambda path: frames(path, "{}.bmp"),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """A dataset of one's own clips, of every odd kind."""
    root = tmp_path_factory.mktemp("data") / "table"
    (root / "clips").mkdir(parents=True)
    with open(root / "clips.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip_id", "path", "label", "votes_happy"])
        for name, make in CLIPS.items():
            make(root / "clips" / name)
            rows.writerow([name, f"clips/{name}", "happy", 1])
    (root / "clips/._b-frames.avi").write_bytes(RESOURCE_FORK)
    return root


def check(root: Path) -> Report:
    return check_dataset(TABLE, root, None, 1, lambda done, total: None)


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("cached", [False, True], ids=["decoded", "cached"])
def test_training_and_testing_read_the_frames_that_they_chose(table, tmp_path, name, cached):
    sampling = {"clips": 8, "length": 1, "stride": 1}
    read = ReadFrames(str(table), sampling, False, decode_size=48, cache=str(tmp_path) if cached else None)
    wanted = sample_frames(FRAMES, read.sampling, None).tolist()
    for _ in range(2):
        assert numbers(read({"path": f"clips/{name}"})["imgs"]) == wanted
    shuffled = ReadFrames(str(table), sampling, True, "shuffled", 48, str(tmp_path) if cached else None)
    np.random.seed(0)
    found = numbers(shuffled({"path": f"clips/{name}"})["imgs"])
    assert len(set(found)) == 8
    assert found != sorted(found)


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_check_finds_sound_files_sound_every_time(table, monkeypatch, tmp_path, busy, times):
    """On a busy machine; and what it has kept from the time before is not asked."""
    answers = set()
    for number in range(times):
        monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / str(number)))
        report = check(table)
        answers.add((report.problems, report.notes))
    assert answers == {((), ())}


@pytest.mark.parametrize("name", CLIPS)
def test_an_audit_compares_frames_from_all_over_a_clip(table, monkeypatch, tmp_path, name):
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path))
    monkeypatch.setattr(similarity, "hash_frame", number_of)
    (finding,) = inspect_clips(table, [f"clips/{name}"], hash_clip, KIND, 1, lambda done, total: None).values()
    assert finding.fault is None
    assert finding.value["frames"] == [2, 7, 12, 16, 21]


def test_pretraining_and_prediction_find_every_clip_and_nothing_else(table):
    found = {row["path"] for row in videos(table / "clips").samples}
    assert found == set(CLIPS)


@pytest.mark.parametrize("name", ["b-frames.avi", "uneven.mp4", "unpadded"])
def test_windows_over_a_clip_hold_its_frames_in_order(table, name):
    read = ReadFrames(str(table), {"clips": 1, "length": 8, "stride": 1}, False)
    for piece in sliding(table / "clips" / name, FRAMES, 8, 3):
        shown = numbers(read({"path": f"clips/{name}", "span": (piece.start, piece.length)})["imgs"])
        assert shown == list(range(piece.start, piece.start + 8))


def test_promised_frames_that_are_not_there_are_noted_and_the_others_read(table, tmp_path):
    root = tmp_path / "table"
    (root / "clips").mkdir(parents=True)
    path = draw(root / "clips/cut.avi", "MPEG-4", 60)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    (root / "clips.csv").write_text("clip_id,path,label,votes_happy\ncut,clips/cut.avi,happy,1\n")
    report = check(root)
    assert report.problems == ()
    (note,) = report.notes
    count = video_files.SequentialVideo(path).count
    assert note == f"clip cut: {path}: 60 frames are promised, {count} can be shown and are read"
    assert check(root).notes == report.notes


def test_a_decoder_that_seeks_to_other_frames_is_a_problem(table, monkeypatch, tmp_path):
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path))
    sound = video_files.SeekingVideo.read
    monkeypatch.setattr(
        video_files.SeekingVideo,
        "read",
        lambda self, indices: sound(self, [min(index + (index > 9), self.count - 1) for index in indices]),
    )
    messages = [problem.message for problem in check(table).problems]
    assert {message.split(":")[0] for message in messages} == {"clip vp9.webm", "clip uneven.mp4"}
    assert all("gives another frame" in message for message in messages)


def test_a_frame_that_is_damaged_inside_is_a_problem(tmp_path, monkeypatch):
    root = tmp_path / "table"
    (root / "clips").mkdir(parents=True)
    frames(root / "clips/a")
    (root / "clips/a/00020.jpg").write_bytes(encode(19)[:-30])
    (root / "clips.csv").write_text("clip_id,path,label\na,clips/a,happy\n")
    (problem,) = check(root).problems
    assert "00020.jpg: truncated JPEG" in problem.message
