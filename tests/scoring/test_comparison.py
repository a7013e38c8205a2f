"""Differences between two runs against removed clips, swapped predictions, scipy and hand-worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, t, ttest_rel

from benchmark.scoring import metrics
from benchmark.scoring.comparison import (
    Answers,
    Difference,
    difference,
    discordant,
    holm,
    mcnemar,
    moved_by_clips,
    moved_by_clusters,
    p_value,
    paired_spread,
)
from benchmark.scoring.intervals import Spread
from benchmark.scoring.metrics import confusion_matrix

METRICS = {"uar": metrics.uar, "war": metrics.war, "macro_f1": metrics.macro_f1}
CLASSES = 3


def draw_clips(seed, clips=150, accuracies=(0.66, 0.58)):
    """True classes and two runs' predictions (3, N); half of the clips are answered alike, as similar models do."""
    random = np.random.default_rng(seed)
    true = random.choice(CLASSES, clips, p=[0.5, 0.3, 0.2])
    first, second = (np.where(random.random(clips) < a, true, random.integers(0, CLASSES, clips)) for a in accuracies)
    return np.stack([true, first, np.where(random.random(clips) < 0.5, first, second)])


def answers(true, *runs, fold=1, clusters=None):
    """What one run's units, of one fold and several seeds, answered."""
    return Answers(true, np.stack(runs), (fold,) * len(runs), clusters)


def compare(first, second, metric="uar"):
    """The difference of two runs, each a list of answers, one for each set of clips."""
    one, other = (moved_by_clips(run, METRICS[metric], CLASSES) for run in (first, second))
    return difference(one.value, other.value, paired_spread(one, other))


def compare_clips(clips, metric="uar", **more):
    return compare([answers(clips[0], clips[1], **more)], [answers(clips[0], clips[2], **more)], metric)


def scored(clips, metric):
    """The difference of a metric, from the clips themselves."""
    true, *runs = clips
    first, second = (METRICS[metric](confusion_matrix(true, run, CLASSES)) for run in runs)
    return float(first - second)


@pytest.mark.parametrize("metric", METRICS)
def test_the_interval_is_students_over_clips_removed_one_by_one(metric):
    sets = [draw_clips(seed) for seed in (3, 4)]
    found = compare(
        [answers(s[0], s[1], fold=k) for k, s in enumerate(sets)],
        [answers(s[0], s[2], fold=k) for k, s in enumerate(sets)],
        metric,
    )
    variance = 0.0
    for clips in sets:
        left_out = np.array([scored(np.delete(clips, k, axis=1), metric) for k in range(clips.shape[1])])
        for k in range(CLASSES):
            own = left_out[clips[0] == k]
            variance += (own.size - 1) / own.size * ((own - own.mean()) ** 2).sum() / 4
    value = np.mean([scored(clips, metric) for clips in sets])
    assert found.value == pytest.approx(value)
    # Some 300 clips: whatever the degrees of freedom, Student's t is close to the normal distribution's.
    assert (found.high - found.low) / 2 == pytest.approx(1.97 * variance**0.5, rel=0.02)
    assert found.p == pytest.approx(2 * t.sf(abs(value) / variance**0.5, 150), rel=0.1)


def test_of_one_class_it_is_scipys_paired_t_test():
    true = np.zeros(60, dtype=np.int64)
    first, second = (np.random.default_rng(k).choice(CLASSES, 60, p=[p, 0.3, 0.7 - p]) for k, p in ((0, 0.6), (1, 0.4)))
    one, other = (moved_by_clips([answers(true, run)], METRICS["war"], CLASSES) for run in (first, second))
    spread = paired_spread(one, other)
    expected = ttest_rel((first == 0).astype(float), (second == 0).astype(float))
    assert (one.value - other.value) / spread.variance**0.5 == pytest.approx(expected.statistic)
    assert p_value(one.value - other.value, spread) == pytest.approx(expected.pvalue, rel=0.05)


