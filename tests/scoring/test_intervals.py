"""Intervals against scipy, closed forms and a bootstrap that really resamples clips."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmark.scoring import intervals
from benchmark.scoring.intervals import percentile_interval, resample, wilson_interval
from benchmark.scoring.metrics import confusion_matrix, macro_f1, uar, war

CONFUSION = np.array([[80, 15, 5], [10, 25, 5], [6, 4, 2]])


@pytest.mark.parametrize(("successes", "total"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 29), (412, 489)])
def test_wilson_is_scipys(successes, total):
    expected = binomtest(successes, total).proportion_ci(method="wilson")
    assert wilson_interval(successes, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_no_clips_is_refused():
    with pytest.raises(ValueError, match="not a proportion"):
        wilson_interval(0, 0)


@pytest.mark.parametrize("metric", [uar, war, macro_f1])
def test_the_interval_is_that_of_resampling_clips_within_their_class(metric):
    labels, predicted = (np.repeat(index, CONFUSION.ravel()) for index in map(np.ravel, np.indices((3, 3))))
    by_class = [np.flatnonzero(labels == k) for k in range(3)]
    random = np.random.default_rng(3)
    scores = []
    for _ in range(4000):
        drawn = np.concatenate([random.choice(clips, clips.size) for clips in by_class])
        scores.append(metric(confusion_matrix(labels[drawn], predicted[drawn], 3)))
    low, high = percentile_interval(metric(resample(CONFUSION)))
    # The 2.5 % point of 4,000 resamples has a standard error of about 0.04 interval half-widths.
    assert (low, high) == pytest.approx(np.percentile(scores, [2.5, 97.5]), abs=0.1 * (high - low))


def test_every_resample_keeps_the_class_sizes():
    assert (resample(CONFUSION, 500).sum(axis=2) == CONFUSION.sum(axis=1)).all()


def test_cells_without_clips_stay_empty():
    confusion = np.array([[1, 2, 0], [0, 0, 0], [0, 0, 9]])
    drawn = resample(confusion, 500)
    assert not drawn[:, confusion == 0].any()


def test_the_number_of_clips_drawn_can_differ_from_the_counts():
    assert (resample(2 * CONFUSION, 500, clips=CONFUSION.sum(axis=1)).sum(axis=2) == CONFUSION.sum(axis=1)).all()


def test_draws_depend_on_the_confusion_alone():
    first = resample(CONFUSION, 50)
    resample(CONFUSION.T, 50)
    np.random.rand(10)
    intervals._draw.cache_clear()
    np.testing.assert_array_equal(resample(CONFUSION, 50), first)


def test_draws_are_the_ones_of_every_machine():
    """A stored interval must be found again under another numpy: change this only with the record's schema version."""
    assert resample(CONFUSION, 2).tolist() == [
        [[84, 12, 4], [8, 27, 5], [7, 3, 2]],
        [[81, 17, 2], [10, 26, 4], [6, 3, 3]],
    ]


def test_another_stream_is_drawn_independently():
    assert (resample(CONFUSION, 50, stream=0) != resample(CONFUSION, 50, stream=1)).any()
