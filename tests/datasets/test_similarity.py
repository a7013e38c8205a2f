"""Perceptual hashes, and the search for near ones against one that compares pair by pair."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmark.datasets.similarity import hash_clip, hash_frame, near_pairs
from benchmark.video.frames import open_clip


def quiet(done: int, total: int) -> None:
    pass


def picture(seed: int) -> np.ndarray:
    """A smooth image with its own low frequencies."""
    coarse = np.random.default_rng(seed).integers(0, 256, (10, 10, 3), np.uint8)
    return cv2.resize(coarse, (120, 120), interpolation=cv2.INTER_CUBIC)


def differing(first: str | None, second: str | None) -> int:
    assert first and second
    return (int(first, 16) ^ int(second, 16)).bit_count()


def test_a_smaller_compressed_copy_keeps_its_hash():
    for seed in range(10):
        small = cv2.resize(picture(seed), (90, 90), interpolation=cv2.INTER_AREA)
        copy = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_COLOR)
        assert copy is not None
        assert differing(hash_frame(picture(seed)), hash_frame(copy)) <= 4


def test_different_pictures_differ_in_about_half_of_the_bits():
    distances = [
        differing(hash_frame(picture(a)), hash_frame(picture(b))) for a, b in itertools.combinations(range(15), 2)
    ]
    assert min(distances) > 8
    assert 28 < np.mean(distances) < 36


def test_a_brighter_copy_keeps_its_hash():
    frame = picture(1) // 2
    assert differing(hash_frame(frame), hash_frame(frame + 40)) <= 2


def test_a_nearly_uniform_frame_has_no_hash():
    noise = np.random.default_rng(0).integers(-1, 2, (64, 64, 3))
    assert hash_frame((100 + noise).astype(np.uint8)) is None


def write_clip(folder: Path, frames: list[np.ndarray], prefix: str = "") -> Path:
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        cv2.imwrite(str(folder / f"{prefix}{number:05d}.jpg"), frame)
    return folder


def hashed(path: Path) -> dict:
    return hash_clip(open_clip(path), path)


def test_the_same_frames_under_other_names_have_the_same_sha256(tmp_path):
    frames = [picture(seed) for seed in range(7)]
    first = hashed(write_clip(tmp_path / "a", frames))
    assert hashed(write_clip(tmp_path / "b", frames, "00002_"))["sha256"] == first["sha256"]
    assert hashed(write_clip(tmp_path / "c", frames[::-1]))["sha256"] != first["sha256"]
    assert hashed(write_clip(tmp_path / "d", frames[:-1]))["sha256"] != first["sha256"]


def test_five_frames_spread_over_the_clip_are_hashed(tmp_path):
    path = write_clip(tmp_path / "a", [picture(seed) for seed in range(20)])
    frames = open_clip(path).read([2, 6, 10, 14, 18])
    assert hashed(path)["frames"] == [hash_frame(frame) for frame in frames]


def test_a_single_image_is_hashed_as_a_clip_of_one_frame(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture(0))
    assert hashed(tmp_path / "a.png")["frames"] == [hash_frame(cv2.cvtColor(picture(0), cv2.COLOR_BGR2RGB))] * 5


def one_by_one(hashes: list[list[str | None]], threshold: float) -> dict[tuple[int, int], float]:
    found = {}
    for (i, first), (j, second) in itertools.combinations(enumerate(hashes), 2):
        both = [differing(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
        if len(both) >= 3 and np.mean(both) <= threshold:
            found[i, j] = float(np.mean(both))
    return found


@pytest.mark.parametrize("threshold", [0, 4, 4.2, 10.5, 31])
def test_the_search_finds_exactly_what_comparing_pair_by_pair_finds(threshold, monkeypatch):
    monkeypatch.setattr("benchmark.datasets.similarity.BLOCK", 17)
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 256, (60, 5, 8), np.uint8)
    for copy in range(20, 60):
        flips = rng.random((5, 64)) < rng.choice([0, 0.03, 0.06, 0.1, 0.2])
        raw[copy] = raw[copy % 20] ^ np.packbits(flips, axis=1)
    hashes = [[frame.tobytes().hex() if rng.random() > 0.15 else None for frame in clip] for clip in raw]
    found = near_pairs(hashes, threshold, 10_000, quiet)
    assert found == pytest.approx(one_by_one(hashes, threshold))
    assert found


def test_clips_of_uniform_frames_are_not_near_each_other():
    assert near_pairs([[None] * 5, [None] * 5, ["0" * 16, "0" * 16, None, None, None]] * 2, 4, 100, quiet) == {}


def test_nothing_to_compare_is_no_pair():
    assert near_pairs([], 4, 100, quiet) == {}


def test_the_search_stops_soon_after_the_most_pairs_allowed():
    assert len(near_pairs([["f" * 16] * 5] * 50, 4, 10, quiet)) == 11


def test_progress_ends_with_all_blocks_done(monkeypatch):
    monkeypatch.setattr("benchmark.datasets.similarity.BLOCK", 10)
    reported: list[tuple[int, int]] = []
    near_pairs([[f"{n:016x}"] * 5 for n in range(35)], 0, 10, lambda done, total: reported.append((done, total)))
    assert reported == [(done, 10) for done in range(1, 11)]