def test_p_is_near_that_of_swapping_the_two_runs_at_random():
    true, first, second = clips = draw_clips(11, clips=600, accuracies=(0.64, 0.57))
    gains = (first == true).astype(int) - (second == true)
    signs = np.random.default_rng(6).choice([-1, 1], (20_000, gains.size))
    permuted = (np.abs(signs @ gains) >= abs(gains.sum())).mean()
    assert 0.005 < permuted < 0.5
    assert compare_clips(clips, "war").p == pytest.approx(permuted, rel=0.3)


def clusters_of(count, seed, difference_of=0.0, clips=20):
    """Clips of `count` subjects; how much better a run is differs from subject to subject."""
    random = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(count), clips)
    true = random.choice(CLASSES, numbers.size)
    runs = []
    for better in (difference_of, 0.0):
        accuracy = np.clip(0.55 + better + 0.25 * random.standard_normal(count), 0, 1)[numbers]
        runs.append(np.where(random.random(numbers.size) < accuracy, true, (true + 1) % CLASSES))
    return np.stack([true, *runs]), numbers


def test_with_clusters_p_is_near_that_of_swapping_the_runs_for_whole_clusters():
    clips, numbers = clusters_of(40, 5, 0.06)
    true, first, second = clips
    gains = np.bincount(numbers, (first == true).astype(float) - (second == true))
    signs = np.random.default_rng(6).choice([-1, 1], (20_000, gains.size))
    permuted = (np.abs(signs @ gains) >= abs(gains.sum()) - 1e-9).mean()
    assert 0.005 < permuted < 0.6
    assert compare_clips(clips, "war", clusters=numbers).p == pytest.approx(permuted, rel=0.3)


def test_without_a_difference_p_is_small_as_rarely_as_it_says():
    draws = [draw_clips(seed, accuracies=(0.6, 0.6)) for seed in range(100, 400)]
    # Of the second run half of the answers are the first's: exchanged at random, neither is better.
    for clips in draws:
        swap = np.random.default_rng(clips.sum()).random(clips.shape[1]) < 0.5
        clips[1, swap], clips[2, swap] = clips[2, swap], clips[1, swap]
    false = sum(compare_clips(clips).p < 0.05 for clips in draws)
    assert 4 <= false <= 28  # 15 expected; further off would come once in a thousand times


def test_nor_does_it_where_clips_share_a_subject_though_it_would_if_they_were_taken_as_independent():
    draws = [clusters_of(30, seed) for seed in range(200)]
    honest = sum(compare_clips(clips, clusters=numbers).p < 0.05 for clips, numbers in draws)
    loose = sum(compare_clips(clips).p < 0.05 for clips, _ in draws)
    assert honest <= 20  # 10 expected
    assert loose > 40


@pytest.mark.parametrize("metric", METRICS)
def test_swapping_the_runs_swaps_the_result(metric):
    true, first, second = draw_clips(3)
    there, back = (compare_clips(np.stack([true, *runs]), metric) for runs in ((first, second), (second, first)))
    assert back == Difference(-there.value, -there.high, -there.low, there.p)
    assert there.value != 0


def test_identical_runs_do_not_differ():
    true, first, _ = draw_clips(7)
    assert compare_clips(np.stack([true, first, first])) == Difference(0.0, 0.0, 0.0, 1.0)


def test_pairing_narrows_the_interval_of_runs_that_agree_on_most_clips():
    true, first, second = draw_clips(3)
    shuffled = second.copy()
    for k in range(CLASSES):
        own = np.flatnonzero(true == k)
        shuffled[own] = np.random.default_rng(k).permutation(second[own])
    paired, unpaired = (compare_clips(np.stack([true, first, other])) for other in (second, shuffled))
    assert paired.value == unpaired.value
    assert paired.high - paired.low < 0.85 * (unpaired.high - unpaired.low)


