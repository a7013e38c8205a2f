"""Metrics of probabilities against scikit-learn and a loop, ties included; groups by summed probability."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn

from benchmark.scoring.metrics import confusion_matrix, group_confusion
from benchmark.scoring.probabilities import ece, grouped_probabilities, summed_group_confusion, top2

K = 7
CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
GROUPS = {
    "positive": ["happy", "surprise"],
    "neutral": ["neutral"],
    "negative": ["sad", "angry", "disgust", "fear"],
}
RANDOM = np.random.default_rng(11)


def draw(clips=500, concentration=0.5):
    return RANDOM.dirichlet(np.full(K, concentration), clips).astype(np.float32)


tied = RANDOM.permuted(np.tile(np.array([0.3, 0.3, 0.1, 0.1, 0.1, 0.1, 0.0], np.float32), (300, 1)), axis=1)
CASES = {
    "random": (RANDOM.integers(0, K, 500), draw()),
    "sure of itself": (RANDOM.integers(0, K, 500), draw(concentration=0.02)),
    "classes absent": (RANDOM.integers(2, 4, 200), draw(200)),
    "one class": (np.full(50, 3), draw(50)),
    "one clip": (np.array([6]), draw(1)),
    "ties": (RANDOM.integers(0, K, 300), tied),
    "uniform": (np.arange(K), np.full((K, K), 1 / K, dtype=np.float32)),
    "perfect": (np.arange(K), np.eye(K, dtype=np.float32)),
}
each_case = pytest.mark.parametrize(("labels", "probabilities"), CASES.values(), ids=CASES.keys())


@each_case
def test_top2_is_scikit_learns_with_the_lowest_index_first_among_ties(labels, probabilities):
    # scikit-learn takes the highest index first among equals, so it is shown the classes in reverse.
    expected = sklearn.top_k_accuracy_score(K - 1 - labels, probabilities[:, ::-1], k=2, labels=range(K))
    assert top2(labels, probabilities) == pytest.approx(expected, abs=1e-12)


def test_of_three_equally_probable_classes_the_first_two_count():
    probabilities = np.array([[0.1, 0.3, 0.3, 0.3]] * 4, np.float32)
    assert top2(np.arange(4), probabilities) == 0.5


def ece_by_the_definition(labels, probabilities):
    total = 0.0
    for m in range(15):
        inside = [i for i, row in enumerate(probabilities) if m / 15 < float(row.max()) <= (m + 1) / 15]
        if inside:
            accuracy = np.mean([probabilities[i].argmax() == labels[i] for i in inside])
            confidence = np.mean([float(probabilities[i].max()) for i in inside])
            total += len(inside) / len(labels) * abs(accuracy - confidence)
    return total


@each_case
def test_ece_is_the_definition_summed_bin_by_bin(labels, probabilities):
    assert ece(labels, probabilities) == pytest.approx(ece_by_the_definition(labels, probabilities), abs=1e-12)


def test_a_model_that_is_as_often_right_as_it_says_is_calibrated():
    probabilities = np.array([[0.75, 0.25]] * 4, np.float32)
    assert ece(np.array([0, 0, 0, 1]), probabilities) == 0
    assert ece(np.array([1, 1, 1, 1]), probabilities) == 0.75


@pytest.mark.parametrize("metric", [top2, ece])
def test_without_clips_a_score_is_undefined(metric):
    assert np.isnan(metric(np.zeros(0, dtype=int), np.zeros((0, K), dtype=np.float32)))


@pytest.mark.parametrize("labels", [np.array([0, K]), np.array([-1, 0]), np.array([0])])
@pytest.mark.parametrize("metric", [top2, ece])
def test_labels_that_do_not_fit_are_refused(metric, labels):
    with pytest.raises(ValueError, match=r"class indices|equal length"):
        metric(labels, draw(2))


@each_case
def test_a_groups_probability_is_the_sum_of_its_classes(labels, probabilities):
    grouped = grouped_probabilities(probabilities, CLASSES, GROUPS)
    for column, names in enumerate(GROUPS.values()):
        expected = sum(probabilities[:, CLASSES.index(name)].astype(float) for name in names)
        np.testing.assert_allclose(grouped[:, column], expected, atol=1e-12)


@each_case
def test_a_confusion_by_sum_is_scikit_learns_of_the_groups_with_the_largest_sums(labels, probabilities):
    group_of = np.array([next(g for g, names in enumerate(GROUPS.values()) if name in names) for name in CLASSES])
    predicted = [
        max(range(3), key=lambda g: (sum(float(row[k]) for k in range(K) if group_of[k] == g), -g))
        for row in probabilities
    ]
    expected = sklearn.confusion_matrix(group_of[labels], predicted, labels=range(3))
    np.testing.assert_array_equal(summed_group_confusion(labels, probabilities, CLASSES, GROUPS), expected)


def test_the_two_ways_of_grouping_differ_where_many_small_probabilities_outweigh_the_largest():
    labels, probabilities = np.array([0]), np.array([[0.4, 0.3, 0, 0, 0, 0, 0.3]], np.float32)
    confusion = confusion_matrix(labels, probabilities.argmax(axis=1), K)
    np.testing.assert_array_equal(group_confusion(confusion, CLASSES, GROUPS)[0], [1, 0, 0])
    np.testing.assert_array_equal(summed_group_confusion(labels, probabilities, CLASSES, GROUPS)[0], [0, 0, 1])


def test_groups_must_be_a_partition_here_too():
    with pytest.raises(ValueError, match="exactly once"):
        grouped_probabilities(draw(1), CLASSES, {**GROUPS, "again": ["fear"]})
