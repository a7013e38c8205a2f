"""Metrics against scikit-learn, on random and degenerate confusions, and against a paper's own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn

from benchmark.scoring.metrics import (
    confusion_matrix,
    group_confusion,
    macro_f1,
    per_class_f1,
    per_class_precision,
    per_class_recall,
    uar,
    war,
    weighted_f1,
)

K = 7
CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
GROUPS = {
    "positive": ["happy", "surprise"],
    "neutral": ["neutral"],
    "negative": ["sad", "angry", "disgust", "fear"],
}
RANDOM = np.random.default_rng(7)


def draw(classes, clips=400):
    return RANDOM.choice(classes, clips), RANDOM.integers(0, K, clips)


everything = np.arange(K)
CASES = {
    "random": draw(everything),
    "class absent from the labels": draw([0, 1, 2, 3, 5]),
    "one class": draw([4]),
    "class never predicted": (np.repeat(everything, 5), np.repeat([0, 1, 2, 3, 4, 5, 0], 5)),
    "class in neither": (np.array([0, 1, 1]), np.array([1, 1, 0])),
    "perfect": (np.repeat(everything, 9), np.repeat(everything, 9)),
    "all wrong": (np.repeat(everything, 3), np.repeat((everything + 1) % K, 3)),
    "one clip": (np.array([6]), np.array([6])),
}
each_case = pytest.mark.parametrize(("labels", "predicted"), CASES.values(), ids=CASES.keys())


@each_case
def test_confusion_is_scikit_learns(labels, predicted):
    expected = sklearn.confusion_matrix(labels, predicted, labels=everything)
    np.testing.assert_array_equal(confusion_matrix(labels, predicted, K), expected)


@each_case
def test_uar_is_scikit_learns_macro_recall_over_classes_with_clips(labels, predicted):
    expected = sklearn.recall_score(labels, predicted, average="macro", labels=np.unique(labels))
    assert uar(confusion_matrix(labels, predicted, K)) == pytest.approx(expected, abs=1e-12)


@each_case
def test_war_is_accuracy(labels, predicted):
    expected = sklearn.accuracy_score(labels, predicted)
    assert war(confusion_matrix(labels, predicted, K)) == pytest.approx(expected, abs=1e-12)


@each_case
def test_macro_f1_is_scikit_learns_over_classes_with_clips(labels, predicted):
    expected = sklearn.f1_score(labels, predicted, average="macro", labels=np.unique(labels), zero_division=0)
    assert macro_f1(confusion_matrix(labels, predicted, K)) == pytest.approx(expected, abs=1e-12)


@each_case
def test_per_class_recall_is_scikit_learns_and_undefined_without_clips(labels, predicted):
    expected = sklearn.recall_score(labels, predicted, average=None, labels=everything, zero_division=np.nan)
    np.testing.assert_allclose(per_class_recall(confusion_matrix(labels, predicted, K)), expected, atol=1e-12)


@each_case
def test_weighted_f1_is_scikit_learns(labels, predicted):
    expected = sklearn.f1_score(labels, predicted, average="weighted", labels=everything, zero_division=0)
    assert weighted_f1(confusion_matrix(labels, predicted, K)) == pytest.approx(expected, abs=1e-12)


@each_case
def test_per_class_precision_is_scikit_learns_and_undefined_without_predictions(labels, predicted):
    expected = sklearn.precision_score(labels, predicted, average=None, labels=everything, zero_division=np.nan)
    np.testing.assert_allclose(per_class_precision(confusion_matrix(labels, predicted, K)), expected, atol=1e-12)


@each_case
def test_per_class_f1_is_scikit_learns_and_0_for_a_class_that_does_not_occur(labels, predicted):
    expected = sklearn.f1_score(labels, predicted, average=None, labels=everything, zero_division=0)
    np.testing.assert_allclose(per_class_f1(confusion_matrix(labels, predicted, K)), expected, atol=1e-12)


@pytest.mark.parametrize(
    "metric", [uar, war, macro_f1, weighted_f1, per_class_recall, per_class_precision, per_class_f1]
)
def test_a_batch_is_scored_as_its_members_are(metric):
    batch = RANDOM.integers(0, 9, (3, 4, K, K))
    one_by_one = [[metric(confusion) for confusion in row] for row in batch]
    np.testing.assert_allclose(metric(batch), one_by_one, atol=1e-12)


@pytest.mark.parametrize("metric", [uar, war, weighted_f1])
def test_without_clips_a_mean_over_clips_is_undefined(metric):
    assert np.isnan(metric(np.zeros((K, K), dtype=int)))


@each_case
def test_a_grouped_confusion_is_the_one_of_grouped_labels(labels, predicted):
    group_of = np.array([next(g for g, names in enumerate(GROUPS.values()) if name in names) for name in CLASSES])
    expected = sklearn.confusion_matrix(group_of[labels], group_of[predicted], labels=range(3))
    np.testing.assert_array_equal(group_confusion(confusion_matrix(labels, predicted, K), CLASSES, GROUPS), expected)


def test_groups_must_be_a_partition():
    with pytest.raises(ValueError, match="exactly once"):
        group_confusion(np.eye(K, dtype=int), CLASSES, {**GROUPS, "neutral": []})


@pytest.mark.parametrize("indices", [[0, K], [-1, 0]])
def test_an_index_outside_the_class_list_is_refused(indices):
    with pytest.raises(ValueError, match="class indices"):
        confusion_matrix([0, 0], indices, K)


# MIDAS (arXiv:2506.20867), Table III, DFEW: accuracy of each class (%), UAR as printed, and how far the printed UAR is
# from the mean of the printed accuracies. Four rows add up; in the other four the paper contradicts itself.
MIDAS_TABLE_3 = {
    "Former-DFER": ([83.31, 58.29, 66.13, 66.96, 52.35, 0.00, 26.39], 50.44, -0.05),
    "GCA+IAL": ([85.88, 62.57, 67.79, 73.42, 59.35, 0.00, 24.86], 53.41, 0.0),
    "Wang et al.": ([84.95, 65.37, 58.80, 69.08, 54.34, 16.81, 34.40], 53.06, -1.76),
    "S2D": ([92.18, 79.98, 73.25, 76.00, 57.36, 2.08, 39.49], 60.05, 0.0),
    "TSM": ([85.40, 59.40, 60.21, 67.79, 48.47, 2.07, 20.62], 49.14, 0.0),
    "VideoMAE": ([87.48, 71.91, 74.19, 73.56, 62.74, 15.17, 36.70], 58.50, -1.75),
    "MAE-DFER": ([92.02, 73.60, 72.50, 77.61, 61.44, 11.72, 36.14], 60.76, 0.04),
    "MAE-DFER, MIDAS": ([92.88, 75.18, 76.85, 78.03, 62.81, 20.00, 40.02], 63.68, 0.0),
}


# MIDAS, Table IV, FERV39k-Plus, and AEN (Lee et al., CVPRW 2023), Table 3, DFEW: rows that add up.
MIDAS_TABLE_4 = {
    "Former-DFER, FERV39k-Plus": ([75.19, 68.08, 71.57, 42.33, 7.41, 0.00, 5.93], 38.64, 0.0),
    "GCA+IAL, FERV39k-Plus": ([75.41, 69.52, 72.77, 33.83, 0.00, 0.00, 0.00], 35.93, 0.0),
    "S2D, FERV39k-Plus": ([80.93, 72.96, 77.96, 50.08, 2.56, 0.00, 8.70], 41.88, 0.0),
}
AEN_TABLE_3 = {
    "3D ResNet-18, DFEW": ([76.32, 50.21, 64.18, 62.85, 47.52, 0.00, 24.56], 46.52, 0.0),
    "Former-DFER, DFEW": ([84.05, 62.57, 67.52, 70.03, 56.43, 3.45, 31.78], 53.69, 0.0),
    "GCA+IAL, DFEW": ([87.95, 67.21, 70.10, 76.06, 62.22, 0.00, 26.44], 55.71, 0.0),
    "AEN, DFEW": ([89.24, 69.38, 70.67, 72.08, 59.07, 4.17, 32.00], 56.66, 0.0),
}
PUBLISHED = {**MIDAS_TABLE_3, **MIDAS_TABLE_4, **AEN_TABLE_3}


@pytest.mark.parametrize(("accuracies", "printed", "off"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_uar_is_the_mean_of_a_published_rows_class_accuracies(accuracies, printed, off):
    correct = np.round(np.array(accuracies) * 100).astype(int)
    confusion = np.diag(correct)
    confusion[np.arange(K), (np.arange(K) + 1) % K] = 10_000 - correct
    # Both the accuracies and the UAR are rounded to two decimals.
    assert 100 * uar(confusion) == pytest.approx(printed - off, abs=0.01)
