"""Differences between two runs against resampled clips, swapped predictions, scipy and hand-worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from benchmark.scoring import metrics
from benchmark.scoring.comparison import (
    Difference,
    confusions_of,
    discordant,
    holm,
    joint_confusion,
    mcnemar,
    paired_differences,
)

METRICS = {"uar": metrics.uar, "war": metrics.war, "macro_f1": metrics.macro_f1}
CLASSES = 3


def draw_clips(seed, clips=150, accuracies=(0.66, 0.58)):
    """True classes and two runs' predictions (3, N); half of the clips are answered alike, as similar models do."""
    random = np.random.default_rng(seed)
    true = random.choice(CLASSES, clips, p=[0.5, 0.3, 0.2])
    first, second = (np.where(random.random(clips) < a, true, random.integers(0, CLASSES, clips)) for a in accuracies)
    return np.stack([true, first, np.where(random.random(clips) < 0.5, first, second)])


def joint_of(clips):
    return joint_confusion(*clips, CLASSES)


def scored(clips, metric):
    """The difference of a metric, from the clips themselves."""
    true, *runs = clips
    first, second = (METRICS[metric](metrics.confusion_matrix(true, run, CLASSES)) for run in runs)
    return first - second


def resampled_clips(sets, metric, resamples=3000):
    """Brute force: in each set, clips drawn with replacement within their class."""
    random = np.random.default_rng(5)
    by_class = [[np.flatnonzero(clips[0] == k) for k in range(CLASSES)] for clips in sets]
    return np.array(
        [
            np.mean(
                [
                    scored(clips[:, np.concatenate([random.choice(own, own.size) for own in classes])], metric)
                    for clips, classes in zip(sets, by_class, strict=True)
                ]
            )
            for _ in range(resamples)
        ]
    )


def test_a_joint_confusion_counts_clips_by_true_class_and_both_predictions():
    joint = joint_confusion([0, 0, 1, 2], [0, 1, 1, 2], [0, 1, 2, 2], 3)
    assert joint.sum() == 4
    assert [int(joint[cell]) for cell in [(0, 0, 0), (0, 1, 1), (1, 1, 2), (2, 2, 2)]] == [1, 1, 1, 1]


def test_its_margins_are_the_two_confusions():
    clips = draw_clips(1)
    for margin, predicted in zip(confusions_of(joint_of(clips)), clips[1:], strict=True):
        np.testing.assert_array_equal(margin, confusion_matrix(clips[0], predicted, labels=range(CLASSES)))


@pytest.mark.parametrize("wrong", [[0, 3], [0, -1], [0]])
def test_predictions_that_do_not_fit_the_labels_are_refused(wrong):
    with pytest.raises(ValueError, match="class indices|equal length"):
        joint_confusion([0, 1], [0, 1], wrong, 3)


@pytest.mark.parametrize("seed", range(5))
def test_mcnemar_is_scipys_binomial_test_of_the_discordant_clips(seed):
    true, first, second = clips = draw_clips(seed)
    only_first = int(((first == true) & (second != true)).sum())
    only_second = int(((first != true) & (second == true)).sum())
    assert discordant(joint_of(clips)) == (only_first, only_second)
    assert mcnemar(joint_of(clips)) == binomtest(only_first, only_first + only_second).pvalue


def test_mcnemar_of_one_against_six_is_an_eighth():
    joint = np.zeros((2, 2, 2), dtype=int)
    joint[0, 0, 1], joint[1, 0, 1], joint[0, 0, 0] = 1, 6, 50
    assert mcnemar(joint) == pytest.approx(2 * (1 + 7) / 2**7)


def test_clips_that_both_runs_get_wrong_do_not_move_mcnemar():
    joint = joint_of(draw_clips(2))
    more = joint.copy()
    more[0, 1, 2] += 40
    assert mcnemar(more) == mcnemar(joint)


