"""DFER-C: every way of spoiling a clip keeps its form, can be found again, and grows with its severity."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmark.video.corruptions import CORRUPTIONS, SEVERITIES, corrupt

TIME, HEIGHT, WIDTH = 12, 60, 48


@pytest.fixture(scope="module")
def clip():
    """A picture of soft spots that moves to the right, and brighter from frame to frame."""
    spots = cv2.GaussianBlur(np.random.default_rng(1).uniform(0, 255, (HEIGHT, 2 * WIDTH, 3)), (0, 0), 2)
    spots = (spots - spots.min()) / np.ptp(spots) * 200
    return [np.ascontiguousarray(spots[:, 2 * t : 2 * t + WIDTH] + 4 * t).astype(np.uint8) for t in range(TIME)]


def spoiled(clip, name, severity, seed=0):
    return corrupt(clip, name, severity, np.random.default_rng(seed))


def distance(clip, name, severity):
    """Mean over draws of the mean square difference."""
    return np.mean([np.square(np.subtract(spoiled(clip, name, severity, s), clip, dtype=float)) for s in range(12)])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_number_size_and_type_stay_and_the_given_frames_are_not_touched(clip, name):
    before = [frame.copy() for frame in clip]
    frames = spoiled(clip, name, 5)
    assert [frame.shape for frame in frames] == [(HEIGHT, WIDTH, 3)] * TIME
    assert {frame.dtype for frame in frames} == {np.dtype(np.uint8)}
    assert all(frame.flags.c_contiguous for frame in frames)
    assert np.array_equal(clip, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_stream_gives_the_same_clip(clip, name):
    assert np.array_equal(spoiled(clip, name, 3, 7), spoiled(clip, name, 3, 7))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_severity_is_worse_than_the_one_before(clip, name):
    distances = [distance(clip, name, severity) for severity in SEVERITIES]
    assert distances == sorted(distances)
    assert 0 < distances[0] < distances[-1]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_clip_of_one_frame_is_spoiled_as_well(clip, name):
    assert len(spoiled(clip[:1], name, 5)) == 1


def test_a_frozen_clip_shows_one_frame_for_the_stated_share_of_the_time(clip):
    frames = spoiled(clip, "frozen", 3)
    repeated = [np.array_equal(frames[t], frames[t - 1]) for t in range(1, TIME)]
    assert sum(repeated) == 6
    assert sum(repeated[repeated.index(True) : repeated.index(True) + 6]) == 6


def test_a_clip_with_dropped_frames_keeps_its_order_and_shows_the_stated_share(clip):
    frames = spoiled(clip, "dropped", 3)
    order = [next(t for t in range(TIME) if np.array_equal(frame, clip[t])) for frame in frames]
    assert order == sorted(order)
    assert len(set(order)) == 6


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_stated_share_is_behind_grey(clip, severity):
    (frame, *_) = spoiled(clip, "occlusion", severity, seed=severity)
    hidden = (frame == 128).all(axis=2)
    assert hidden.mean() == pytest.approx(0.1 * severity, abs=0.02)
    assert hidden.all(axis=0).any() or hidden.all(axis=1).any()


def test_low_light_keeps_the_stated_share_of_it(clip):
    assert np.mean(spoiled(clip, "low-light", 3)) / np.mean(clip) == pytest.approx(0.3, rel=0.02)


def test_blur_keeps_the_light_and_acts_along_one_direction(clip):
    dot = np.zeros((61, 61, 3), np.uint8)
    dot[30, 30] = 255
    (smeared,) = corrupt([dot], "motion-blur", 4, np.random.default_rng(3))
    rows, columns = np.nonzero(smeared[..., 0])
    spread = np.linalg.svd(np.stack([rows, columns]) - [[rows.mean()], [columns.mean()]], compute_uv=False)
    assert spread[0] > 4 * spread[1]
    assert np.mean(spoiled(clip, "motion-blur", 5)) == pytest.approx(np.mean(clip), rel=0.02)


def test_a_jpeg_is_what_opencv_writes(clip):
    _, data = cv2.imencode(".jpg", cv2.cvtColor(clip[0], cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 13])
    written = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert written is not None
    assert np.array_equal(spoiled(clip, "jpeg", 3)[0], cv2.cvtColor(written, cv2.COLOR_BGR2RGB))


def test_a_trembling_box_moves_by_no_more_than_stated():
    edge = np.zeros((100, 100, 3), np.uint8)
    edge[:, 50:] = 255
    frames = corrupt([edge] * 40, "trembling", 3, np.random.default_rng(2))
    places = [np.count_nonzero(frame[50, :, 0] < 128) for frame in frames]
    assert len(set(places)) > 5
    assert all(abs(place - 50) <= 7 + 1 for place in places)
