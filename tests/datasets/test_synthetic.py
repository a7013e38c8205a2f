"""The synthetic DFEW: its tree, the same bytes for a seed, and nothing left behind when it is not finished."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest

from benchmark.datasets.synthetic.dfew import synthesize
from benchmark.errors import UsageError
from benchmark.files import is_clutter
from benchmark.video.folders import frame_names
from benchmark.video.frames import open_clip

CLIPS = 40
SEED = 3
HEADER = ("1happy", "2sad", "3neutral", "4angry", "5surprise", "6disgust", "7fear", "order", "label")


def quiet(done: int, total: int) -> None:
    pass


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, int]]]:
    """A small tree, and the progress that was reported while it was written."""
    progress: list[tuple[int, int]] = []
    out = tmp_path_factory.mktemp("synthetic") / "DFEW"
    synthesize(out, CLIPS, SEED, lambda done, total: progress.append((done, total)), workers=2)
    return out, progress


@pytest.fixture(scope="session")
def tree(made: tuple[Path, list[tuple[int, int]]]) -> Path:
    return made[0]


@pytest.fixture(scope="session")
def annotation(tree: Path) -> dict[int, tuple[list[int], int]]:
    """Votes and label of each clip id in the workbook."""
    rows = list(openpyxl.load_workbook(tree / "Annotation" / "annotation.xlsx").active.values)
    assert rows[0] == HEADER
    return {row[7]: (list(row[:7]), row[8]) for row in rows[1:]}


def read_list(tree: Path, part: str, fold: int) -> dict[int, int]:
    path = tree / "EmoLabel_DataSplit" / f"{part}(single-labeled)" / f"set_{fold}.csv"
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["video_name", "label"]
    labels = {int(clip): int(label) for clip, label in rows[1:]}
    assert len(labels) == len(rows) - 1
    return labels


def digests(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(tree: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / "again", CLIPS, SEED, quiet, workers=1)
    assert digests(tmp_path / "again") == digests(tree)


def test_another_seed_gives_other_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def plain_film(performance: np.ndarray, rng: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Frames that cost nothing to draw: one row of the performance as one column of grey values each."""
        crops = [np.uint8(255 * (row + 1) / 2).reshape(-1, 1, 1).repeat(3, axis=2) for row in performance]
        return [np.zeros((240, 320, 3), np.uint8)], crops

    monkeypatch.setattr("benchmark.datasets.synthetic.dfew.film", plain_film)
    for seed in (SEED, SEED + 1):
        synthesize(tmp_path / str(seed), 35, seed, quiet, workers=1)
    ours, others = digests(tmp_path / str(SEED)), digests(tmp_path / str(SEED + 1))
    for name in ("Annotation/annotation.xlsx", "EmoLabel_DataSplit/test(single-labeled)/set_1.csv"):
        assert ours[name] != others[name]
    for clip in (1, 17):
        frame = f"Clip/clip_224x224/{clip:05d}/{clip:05d}_00008.jpg"
        assert ours[frame] != others[frame]


def test_the_tree_holds_what_dfew_distributes_and_nothing_else(
    tree: Path, annotation: dict[int, tuple[list[int], int]]
) -> None:
    assert {p.name for p in tree.iterdir()} == {"Annotation", "Clip", "EmoLabel_DataSplit", "SYNTHETIC.json"}
    assert {p.name for p in (tree / "Clip").iterdir()} == {"original", "clip_224x224", "clip_224x224_16f"}
    assert {p.name for p in (tree / "Clip" / "original").iterdir()} == {f"{clip}.mp4" for clip in annotation}
    for source in ("clip_224x224", "clip_224x224_16f"):
        assert {p.name for p in (tree / "Clip" / source).iterdir()} == {f"{clip:05d}" for clip in annotation}
    for part in ("train", "test"):
        lists = {p.name for p in (tree / "EmoLabel_DataSplit" / f"{part}(single-labeled)").iterdir()}
        assert lists == {f"set_{fold}.csv" for fold in range(1, 6)}


def test_the_marker_names_what_was_asked_for(tree: Path) -> None:
    marker = json.loads((tree / "SYNTHETIC.json").read_text())
    assert marker == {"dataset": "dfew", "generator": 2, "seed": SEED, "clips": CLIPS}


def test_progress_counts_every_clip_once(
    made: tuple[Path, list[tuple[int, int]]], annotation: dict[int, tuple[list[int], int]]
) -> None:
    total = len(annotation)
    assert made[1] == [(done, total) for done in range(1, total + 1)]


