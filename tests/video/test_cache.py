"""The frame cache: the same pixels, from the disk and not from memory, and never more of it than allowed."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.errors import UsageError
from benchmark.video import cache
from benchmark.video.cache import CachedFrames, cache_limit, plan_cache, resize
from benchmark.video.clip import UnreadableClip
from benchmark.video.frames import open_clip
from tests.video.drawing import draw, numbers
from tests.video.test_folders import frames

MiB = 2**20


@pytest.fixture(params=["folder", "in order", "b-frames"])
def clip(request, tmp_path):
    if request.param == "folder":
        return frames(tmp_path / "clip")
    return draw(tmp_path / "clip.avi", "MPEG-4", 24, b_frames=2 if request.param == "b-frames" else 0)


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.npy"))


def test_cold_and_warm_give_the_frames_that_were_asked_for(clip, tmp_path):
    expected = [resize(frame, 40) for frame in open_clip(clip).read([20, 3, 3])]
    for _ in ("cold", "warm"):
        reader = CachedFrames(clip, 40, tmp_path / "cache")
        assert reader.count == 24
        found = reader.read([20, 3, 3])
        assert np.array_equal(found, expected)
        assert numbers(found) == [20, 3, 3]


def test_a_cold_clip_is_mapped_from_the_disk_and_not_kept_in_memory(clip, tmp_path):
    reader = CachedFrames(clip, 40, tmp_path / "cache")
    reader.read([0])
    assert isinstance(reader._frames, np.memmap)
    assert not any(hasattr(value, "read") for value in vars(reader).values())


def test_a_warm_clip_is_not_decoded(tmp_path, monkeypatch):
    clip = draw(tmp_path / "clip.avi", "MPEG-4", 24, b_frames=2)
    CachedFrames(clip, 40, tmp_path / "cache").read([0])
    monkeypatch.setattr("benchmark.video.videos._shown", None)
    monkeypatch.setattr("benchmark.video.videos._counts", {})
    monkeypatch.setattr(
        "benchmark.video.videos.SequentialVideo.__init__", lambda self, path: setattr(self, "path", path)
    )
    reader = CachedFrames(clip, 40, tmp_path / "cache")
    assert reader.count == 24
    assert numbers(reader.read([23, 0])) == [23, 0]


def test_another_size_is_another_file(clip, tmp_path):
    for size in (40, 48):
        assert CachedFrames(clip, size, tmp_path / "cache").read([0])[0].shape == (size, size, 3)
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 2


def test_another_decoder_is_another_file(tmp_path, monkeypatch):
    clip = draw(tmp_path / "clip.avi", "MPEG-4", b_frames=2)
    CachedFrames(clip, 40, tmp_path / "cache").read([0])
    monkeypatch.setattr("benchmark.video.videos.SequentialVideo.decoder", "PyAV 99")
    CachedFrames(clip, 40, tmp_path / "cache").read([0])
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 2


@pytest.mark.parametrize(
    "damage", [lambda data: data[:100], lambda data: data[:-1], lambda data: b"", lambda data: b"x" * 99]
)
def test_a_damaged_file_is_written_anew(clip, tmp_path, damage):
    CachedFrames(clip, 40, tmp_path / "cache").read([0])
    (file,) = (tmp_path / "cache").rglob("*.npy")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert numbers(CachedFrames(clip, 40, tmp_path / "cache").read([9])) == [9]
    assert file.read_bytes() == whole


def test_what_does_not_fit_is_decoded_and_nothing_is_kept(clip, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.LIMIT, "0")
    reader = CachedFrames(clip, 40, tmp_path / "cache")
    assert numbers(reader.read([20, 3])) == [20, 3]
    assert numbers(reader.read([7])) == [7]
    assert reader._frames is None
    assert used(tmp_path / "cache") == 0


def test_the_limit_holds_for_all_who_write_together(tmp_path, monkeypatch):
    clips = [frames(tmp_path / f"clip{number}", count=4) for number in range(12)]
    size = 4 * 40 * 40 * 3
    monkeypatch.setenv(cache.LIMIT, str(5.5 * size / 2**30))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda clip: CachedFrames(clip, 40, tmp_path / "cache").read([0]), clips))
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 5
    for clip in clips:
        assert numbers(CachedFrames(clip, 40, tmp_path / "cache").read([2])) == [2]


def test_a_clip_that_cannot_be_decoded_takes_no_room(tmp_path):
    clip = frames(tmp_path / "clip")
    (clip / "00020.jpg").write_bytes(b"\xff\xd8\xff")
    for _ in range(2):
        with pytest.raises(UnreadableClip, match="00020.jpg"):
            CachedFrames(clip, 40, tmp_path / "cache").read([0])
    assert (tmp_path / "cache/.used").read_text() == "0"


def test_without_a_limit_half_of_what_is_free_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: SimpleNamespace(free=100 * MiB))
    assert cache_limit(tmp_path / "not/yet/there", used=20 * MiB) == 60 * MiB


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_none_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.setenv(cache.LIMIT, text)
    with pytest.raises(UsageError, match=f"{cache.LIMIT}={re.escape(text)}: give"):
        cache_limit(tmp_path, 0)


def test_the_plan_says_where_and_how_much(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.LIMIT, "2")
    clips = [frames(tmp_path / f"clip{number}", count=3 + number % 2) for number in range(4)]
    plan = plan_cache(clips, 40, tmp_path / "cache")
    assert plan.expected == 14 * 40 * 40 * 3
    assert str(plan).startswith(
        f"frame cache: the 4 clips take about 66 KiB in {tmp_path / 'cache'}, of at most 2.0 GiB;"
    )


def test_the_plan_counts_anew_what_somebody_deleted(tmp_path, monkeypatch):
    clip = frames(tmp_path / "clip", count=4)
    monkeypatch.setenv(cache.LIMIT, str(4 * 40 * 40 * 3 * 1.5 / 2**30))
    CachedFrames(clip, 40, tmp_path / "cache").read([0])
    for path in (tmp_path / "cache").rglob("*.npy"):
        path.unlink()
    plan_cache([clip], 40, tmp_path / "cache")
    CachedFrames(clip, 40, tmp_path / "cache").read([0])
    assert used(tmp_path / "cache") > 0
