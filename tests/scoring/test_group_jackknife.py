"""Intervals of metrics of labels and votes: like the exact jackknife, and holding the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.scoring.group_jackknife import spread_of_targets
from benchmark.scoring.intervals import jackknife, symmetric_interval
from benchmark.scoring.probabilities import top2

RANDOM = np.random.default_rng(4)


def mean(targets, probabilities):
    return float(targets.sum() / len(targets))


def test_few_clips_are_each_left_out():
    labels, probabilities = RANDOM.integers(0, 4, 60), RANDOM.dirichlet(np.ones(4), 60)
    without = [top2(np.delete(labels, i), np.delete(probabilities, i, axis=0)) for i in range(60)]
    expected = jackknife(top2(labels, probabilities), np.array(without))
    assert spread_of_targets(top2, labels, probabilities).variance == pytest.approx(expected.variance)


def test_ninety_five_of_a_hundred_intervals_hold_the_truth():
    held = 0
    for _ in range(300):
        targets = RANDOM.exponential(size=250)
        low, high = symmetric_interval(targets.mean(), spread_of_targets(mean, targets, targets[:, None]))
        held += low <= 1 <= high
    assert 0.91 <= held / 300 <= 0.98


def test_clips_that_belong_together_are_left_out_together():
    labels, probabilities = np.repeat(RANDOM.integers(0, 4, 20), 10), np.repeat(RANDOM.dirichlet(np.ones(4), 20), 10, 0)
    together = spread_of_targets(top2, labels, probabilities, np.repeat(np.arange(20), 10)).variance
    assert together > 5 * spread_of_targets(top2, labels, probabilities).variance


def test_one_clip_says_nothing():
    spread = spread_of_targets(top2, np.array([1]), np.array([[0.5, 0.5]]))
    assert symmetric_interval(1.0, spread) == (-np.inf, np.inf)