def test_ten_votes_a_clip_and_the_label_is_their_majority(annotation: dict[int, tuple[list[int], int]]) -> None:
    for votes, label in annotation.values():
        assert sum(votes) == 10
        expected = int(np.argmax(votes)) + 1 if max(votes) >= 6 else 0
        assert label == expected


def test_the_usable_clips_are_as_many_as_asked_for(annotation: dict[int, tuple[list[int], int]]) -> None:
    labels = [label for _, label in annotation.values()]
    assert sum(label > 0 for label in labels) == CLIPS
    assert labels.count(0) >= 1
    assert all(labels.count(label) >= 5 for label in range(1, 8))


def test_the_five_test_folds_divide_the_single_labelled_clips(
    tree: Path, annotation: dict[int, tuple[list[int], int]]
) -> None:
    usable = {clip: label for clip, (_, label) in annotation.items() if label > 0}
    tests = [read_list(tree, "test", fold) for fold in range(1, 6)]
    assert sum(len(fold) for fold in tests) == len(usable)
    assert {clip: label for fold in tests for clip, label in fold.items()} == usable
    for number, test in enumerate(tests, start=1):
        train = read_list(tree, "train", number)
        assert not train.keys() & test.keys()
        assert train | test == usable
        assert set(test.values()) == set(range(1, 8))


def test_frames_sort_in_time_order_and_are_224_square(tree: Path) -> None:
    for folder in (tree / "Clip" / "clip_224x224").iterdir():
        names = frame_names(folder)
        assert names == [f"{folder.name}_{n:05d}.jpg" for n in range(1, len(names) + 1)]
    assert cv2.imread(str(folder / names[0])).shape == (224, 224, 3)


def test_clip_lengths_vary_and_a_few_are_shorter_than_sixteen(tree: Path) -> None:
    lengths = [len(frame_names(folder)) for folder in (tree / "Clip" / "clip_224x224").iterdir()]
    assert min(lengths) >= 11
    assert 0 < sum(length < 16 for length in lengths) <= 0.1 * len(lengths)
    assert len(set(lengths)) > 5
    assert 20 < np.mean(lengths) < 30


def test_interpolated_folders_hold_sixteen_frames(tree: Path) -> None:
    for folder in (tree / "Clip" / "clip_224x224_16f").iterdir():
        names = frame_names(folder)
        assert names == [f"{folder.name}_{n:05d}.jpg" for n in range(1, 17)]


def test_a_video_shows_as_many_frames_as_there_are_crops(tree: Path) -> None:
    for video in (tree / "Clip" / "original").iterdir():
        crops = tree / "Clip" / "clip_224x224" / f"{int(video.stem):05d}"
        reader = open_clip(video)
        assert reader.count == len(frame_names(crops))
        assert reader.read([reader.count - 1])[0].shape == (240, 320, 3)


def test_some_files_are_as_people_have_them(tree: Path) -> None:
    videos = [open_clip(path) for path in (tree / "Clip" / "original").iterdir()]
    assert {reader.decoder.split()[0] for reader in videos} == {"decord", "PyAV"}
    crops = tree / "Clip" / "clip_224x224"
    assert any(is_clutter(path.name) for path in crops.glob("*/*"))
    assert any(not path.read_bytes().endswith(b"\xff\xd9") for path in crops.glob("*/*_00001.jpg"))


def test_an_occupied_target_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "DFEW").mkdir()
    (tmp_path / "DFEW" / "precious.txt").write_text("mine")
    with pytest.raises(UsageError, match="not an empty folder"):
        synthesize(tmp_path / "DFEW", CLIPS, SEED, quiet)
    assert [p.name for p in tmp_path.rglob("*")] == ["DFEW", "precious.txt"]
    assert (tmp_path / "DFEW" / "precious.txt").read_text() == "mine"


def test_an_interrupted_synthesis_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(tmp_path / "DFEW", CLIPS, SEED, interrupt, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_too_few_clips_are_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="35 or more"):
        synthesize(tmp_path / "DFEW", 34, SEED, quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="seed"):
        synthesize(tmp_path / "DFEW", CLIPS, -1, quiet)


def test_what_a_killed_process_left_is_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f".DFEW.unfinished-{dead.pid}"
    alive = tmp_path / f".DFEW.unfinished-{os.getppid()}"
    for folder in (left, alive):
        (folder / "Clip").mkdir(parents=True)
    synthesize(tmp_path / "DFEW", 35, 0, quiet)
    assert not left.exists()
    assert alive.exists()