@pytest.mark.parametrize("metric", METRICS)
def test_the_interval_and_p_are_those_of_resampling_clips_within_their_class(metric):
    sets = [draw_clips(seed) for seed in (3, 4)]
    found = paired_differences([joint_of(clips)[None] for clips in sets], METRICS)[metric]
    assert found.value == pytest.approx(np.mean([scored(clips, metric) for clips in sets]))
    samples = resampled_clips(sets, metric)
    # The 2.5 % point of 3,000 resamples has a standard error of about 0.05 interval half-widths.
    expected = np.percentile(samples, [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx(expected, abs=0.1 * (found.high - found.low))
    p = 2 * min((samples <= 0).mean(), (samples >= 0).mean())
    assert found.p == pytest.approx(p, abs=4 * np.sqrt(2 * p / 3000) + 2 / 3000)


def test_p_is_near_that_of_swapping_the_two_runs_at_random():
    true, first, second = draw_clips(11, clips=600, accuracies=(0.64, 0.57))
    found = paired_differences([joint_confusion(true, first, second, CLASSES)[None]], METRICS)["war"]
    gains = (first == true).astype(int) - (second == true)
    signs = np.random.default_rng(6).choice([-1, 1], (20_000, gains.size))
    permuted = (np.abs(signs @ gains) >= abs(gains.sum())).mean()
    assert 0.005 < permuted < 0.5
    assert found.p == pytest.approx(permuted, rel=0.3)


def test_without_a_difference_p_is_small_as_rarely_as_it_says():
    draws = [joint_of(draw_clips(seed, accuracies=(0.6, 0.6)))[None] for seed in range(100, 180)]
    false = sum(paired_differences([joint], {"uar": metrics.uar})["uar"].p < 0.05 for joint in draws)
    # 4 of 80 are expected; 12 or more would come once in two thousand times.
    assert false < 12


@pytest.mark.parametrize("metric", METRICS)
def test_swapping_the_runs_swaps_the_result(metric):
    folds = [joint_of(draw_clips(seed))[None] for seed in (3, 4)]
    there = paired_differences(folds, METRICS)[metric]
    back = paired_differences([fold.swapaxes(2, 3) for fold in folds], METRICS)[metric]
    assert back == Difference(-there.value, -there.high, -there.low, there.p)
    assert there.value != 0


def test_runs_that_mirror_each_other_have_a_symmetric_interval():
    joint = joint_of(draw_clips(3))
    found = paired_differences([(joint + joint.swapaxes(1, 2))[None]], METRICS)["uar"]
    assert found.value == 0
    assert found.low == -found.high < 0
    assert found.p > 0.9


def test_identical_runs_do_not_differ():
    true, first, _ = draw_clips(7)
    found = paired_differences([joint_confusion(true, first, first, CLASSES)[None]], METRICS)
    assert found == dict.fromkeys(METRICS, Difference(0.0, 0.0, 0.0, 1.0))


def test_pairing_narrows_the_interval_of_runs_that_agree_on_most_clips():
    true, first, second = draw_clips(3)
    shuffled = second.copy()
    for k in range(CLASSES):
        own = np.flatnonzero(true == k)
        shuffled[own] = np.random.default_rng(k).permutation(second[own])
    paired, unpaired = (
        paired_differences([joint_confusion(true, first, other, CLASSES)[None]], METRICS)["uar"]
        for other in (second, shuffled)
    )
    assert paired.value == unpaired.value
    assert paired.high - paired.low < 0.85 * (unpaired.high - unpaired.low)


def test_seeds_on_the_same_clips_do_not_narrow_the_interval_but_folds_do():
    joint = joint_of(draw_clips(3))
    one = paired_differences([joint[None]], METRICS)["uar"]
    seeds = paired_differences([np.stack([joint] * 4)], METRICS)["uar"]
    folds = paired_differences([joint[None]] * 4, METRICS)["uar"]
    width = one.high - one.low
    assert seeds.value == folds.value == pytest.approx(one.value)
    assert seeds.high - seeds.low == pytest.approx(width, rel=0.05)
    assert folds.high - folds.low == pytest.approx(width / 2, rel=0.05)


def test_each_unit_counts_once_in_the_value():
    one, two, three = (draw_clips(seed) for seed in (3, 3, 4))
    two = np.stack([two[0], two[2], two[1]])
    sets = [np.stack([joint_of(one), joint_of(two)]), joint_of(three)[None]]
    expected = np.mean([scored(clips, "macro_f1") for clips in (one, two, three)])
    assert paired_differences(sets, METRICS)["macro_f1"].value == pytest.approx(expected)


def test_units_with_other_clips_cannot_be_one_set():
    with pytest.raises(ValueError, match="same number of clips"):
        paired_differences([np.stack([joint_of(draw_clips(3)), joint_of(draw_clips(4))])], METRICS)


def test_the_result_is_the_one_of_every_machine():
    joint = np.array([[[30, 6], [2, 8]], [[4, 1], [5, 20]]])
    np.random.seed(1)
    found = paired_differences([joint[None]], {"uar": metrics.uar})["uar"]
    assert found == Difference(value=0.1101449275, low=0.0166666667, high=0.2137681159, p=0.024997500249975)


def test_holm_of_a_hand_worked_example():
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, then 0.04 x 1 may not fall below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_one_and_leaves_a_single_p_alone():
    assert holm([0.6, 0.9, 0.7]) == [1.0, 1.0, 1.0]
    assert holm([0.2]) == [0.2]
