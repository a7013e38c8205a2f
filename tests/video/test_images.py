import os

import cv2
import numpy as np
import pytest

from benchmark.video.frames import UnreadableClip, open_clip


def picture(height=24, width=32, channels=3):
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def write(path, image):
    path.write_bytes(cv2.imencode(path.suffix.lower(), image)[1].tobytes())
    return path


@pytest.mark.parametrize("name", ["face.png", "face.PNG", "face.bmp", "face.tif"])
def test_an_image_is_a_clip_of_one_rgb_frame(tmp_path, name):
    image = picture()
    reader = open_clip(write(tmp_path / name, image))
    assert reader.count == 1
    (frame,) = reader.read([0])
    assert frame.dtype == np.uint8
    assert (frame == image[:, :, ::-1]).all()


@pytest.mark.parametrize("name", ["face.jpg", "face.JPEG"])
def test_a_jpeg_is_a_clip_of_one_rgb_frame(tmp_path, name):
    path = write(tmp_path / name, picture())
    assert (open_clip(path).read([0])[0] == cv2.imread(str(path))[:, :, ::-1]).all()


@pytest.mark.parametrize("name", ["face.png", "face.jpg"])
def test_a_grey_image_has_three_channels(tmp_path, name):
    frame = open_clip(write(tmp_path / name, picture(channels=1))).read([0])[0]
    assert frame.shape == (24, 32, 3)
    assert (frame == frame[:, :, :1]).all()


def test_transparency_is_left_out(tmp_path):
    assert open_clip(write(tmp_path / "face.png", picture(channels=4))).read([0])[0].shape == (24, 32, 3)


def test_a_repeated_image_can_be_changed_in_place(tmp_path):
    first, second = open_clip(write(tmp_path / "face.png", picture())).read([0, 0])
    first[:] = 0
    assert second.max() > 0


def test_a_truncated_jpeg_image_is_named(tmp_path):
    path = write(tmp_path / "face.jpg", picture())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableClip, match="face.jpg: truncated JPEG"):
        open_clip(path).read([0])


@pytest.mark.parametrize("name", ["face.png", "face.bmp"])
def test_a_truncated_image_of_another_format_is_named(tmp_path, name):
    path = write(tmp_path / name, picture())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableClip, match=f"{name}: not an image that OpenCV can decode"):
        open_clip(path).read([0])


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_a_png_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "face.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableClip, match="face.png: not an image that OpenCV can decode"):
        open_clip(path).read([0])


def test_an_empty_jpeg_image_is_truncated(tmp_path):
    (tmp_path / "face.jpg").touch()
    with pytest.raises(UnreadableClip, match="face.jpg: truncated JPEG"):
        open_clip(tmp_path / "face.jpg").read([0])


def test_a_png_that_is_called_jpg_is_read(tmp_path):
    image = picture()
    write(tmp_path / "face.png", image).rename(tmp_path / "face.jpg")
    assert (open_clip(tmp_path / "face.jpg").read([0])[0] == image[:, :, ::-1]).all()


@pytest.mark.parametrize("name", ["missing.jpg", "missing.png"])
def test_a_missing_image_is_named(tmp_path, name):
    with pytest.raises(UnreadableClip, match=f"{name}: no such image"):
        open_clip(tmp_path / name)


def test_a_changed_image_has_another_signature(tmp_path):
    path = write(tmp_path / "face.png", picture())
    before = open_clip(path).signature()
    os.utime(path, (1, 1))
    assert open_clip(path).signature() != before
    assert open_clip(write(tmp_path / "other.png", picture())).signature() != before
