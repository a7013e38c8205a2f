"""Annotated videos: their frames, their bars, and their rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from benchmark.video.annotated import PANEL, frame_rate, write_annotated
from benchmark.video.frames import open_clip

CLASSES = ("happy", "sad", "neutral")
SHARES = np.array([[0.9, 0.1, 0.0], [0.1, 0.8, 0.1], [np.nan] * 3])
FRAMES = [np.full((48, 64, 3), 40 + 80 * k, np.uint8) for k in range(3)]


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("new") / "folder" / "out.mp4"
    boxes = [(8.0, 8.0, 24.0, 24.0), None, None]
    write_annotated(path, iter(FRAMES), SHARES, CLASSES, rate=Fraction(30), boxes=boxes, caption="made by é")
    return path


def bar(picture: np.ndarray, place: int) -> np.ndarray:
    """The pixels in the middle of a class's bar, from left to right."""
    panel = picture[:, picture.shape[1] - PANEL :]
    return panel[26 * place + 12 + 9, 114 : PANEL - 54].astype(int)


def test_every_frame_is_there_beside_its_bars(written):
    frames = open_clip(written).read(range(3))
    assert len(frames) == 3 and open_clip(written).count == 3
    for picture, frame in zip(frames, FRAMES, strict=True):
        assert abs(int(picture[300, 100].mean()) - int(frame[0, 0].mean())) < 6
    happy, sad = bar(frames[0], 0), bar(frames[1], 1)
    for line, share in ((happy, 0.9), (sad, 0.8)):
        filled = (line[:, 0] > 150).mean()  # orange
        assert filled == pytest.approx(share, abs=0.06)
    assert (bar(frames[2], 0).max(axis=1) < 120).all()  # nothing was predicted


def test_the_face_that_was_looked_at_has_a_box(written):
    first, second = open_clip(written).read([0, 1])
    height, width = first.shape[0], first.shape[1] - PANEL
    edge = (round(16 * height / 48), round(8 * width / 64))
    assert first[edge].mean() > 200 and abs(int(second[edge].mean()) - 120) < 10


def test_the_rate_is_that_of_the_file(written, tmp_path):
    assert frame_rate(written) == 30
    with av.open(str(written)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"  # what browsers play
    (tmp_path / "frames").mkdir()
    (tmp_path / "text.mp4").write_text("no video")
    assert frame_rate(tmp_path / "frames") is None
    assert frame_rate(tmp_path / "text.mp4") is None


def test_frames_of_other_sizes_and_odd_ones_are_shown_at_the_size_of_the_first(tmp_path):
    path = tmp_path / "out.mp4"
    write_annotated(path, [np.zeros((401, 333, 3), np.uint8), np.zeros((50, 77, 3), np.uint8)], SHARES[:2], CLASSES)
    assert [frame.shape for frame in open_clip(path).read([0, 1])] == [(400, 332 + PANEL, 3)] * 2


def test_a_failure_leaves_nothing_behind(tmp_path):
    def broken():
        yield FRAMES[0]
        raise cv2.error("damaged")

    with pytest.raises(cv2.error):
        write_annotated(tmp_path / "out.mp4", broken(), SHARES, CLASSES)
    assert list(tmp_path.iterdir()) == []
