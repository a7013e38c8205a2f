import os
import re
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from benchmark.video.cache import CachedFrames, resize
from benchmark.video.clip import UnreadableClip
from benchmark.video.folders import FrameFolder
from benchmark.video.frames import open_clip, open_numbered


@pytest.fixture
def folder(synthetic_root, tmp_path):
    return shutil.copytree(synthetic_root / "Clip/clip_224x224/00001", tmp_path / "00001")


@pytest.fixture
def video(synthetic_root, tmp_path):
    return shutil.copy(synthetic_root / "Clip/original/1.mp4", tmp_path / "1.mp4")


def test_jpegs_are_read_as_rgb_in_time_order(folder):
    reader = open_clip(folder)
    names = sorted(os.listdir(folder))
    assert reader.count == len(names)
    frames = reader.read([0, reader.count - 1, 0])
    assert frames[0].dtype == np.uint8
    assert (frames[0] == frames[2]).all()
    expected = cv2.imread(str(folder / names[-1]))[:, :, ::-1]
    assert (frames[1] == expected).all()


def test_decord_reads_the_same_pixels_as_opencv(video):
    reader = open_clip(video)
    capture = cv2.VideoCapture(str(video))
    expected = []
    while (result := capture.read())[0]:
        expected.append(result[1][:, :, ::-1])
    assert reader.count == len(expected)
    for index in (0, reader.count // 2, reader.count - 1):
        difference = np.abs(reader.read([index])[0].astype(int) - expected[index])
        # Two FFmpeg builds may convert colours with a rounding of their own.
        assert difference.max() <= 3


def test_frames_of_a_video_come_in_the_order_asked_for(video):
    reader = open_clip(video)
    first, last = reader.read([0])[0], reader.read([reader.count - 1])[0]
    backwards = reader.read([reader.count - 1, 0])
    assert (backwards[0] == last).all()
    assert (backwards[1] == first).all()
    assert (first != last).any()


def test_a_repeated_frame_can_be_changed_in_place(folder):
    first, second = open_clip(folder).read([0, 0])
    first[:] = 0
    assert second.max() > 0


def test_a_truncated_jpeg_is_named(folder):
    path = sorted(folder.iterdir())[3]
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UnreadableClip, match=f"{path.name}: truncated JPEG"):
        open_clip(folder).read([3])