def test_seeds_that_answer_alike_do_not_narrow_the_interval_but_folds_do():
    true, first, second = draw_clips(3)
    one = compare_clips(draw_clips(3))
    seeds = compare([answers(true, *[first] * 4)], [answers(true, *[second] * 4)])
    folds = compare(*([answers(true, run, fold=k) for k in range(4)] for run in (first, second)))
    width = one.high - one.low
    assert seeds.value == folds.value == pytest.approx(one.value)
    assert seeds.high - seeds.low == pytest.approx(width, rel=0.05)
    assert folds.high - folds.low == pytest.approx(width / 2, rel=0.05)


def test_runs_with_other_numbers_of_seeds_are_paired_over_their_clips():
    true, first, second = draw_clips(3)
    third = draw_clips(3, accuracies=(0.6, 0.6))[1]
    found = compare([answers(true, first, third)], [answers(true, second)])
    expected = np.mean([scored(np.stack([true, run, second]), "uar") for run in (first, third)])
    assert found.value == pytest.approx(expected)
    apart = (found.high - found.low) / 2
    alone = [(moved_by_clips([answers(true, run)], METRICS["uar"], CLASSES)) for run in (first, second)]
    independent = sum(paired_spread(one, zero(one)).variance for one in alone) ** 0.5
    assert apart < 1.96 * independent


def zero(moved):
    """A run that always has the same score."""
    return type(moved)(
        (0.0,) * len(moved.values), tuple(np.zeros_like(a) for a in moved.left_out), moved.strata, moved.weights, None
    )


def test_the_spread_covers_seeds_where_both_runs_have_several():
    true, first, second = draw_clips(3)
    other = draw_clips(3, accuracies=(0.4, 0.4))[1]
    one, several = (
        moved_by_clips([answers(true, *runs)], METRICS["uar"], CLASSES) for runs in ((second,), (first, other))
    )
    assert one.seeds is None
    assert several.seeds is not None
    assert paired_spread(several, several).variance == pytest.approx(2 * several.seeds.variance)
    clips_only = paired_spread(several, one)
    assert clips_only.units == 150


def test_confusions_of_clusters_say_as_much_as_their_clips():
    clips, numbers = clusters_of(25, 1)
    runs = [[answers(clips[0], clips[k], clusters=numbers)] for k in (1, 2)]
    by_clips = [moved_by_clips(run, METRICS["macro_f1"], CLASSES) for run in runs]
    by_counts = [moved_by_clusters([one.tested(CLASSES) for one in run], METRICS["macro_f1"]) for run in runs]
    assert paired_spread(*by_clips) == paired_spread(*by_counts)


def test_predictions_outside_the_classes_are_refused():
    for wrong in (3, -1):
        with pytest.raises(ValueError, match="class indices"):
            answers(np.array([0, 1]), np.array([0, wrong])).tested(CLASSES)


def test_a_difference_without_any_spread_has_the_sign_tests_p():
    assert p_value(0.5, Spread(0.0, 0.0, 4, 5)) == pytest.approx(binomtest(0, 5).pvalue)
    assert p_value(0.5, Spread(float("inf"), 0.0, 1, 1)) == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_mcnemar_is_scipys_binomial_test_of_the_discordant_clips(seed):
    true, first, second = draw_clips(seed)
    only_first = int(((first == true) & (second != true)).sum())
    only_second = int(((first != true) & (second == true)).sum())
    assert discordant(true, first, second) == (only_first, only_second)
    assert mcnemar(only_first, only_second) == binomtest(only_first, only_first + only_second).pvalue


def test_mcnemar_of_one_against_six_is_an_eighth():
    assert mcnemar(1, 6) == pytest.approx(2 * (1 + 7) / 2**7)
    assert mcnemar(0, 0) == 1.0


def test_holm_of_a_hand_worked_example():
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, then 0.04 x 1 may not fall below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_one_and_leaves_a_single_p_alone():
    assert holm([0.6, 0.9, 0.7]) == [1.0, 1.0, 1.0]
    assert holm([0.2]) == [0.2]
