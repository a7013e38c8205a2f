"""Intervals against scipy, closed forms and brute force; their coverage in simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap, t

from benchmark.scoring.clipsets import ClipSet, spread_of_mean, spread_over_clips, spread_over_seeds
from benchmark.scoring.intervals import Spread, combined, interval, jackknife, wilson_interval
from benchmark.scoring.metrics import confusion_matrix, macro_f1, uar, war
from timings import intervals as simulation

CONFUSION = np.array([[80, 15, 5], [10, 25, 5], [6, 4, 2]])
METRICS = [uar, war, macro_f1]


def clips_of(confusion):
    """True and predicted class of every clip."""
    return (np.repeat(index, confusion.ravel()) for index in map(np.ravel, np.indices(confusion.shape)))


def videos(count, seed=0, frames=40):
    """Confusions (C, 3, 3) of videos, each of which a model treats in its own way."""
    random = np.random.default_rng(seed)
    found = np.zeros((count, 3, 3), dtype=np.int64)
    for one in found:
        for true, clips in enumerate(random.multinomial(frames, random.dirichlet([2, 1, 1]))):
            one[true] = random.multinomial(clips, random.dirichlet(np.eye(3)[true] * 2 + 0.7))
    return found


def clustered(by_video):
    return ClipSet(by_video.sum(axis=0)[None], (1,), by_video[None])


@pytest.mark.parametrize(("successes", "total"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 29), (412, 489)])
def test_wilson_is_scipys(successes, total):
    expected = binomtest(successes, total).proportion_ci(method="wilson")
    assert wilson_interval(successes, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_no_clips_is_refused():
    with pytest.raises(ValueError, match="not a proportion"):
        wilson_interval(0, 0)


def test_the_jackknife_of_a_mean_is_the_textbooks():
    values = np.random.default_rng(1).exponential(size=40)
    spread = jackknife(values.mean(), (values.sum() - values) / 39)
    assert spread.variance == pytest.approx(values.var(ddof=1) / 40)
    assert spread.bias == pytest.approx(0, abs=1e-12)
    assert spread.units == 40
    assert spread.freedom < 39


def test_the_jackknifes_bias_of_the_plug_in_variance_is_known():
    values = np.random.default_rng(2).normal(size=25)
    left_out = np.array([np.delete(values, k).var() for k in range(25)])
    assert jackknife(values.var(), left_out).bias == pytest.approx(-values.var(ddof=1) / 25)


def test_a_score_without_each_clip_is_found_by_removing_it():
    """The cells' shortcut against removing every clip in turn."""
    true, predicted = clips_of(CONFUSION)
    for metric in METRICS:
        variance = 0.0
        for k in range(3):
            left_out = []
            for clip in np.flatnonzero(true == k):
                rest = np.arange(true.size) != clip
                left_out.append(float(metric(confusion_matrix(true[rest], predicted[rest], 3))))
            n = len(left_out)
            variance += (n - 1) / n * ((np.array(left_out) - np.mean(left_out)) ** 2).sum()
        assert spread_over_clips(metric, ClipSet(CONFUSION[None], (1,))).variance == pytest.approx(variance)


def test_the_variance_of_uar_is_the_sum_of_the_recalls_binomial_variances():
    recalls, clips = np.diag(CONFUSION) / CONFUSION.sum(axis=1), CONFUSION.sum(axis=1)
    expected = (recalls * (1 - recalls) / (clips - 1)).sum() / 9
    assert spread_over_clips(uar, ClipSet(CONFUSION[None], (1,))).variance == pytest.approx(expected)


@pytest.mark.parametrize("metric", METRICS)
def test_of_many_videos_it_is_near_scipys_bootstrap_of_whole_videos(metric):
    by_video = videos(300)
    low, high = interval(float(metric(by_video.sum(axis=0))), spread_over_clips(metric, clustered(by_video)))

    def score(numbers, axis):
        return metric(by_video[numbers.astype(int)].sum(axis=-3))

    found = bootstrap(
        (np.arange(300),), score, vectorized=True, method="percentile", n_resamples=2000, random_state=0
    ).confidence_interval
    assert (low, high) == pytest.approx((found.low, found.high), abs=0.15 * (high - low))


def test_frames_of_one_video_are_no_new_evidence():
    by_video = videos(40)
    longer = 25 * by_video
    few, many = (spread_over_clips(uar, clustered(one)) for one in (by_video, longer))
    assert many.variance == pytest.approx(few.variance)
    loose = spread_over_clips(uar, ClipSet(longer.sum(axis=0)[None], (1,)))
    assert loose.variance < many.variance / 10


def test_clusters_of_one_clip_each_are_clips_except_for_the_classes_sizes():
    true, predicted = clips_of(10 * CONFUSION)
    each = np.zeros((true.size, 3, 3), dtype=np.int64)
    each[np.arange(true.size), true, predicted] = 1
    one = spread_over_clips(uar, clustered(each))
    other = spread_over_clips(uar, ClipSet(10 * CONFUSION[None], (1,)))
    assert one.variance == pytest.approx(other.variance, rel=0.02)


