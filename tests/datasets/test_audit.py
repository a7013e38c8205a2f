"""Auditing: the same content on both sides of a split is a leak; elsewhere it is only told."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmark.datasets.audit import Audit, Candidate, Side, audit
from benchmark.errors import IntegrityError, UsageError


@contextlib.contextmanager
def silent(what: str):
    yield lambda done, total: None


def picture(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (10, 10, 3), np.uint8)
    return cv2.resize(coarse, (120, 120), interpolation=cv2.INTER_CUBIC)


def write_clip(folder: Path, frames: list[np.ndarray], quality: int = 95) -> None:
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, quality])


def grainy(frame: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 40, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def film(seed: int) -> list[np.ndarray]:
    return [picture(100 * seed + frame) for frame in range(6)]


@pytest.fixture
def root(tmp_path) -> Path:
    """Clips a, b and c; `copy` holds the files of a, `encoded` shows what b shows."""
    for seed, name in enumerate("abc"):
        write_clip(tmp_path / name, film(seed))
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    write_clip(tmp_path / "encoded", [grainy(cv2.resize(frame, (100, 100))) for frame in film(1)], 60)
    return tmp_path


def candidate(
    root: Path, clip: str, parts: dict[int, str], dataset: str = "one", division: str = "", label: str = "happy"
) -> Candidate:
    return Candidate(Side(dataset, clip, label, parts, division or dataset), root, clip)


def run(*candidates: Candidate, threshold: float = 4) -> Audit:
    return audit(candidates, threshold, 1, silent)


def test_the_same_bytes_in_two_parts_of_a_fold_are_a_leak_of_that_fold(root):
    result = run(candidate(root, "a", {1: "train", 2: "test"}), candidate(root, "copy", {1: "test", 2: "test"}))
    (pair,) = result.pairs
    assert (pair.exact, pair.distance, pair.leaks) == (True, 0.0, (1,))
    assert result.leaks == (pair,)


@pytest.mark.parametrize(("first", "second", "threshold"), [("a", "copy", 0), ("b", "encoded", 4)])
def test_a_leak_is_one_whatever_the_two_clips_are_labelled(root, first, second, threshold):
    """The worst leak of all: the label that was learned is wrong for the clip that is tested."""
    sides = (candidate(root, first, {1: "train"}), candidate(root, second, {1: "test"}, label="sad"))
    (pair,) = run(*sides, threshold=threshold).leaks
    assert {pair.first.label, pair.second.label} == {"happy", "sad"}


def test_a_compressed_copy_is_a_near_duplicate(root):
    (pair,) = run(candidate(root, "b", {1: "train"}), candidate(root, "encoded", {1: "val"})).pairs
    assert not pair.exact
    assert 0 < pair.distance <= 4
    assert pair.leaks == (1,)


def test_the_threshold_decides_what_is_near(root):
    sides = (candidate(root, "b", {1: "train"}), candidate(root, "encoded", {1: "test"}))
    assert run(*sides, threshold=0).pairs == ()


def test_different_clips_are_no_pair(root):
    parts = {"a": "train", "b": "val", "c": "test"}
    assert run(*(candidate(root, clip, {1: part}) for clip, part in parts.items())).pairs == ()


def test_copies_in_one_part_are_a_pair_and_no_leak(root):
    result = run(candidate(root, "a", {1: "train"}), candidate(root, "copy", {1: "train"}))
    assert len(result.pairs) == 1
    assert result.leaks == ()


def test_copies_that_share_no_fold_are_no_leak(root):
    assert run(candidate(root, "a", {1: "train"}), candidate(root, "copy", {2: "test"})).leaks == ()


def test_official_parts_of_two_datasets_have_no_fold_in_common(root):
    result = run(candidate(root, "a", {1: "train"}), candidate(root, "copy", {1: "test"}, "two"))
    assert result.pairs[0].across_datasets
    assert result.leaks == ()


def test_a_protocol_that_trains_on_one_dataset_and_tests_on_another_can_leak(root):
    result = run(
        candidate(root, "a", {1: "train"}, division="cross"), candidate(root, "copy", {1: "test"}, "two", "cross")
    )
    assert result.pairs[0].across_datasets
    assert result.pairs[0].leaks == (1,)


def test_leaks_come_first_then_pairs_across_datasets(root):
    for name in ("copy2", "copy3"):
        shutil.copytree(root / "c", root / name)
    result = run(
        candidate(root, "c", {1: "train"}),
        candidate(root, "copy2", {1: "train"}),
        candidate(root, "copy3", {}, "two"),
        candidate(root, "b", {1: "train"}),
        candidate(root, "encoded", {1: "test"}),
    )
    assert [bool(pair.leaks) for pair in result.pairs] == [True, False, False, False]
    assert [pair.across_datasets for pair in result.pairs] == [False, True, True, False]


def test_an_unreadable_clip_is_told_and_the_others_are_compared(root):
    sides = [candidate(root, clip, {1: "train"}) for clip in ("a", "copy", "gone")]
    result = run(*sides)
    assert len(result.pairs) == 1
    assert "no such folder" in result.unreadable["one"]["gone"]


def test_uniform_clips_are_compared_by_their_bytes_only(tmp_path):
    for name, level in (("black", 0), ("dark", 3), ("too", 0)):
        write_clip(tmp_path / name, [np.full((50, 50, 3), level, np.uint8)] * 6)
    result = run(*(candidate(tmp_path, name, {}) for name in ("black", "dark", "too")))
    assert result.uniform == 3
    assert [(pair.first.clip, pair.second.clip, pair.exact) for pair in result.pairs] == [("black", "too", True)]


def test_a_second_audit_reads_no_frame(root, monkeypatch):
    sides = [candidate(root, clip, {1: "train"}) for clip in ("a", "b", "copy")]
    first = run(*sides)
    monkeypatch.setattr(cv2, "imdecode", None)
    assert run(*sides) == first


def test_far_too_many_near_pairs_ask_for_a_lower_threshold(root, monkeypatch):
    monkeypatch.setattr("benchmark.datasets.audit.MOST_PAIRS", 0)
    with pytest.raises(UsageError, match="--threshold"):
        run(candidate(root, "b", {}), candidate(root, "encoded", {}))


def test_far_too_many_identical_clips_are_refused(root, monkeypatch):
    monkeypatch.setattr("benchmark.datasets.audit.MOST_PAIRS", 0)
    with pytest.raises(IntegrityError, match="same bytes"):
        run(candidate(root, "a", {}), candidate(root, "copy", {}))