def test_a_jpeg_that_is_none_is_named(folder):
    path = sorted(folder.iterdir())[0]
    path.write_bytes(b"<html>not found</html>\xff\xd9")
    with pytest.raises(UnreadableClip, match=f"{path.name}: not an image"):
        open_clip(folder).read([0])


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.9])
def test_a_truncated_video_is_named_and_never_hangs(video, kept):
    """In a process of its own, since a hang inside decord cannot be interrupted."""
    size = os.path.getsize(video)
    os.truncate(video, int(size * kept) if isinstance(kept, float) else kept)
    code = (
        "import sys\nfrom pathlib import Path\nfrom benchmark.video.frames import *\n"
        "try:\n    reader = open_clip(Path(sys.argv[1])); reader.read(range(reader.count))\n"
        "except UnreadableClip as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(video)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0
    assert f"{video}: not a video that can be read" in done.stdout


@pytest.mark.parametrize("name", ["a.flv", "a.mp4", "a"])
def test_a_pointer_of_git_lfs_is_told_from_a_damaged_file(tmp_path, name):
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:10dc3fd1\nsize 265922\n")
    with pytest.raises(UnreadableClip, match=f"{name}: is a Git LFS pointer, .*git lfs pull"):
        open_clip(tmp_path / name)


@pytest.mark.parametrize("name", ["missing", "missing.mp4"])
def test_a_missing_clip_is_named(tmp_path, name):
    with pytest.raises(UnreadableClip, match=f"{name}: no such"):
        open_clip(tmp_path / name)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(UnreadableClip, match="holds no image"):
        open_clip(tmp_path)


def numbered(folder, *names):
    folder.mkdir()
    for name in names:
        cv2.imwrite(str(folder / name), np.zeros((8, 8, 3), np.uint8))
    return folder


def test_frame_numbers_are_the_last_digits_of_the_names(tmp_path):
    plain = FrameFolder(numbered(tmp_path / "plain", "00012.jpg", "00003.jpg", "00020.jpg"))
    assert plain.numbers().dtype == np.int64
    assert plain.numbers().tolist() == [3, 12, 20]
    prefixed = FrameFolder(numbered(tmp_path / "prefixed", "00001_00012.jpg", "00001_00013b.jpeg"))
    assert prefixed.numbers().tolist() == [12, 13]


def test_a_frame_without_a_number_is_named(tmp_path):
    with pytest.raises(UnreadableClip, match="cover.jpg: no frame number"):
        FrameFolder(numbered(tmp_path / "clip", "00001.jpg", "cover.jpg")).numbers()


@pytest.mark.parametrize(("first", "second"), [("a_00010.jpg", "b_00009.jpg"), ("a_00001.jpg", "b_00001.jpg")])
def test_numbers_that_do_not_ascend_are_refused(tmp_path, first, second):
    with pytest.raises(UnreadableClip, match=re.escape(f"{second} follows {first} by name but not by number")):
        FrameFolder(numbered(tmp_path / "clip", first, second)).numbers()


def test_frame_numbers_cannot_be_changed_for_the_others_who_share_them(tmp_path):
    numbers = FrameFolder(numbered(tmp_path / "clip", "00001.jpg", "00002.jpg")).numbers()
    with pytest.raises(ValueError, match="read-only"):
        numbers[0] = 7


def test_a_numbered_folder_is_listed_once(tmp_path, monkeypatch):
    folder = numbered(tmp_path / "clip", "00001.jpg", "00004.jpg")
    first = open_numbered(folder)
    monkeypatch.setattr(os, "scandir", None)
    assert open_numbered(folder) is first
    assert open_numbered(folder).numbers().tolist() == [1, 4]


def test_the_cache_gives_the_same_pixels_cold_and_warm(folder, tmp_path):
    expected = [resize(frame, 48) for frame in open_clip(folder).read([2, 5])]
    for _ in ("cold", "warm"):
        frames = CachedFrames(folder, 48, tmp_path / "cache").read([2, 5])
        assert all((a == b).all() for a, b in zip(frames, expected, strict=True))
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 1


def test_two_methods_with_different_sizes_share_a_cache(folder, tmp_path):
    reader = open_clip(folder)
    for size in (48, 32, 48):
        (frame,) = CachedFrames(folder, size, tmp_path / "cache").read([2])
        assert np.array_equal(frame, resize(reader.read([2])[0], size))


def test_a_changed_file_is_not_served_from_the_cache(folder, tmp_path):
    before = CachedFrames(folder, 48, tmp_path / "cache").read([0])[0]
    path = sorted(folder.iterdir())[0]
    cv2.imwrite(str(path), np.zeros((224, 224, 3), np.uint8))
    after = CachedFrames(folder, 48, tmp_path / "cache").read([0])[0]
    assert before.max() > 50
    assert after.max() == 0


def test_cached_frames_may_be_changed_by_a_transform(folder, tmp_path):
    for _ in range(2):
        frame = CachedFrames(folder, 48, tmp_path / "cache").read([0])[0]
        assert frame.max() > 0
        frame[:] = 0


def test_a_disk_that_cannot_be_written_costs_the_cache_and_not_the_clip(folder, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(CachedFrames(folder, 48, tmp_path / "cache").read([0, 1])) == 2


@pytest.mark.parametrize("width", [40, 48, 64])
def test_narrow_videos_have_three_channels_and_the_right_pixels(tmp_path, width):
    image = cv2.resize(np.random.default_rng(0).integers(0, 255, (6, 6, 3), np.uint8), (width, 48))
    path = tmp_path / "narrow.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (width, 48))
    writer.write(image)
    writer.release()
    expected = cv2.cvtColor(cv2.VideoCapture(str(path)).read()[1], cv2.COLOR_BGR2RGB)
    (frame,) = open_clip(path).read([0])
    assert np.array_equal(frame, expected)