def test_a_class_that_one_video_holds_alone_does_not_vary():
    by_video = videos(20)
    by_video[1:, 2] = 0
    without = by_video.copy()
    without[0, 2] = 0
    kept, dropped = (spread_over_clips(uar, clustered(one)).variance for one in (by_video, without))
    assert kept == pytest.approx(dropped * 4 / 9, rel=0.2)


def test_one_video_says_nothing():
    assert interval(0.5, spread_over_clips(uar, clustered(videos(1)))) == (0.0, 1.0)


def test_when_every_clip_is_right_the_interval_is_wilsons():
    found = interval(1.0, spread_over_clips(uar, ClipSet(np.diag([30, 20, 10])[None], (1,))))
    assert found == wilson_interval(60, 60)


def test_an_interval_is_students_on_log_odds_and_reaches_out_where_the_bias_points():
    value, spread = 0.8, Spread(0.0009, 0.0, 12, 50)
    half = t.ppf(0.975, 12) * 0.03 / (0.8 * 0.2)
    centre = math.log(0.8 / 0.2)
    expected = [1 / (1 + math.exp(-x)) for x in (centre - half, centre + half)]
    assert interval(value, spread) == pytest.approx(expected)
    low, high = interval(value, Spread(0.0009, -0.01, 12, 50))
    assert low == pytest.approx(expected[0])
    assert high > expected[1]


def test_independent_spreads_add_and_a_doubtful_one_decides_the_degrees_of_freedom():
    sure, doubtful = Spread(1e-6, 0.0, 1000, 1000), Spread(1e-2, 0.1, 3, 4)
    found = combined([sure, doubtful], [0.5, 0.5])
    assert found.variance == pytest.approx((1e-6 + 1e-2) / 4)
    assert found.bias == pytest.approx(0.05)
    assert found.freedom == pytest.approx(3, rel=0.01)


def test_seeds_on_the_same_clips_do_not_narrow_what_the_clips_leave_open():
    one = spread_of_mean(uar, [ClipSet(CONFUSION[None], (1,))])
    three = spread_of_mean(uar, [ClipSet(np.stack([CONFUSION] * 3), (1, 1, 1))])
    assert three.variance == pytest.approx(one.variance)


def test_seeds_that_differ_widen_it_by_their_own_standard_error():
    other = CONFUSION + np.array([[-20, 20, 0], [-5, 5, 0], [3, -3, 0]])
    both = ClipSet(np.stack([CONFUSION, other]), (1, 1))
    scores = uar(both.confusions)
    seeds = spread_over_seeds(uar, [both])
    assert seeds.variance == pytest.approx(scores.var(ddof=1) / 2)
    assert seeds.freedom == 1
    clips = spread_over_clips(uar, both).variance
    assert spread_of_mean(uar, [both]).variance == pytest.approx(clips + seeds.variance)


def test_folds_are_not_seeds():
    sets = [ClipSet(CONFUSION[None], (1,)), ClipSet(CONFUSION[::-1, ::-1][None], (2,))]
    assert spread_over_seeds(uar, sets) is None
    assert spread_over_seeds(uar, [ClipSet(np.stack([CONFUSION] * 2), (1, 2))]) is None


def test_units_that_contradict_each_other_on_their_clips_are_refused():
    with pytest.raises(ValueError, match="number of them in each class"):
        ClipSet(np.stack([CONFUSION, 2 * CONFUSION]), (1, 1))
    by_video = videos(3)
    with pytest.raises(ValueError, match="do not sum"):
        ClipSet(CONFUSION[None], (1,), by_video[None])
    total = by_video.sum(axis=0)
    with pytest.raises(ValueError, match="in each cluster"):
        ClipSet(np.stack([total, total]), (1, 1), np.stack([by_video, by_video[::-1]]))


def test_frames_taken_as_independent_hold_the_truth_in_hardly_any_case():
    found = simulation.coverage(simulation.DESIGNS[0], 60)
    assert all(one.frames[0] < 0.3 for one in found.values())
    assert all(one.published[0] > 0.8 for one in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("number", range(6))
def test_95_percent_intervals_hold_the_truth_in_93_to_97_of_100_cases(number):
    draws = 2000
    error = 2.6 * (0.95 * 0.05 / draws) ** 0.5  # of the measured coverage, at 99 %
    for name, one in simulation.coverage(simulation.DESIGNS[number], draws).items():
        assert 0.93 - error <= one.published[0] <= 0.97 + error, name


@pytest.mark.slow
def test_they_do_for_independent_clips_too():
    assert all(0.92 <= held <= 0.98 for held in simulation.clip_coverage(2000).values())
