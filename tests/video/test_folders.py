"""Folders of frames as people's disks hold them."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmark.video.clip import UnreadableClip
from benchmark.video.frames import open_clip
from benchmark.video.images import is_whole_jpeg
from tests.video.drawing import numbers, picture

RESOURCE_FORK = bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(60)


def encode(number: int, suffix: str = ".jpg", *options: int) -> bytes:
    return cv2.imencode(suffix, picture(number), list(options))[1].tobytes()


def frames(folder: Path, name: str = "{:05d}.jpg", count: int = 24) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        path = folder / name.format(number + 1)
        path.write_bytes(encode(number, path.suffix.lower()))
    return folder


def shown(path: Path) -> list[int]:
    reader = open_clip(path)
    return numbers(reader.read(range(reader.count)))


@pytest.mark.parametrize(
    "name",
    ["{:05d}.jpg", "{}.jpg", "frame{}.jpeg", "00001_{}.JPG", "{}.png", "{:05d}.webp", "{}.bmp", "{}.tif", "{}_x.tiff"],
)
def test_frames_come_in_the_order_of_their_numbers(tmp_path, name):
    assert shown(frames(tmp_path / "clip", name)) == list(range(24))


def test_what_systems_leave_in_a_folder_is_no_frame(tmp_path):
    folder = frames(tmp_path / "clip")
    for name in ("._00001.jpg", ".hidden.jpg", ".DS_Store"):
        (folder / name).write_bytes(RESOURCE_FORK)
    for name in ("Thumbs.db", "desktop.ini"):
        (folder / name).write_bytes(bytes(16))
    (folder / "@eaDir").mkdir()
    (folder / "@eaDir/00001.jpg").touch()
    (folder / "00030.jpg").mkdir()
    assert shown(folder) == list(range(24))


def test_an_image_of_another_format_beside_jpegs_is_no_frame(tmp_path):
    folder = frames(tmp_path / "clip")
    (folder / "preview.png").write_bytes(encode(99, ".png"))
    assert shown(folder) == list(range(24))


def test_several_other_formats_are_refused_because_which_are_the_frames_is_unknown(tmp_path):
    folder = frames(tmp_path / "clip", "{}.png", 3)
    (folder / "4.bmp").write_bytes(encode(3, ".bmp"))
    with pytest.raises(UnreadableClip, match=r"several formats \(.bmp, .png\)"):
        open_clip(folder)


@pytest.mark.parametrize(
    "tail", [bytes(200), b"\xff" * 70, b"\0" * 64 + b"trailer", b"\xff\xd8\xff\xe0 a second picture"]
)
def test_bytes_after_the_end_of_a_jpeg_are_no_damage(tmp_path, tail):
    folder = frames(tmp_path / "clip")
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes() + tail)
    assert shown(folder) == list(range(24))


PLAIN = encode(5)
PROGRESSIVE = encode(5, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = encode(5, ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
_THUMBNAIL = b"\xff\xe1" + (2 + 6 + len(PLAIN)).to_bytes(2, "big") + b"Exif\0\0" + PLAIN
WITH_THUMBNAIL = PLAIN[:2] + _THUMBNAIL + PLAIN[2:]


@pytest.mark.parametrize(
    "data", [PLAIN, PROGRESSIVE, RESTARTS, WITH_THUMBNAIL], ids=["plain", "progressive", "restarts", "thumbnail"]
)
def test_a_jpeg_is_whole_only_when_nothing_is_cut_off(data):
    assert is_whole_jpeg(data)
    assert not any(is_whole_jpeg(data[:length]) for length in range(len(data)))
    assert not any(is_whole_jpeg(data[:length] + bytes(200)) for length in range(2, len(data) - 1))


def test_a_cut_off_jpeg_with_padding_is_found(tmp_path):
    folder = frames(tmp_path / "clip")
    path = folder / "00007.jpg"
    path.write_bytes(path.read_bytes()[:-40] + bytes(300))
    with pytest.raises(UnreadableClip, match="00007.jpg: truncated JPEG"):
        shown(folder)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".tif"])
def test_a_cut_off_image_of_another_format_is_found(tmp_path, suffix):
    folder = frames(tmp_path / "clip", "{}" + suffix)
    path = folder / f"7{suffix}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableClip, match=f"7{suffix}: not an image"):
        shown(folder)


def test_an_image_without_a_suffix_is_known_by_its_content(tmp_path):
    for suffix in (".jpg", ".png", ".webp", ".bmp", ".tif"):
        path = tmp_path / "picture"
        path.write_bytes(encode(9, suffix))
        assert shown(path) == [9]


def test_opening_and_reading_a_folder_looks_only_at_the_frames_that_are_read(tmp_path, monkeypatch):
    folder = frames(tmp_path / "clip", count=200)
    seen: list[object] = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda path, *a, **k: seen.append(path) or stat(path, *a, **k))
    reader = open_clip(folder)
    reader.read([0, 50, 199])
    assert len(seen) < 5
    reader.signature()
    assert len(seen) < 20


def change_in_place(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2] + bytes(8) + b"\xff\xd9")


CHANGES = {
    "added": lambda folder: (folder / "00050.jpg").write_bytes(encode(7)),
    "removed": lambda folder: (folder / "00011.jpg").unlink(),
    "renamed": lambda folder: (folder / "00011.jpg").rename(folder / "00099.jpg"),
    "replaced": lambda folder: (
        (folder / ".new").write_bytes(encode(7)),
        (folder / ".new").rename(folder / "00011.jpg"),
    ),
    "all written anew": lambda folder: [change_in_place(path) for path in folder.iterdir()],
    "first written anew": lambda folder: change_in_place(folder / "00001.jpg"),
    "last written anew": lambda folder: change_in_place(folder / "00040.jpg"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_frames_changes_the_signature(tmp_path, change):
    folder = frames(tmp_path / "clip", count=40)
    before = open_clip(folder).signature()
    assert open_clip(folder).signature() == before
    CHANGES[change](folder)
    assert open_clip(folder).signature() != before


def test_a_thorough_signature_notices_any_frame(tmp_path):
    folder = frames(tmp_path / "clip", count=40)
    for path in sorted(folder.iterdir()):
        before = open_clip(folder).signature(thorough=True)
        change_in_place(path)
        assert open_clip(folder).signature(thorough=True) != before


def test_two_folders_with_the_same_frames_have_two_signatures(tmp_path):
    first, second = (frames(tmp_path / name, count=2) for name in "ab")
    for path in (*first.iterdir(), *second.iterdir(), first, second):
        os.utime(path, (1, 1))
    assert open_clip(first).signature() != open_clip(second).signature()


def test_every_frame_of_a_folder_is_the_callers_own(tmp_path):
    first, second = open_clip(frames(tmp_path / "clip", count=1)).read([0, 0])
    first[:] = 0
    assert np.any(second)
