"""Exchanged classes are noticed; models that are only bad, small or one-sided are not accused."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.scoring.permutation import better_permutation

CLASSES = 7
# DFEW's clips by class, fold 1.
SHARES = np.array([489, 379, 534, 435, 294, 29, 181]) / 2341


def drawn(rates, clips, seed=0, shares=SHARES):
    """A confusion of `clips` clips of which class k is predicted as j with probability rates[k, j]."""
    rng = np.random.default_rng(seed)
    return np.array([rng.multinomial(n, row) for n, row in zip(rng.multinomial(clips, shares), rates, strict=True)])


def model(recall):
    return recall * np.eye(CLASSES) + (1 - recall) * SHARES


@pytest.mark.parametrize("recall", [0.35, 0.6, 0.9])
def test_a_whole_other_order_is_found(recall):
    order = np.array([3, 5, 6, 0, 4, 1, 2])
    found = better_permutation(drawn(model(recall), 1870)[:, order])
    assert found is not None
    # Class 4 is in its place in both orders.
    expected = {k: list(order).index(k) for k in range(CLASSES) if k != 4}
    assert set(expected.items()) >= set(zip(found.classes, found.predicted, strict=True))
    assert len(found.classes) >= 5
    assert found.swapped > 2 * found.recall


def test_two_swapped_classes_are_named_and_no_other():
    found = better_permutation(drawn(model(0.7), 600)[:, [1, 0, 2, 3, 4, 5, 6]])
    assert (found.classes, found.predicted) == ((0, 1), (1, 0))
    assert found.recall < 0.2 < 0.6 < found.swapped


def test_a_few_dozen_clips_of_a_good_model_are_enough():
    assert better_permutation(np.roll(drawn(model(0.9), 67), 1, axis=1)) is not None


def test_classes_without_clips_do_not_hide_the_others():
    confusion = np.roll(drawn(model(0.8), 1870), 1, axis=1)
    confusion[5] = 0
    found = better_permutation(confusion)
    assert 5 not in found.classes
    assert len(found.classes) == 6


@pytest.mark.parametrize("clips", [14, 67, 200, 1870])
@pytest.mark.parametrize("kind", ["uniform", "skewed", "two classes", "one class"])
def test_predictions_that_ignore_the_clip_are_never_taken_for_swapped_ones(kind, clips):
    for seed in range(150):
        rng = np.random.default_rng(seed)
        row = {
            "uniform": np.full(CLASSES, 1 / CLASSES),
            "skewed": rng.dirichlet(np.full(CLASSES, 0.5)),
            "two classes": np.isin(np.arange(CLASSES), rng.choice(CLASSES, 2, replace=False)) / 2,
            "one class": np.eye(CLASSES)[rng.integers(CLASSES)],
        }[kind]
        assert better_permutation(drawn(np.tile(row, (CLASSES, 1)), clips, seed)) is None


@pytest.mark.parametrize("recall", [0.2, 0.4, 0.7, 1.0])
@pytest.mark.parametrize("clips", [67, 1870])
def test_models_whose_classes_are_in_place_are_left_alone(recall, clips):
    assert all(better_permutation(drawn(model(recall), clips, seed)) is None for seed in range(50))


def test_two_classes_that_are_often_confused_are_not_swapped():
    rates = model(0.6)
    rates[5] = 0.1 * np.eye(CLASSES)[5] + 0.5 * np.eye(CLASSES)[3] + 0.4 * SHARES
    rates[3] = 0.5 * np.eye(CLASSES)[3] + 0.3 * np.eye(CLASSES)[5] + 0.2 * SHARES
    assert better_permutation(drawn(rates, 1870)) is None


def test_nothing_can_be_said_of_no_clips():
    assert better_permutation(np.zeros((CLASSES, CLASSES), dtype=np.int64)) is None
