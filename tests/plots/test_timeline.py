"""A clip over time: which windows hold a frame, what is drawn of it, and its frames."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.patches import Rectangle
from test_plots import CLASSES, words

from benchmark.plots import evenly, over_time, posterior_figure, timeline_figure

PIECES = [(0, 3, [0.6, 0.4, 0.0]), (2, 5, [0.2, 0.2, 0.6])]
FRAME = np.zeros((20, 30, 3), np.uint8)


def test_a_frames_probabilities_are_the_mean_over_the_windows_that_hold_it():
    found = over_time(PIECES, 8)
    assert found[:2] == pytest.approx(np.tile([0.6, 0.4, 0.0], (2, 1)))
    assert found[2:4] == pytest.approx(np.tile([0.4, 0.3, 0.3], (2, 1)))
    assert found[4:6] == pytest.approx(np.tile([0.2, 0.2, 0.6], (2, 1)))
    assert np.isnan(found[6:]).all()


def test_shown_frames_lie_evenly_and_are_never_more_than_there_are():
    assert evenly(60, 6) == [5, 15, 25, 35, 45, 55]
    assert evenly(3, 6) == [0, 1, 2]


def test_a_timeline_shows_every_probability_and_marks_the_most_probable_class():
    shares = over_time(PIECES, 6)
    figure = timeline_figure(shares, CLASSES, "T", rate=2.0)
    (mesh,) = [each for axes in figure.axes for each in axes.collections if isinstance(each, QuadMesh)][:1]
    assert np.asarray(mesh.get_array()).reshape(3, 3) == pytest.approx(100 * shares[[0, 2, 4]].T)
    assert np.asarray(mesh.get_coordinates())[0, :, 0] == pytest.approx([0, 1, 2, 3])  # seconds
    dots = np.asarray(figure.axes[0].lines[0].get_xydata())
    assert dots[:, 0] == pytest.approx((np.arange(6) + 0.5) / 2)
    assert dots[:, 1].tolist() == [0, 0, 0, 0, 2, 2]
    assert {*CLASSES, "seconds (dots: the most probable class)"} <= set(words(figure))


def test_frames_stand_above_with_their_times_and_faces():
    boxes = [None, (1.0, 2.0, 11.0, 12.0), None, None, None, None]
    figure = timeline_figure(over_time(PIECES, 6), CLASSES, "T", frames=[(1, FRAME), (4, FRAME)], boxes=boxes)
    first, second = figure.axes[:2]
    assert [axes.get_title() for axes in (first, second)] == ["frame 1", "frame 4"]
    drawn = [list(patch.get_bbox().extents) for patch in first.patches if isinstance(patch, Rectangle)]
    assert drawn == [[1.0, 2.0, 11.0, 12.0]] * 2  # white, and black in it
    assert not second.patches


def test_a_posterior_stands_below_the_frames_of_its_clip():
    figure = posterior_figure({"votes": SHARES}, CLASSES, "T", [(3, FRAME), (9, FRAME)])
    assert [axes.get_title() for axes in figure.axes[:2]] == ["frame 3", "frame 9"]
    assert [bar.get_width() for bar in figure.axes[2].containers[0]] == SHARES


SHARES = [0.5, 0.3, 0.2]


def test_probabilities_of_other_classes_are_refused():
    with pytest.raises(ValueError, match="for 3 classes"):
        timeline_figure(np.ones((4, 2)), CLASSES, "T")
