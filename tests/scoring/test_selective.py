"""Metrics of confidence against scikit-learn, scipy, and every order of ties."""

from __future__ import annotations

from itertools import permutations
from math import prod

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from benchmark.scoring.selective import augrc, risk_at_80, risk_coverage, shared_doubt

RANDOM = np.random.default_rng(5)
LABELS = RANDOM.integers(0, 4, 300)
SURE = RANDOM.dirichlet(np.full(4, 0.4), 300)
TIED = np.round(SURE, 1) + np.eye(4)[SURE.argmax(axis=1)] * 0.01


@pytest.mark.parametrize("probabilities", [SURE, TIED], ids=["distinct", "tied"])
def test_augrc_is_what_accuracy_and_separation_make_it(probabilities):
    wrong = probabilities.argmax(axis=1) != LABELS
    accuracy, auroc = 1 - wrong.mean(), roc_auc_score(~wrong, probabilities.max(axis=1))
    expected = (1 - auroc) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert augrc(LABELS, probabilities) == pytest.approx(expected, abs=1e-12)


def test_risk_is_that_of_the_surest_four_fifths():
    surest = np.argsort(-SURE.max(axis=1))[:240]
    assert risk_at_80(LABELS, SURE) == pytest.approx((SURE.argmax(axis=1) != LABELS)[surest].mean())


def test_equal_confidences_count_as_the_mean_over_their_orders():
    confidence, wrong = np.array([0.9, 0.6, 0.6, 0.6, 0.5]), np.array([0, 1, 0, 0, 1])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    risks = [wrong[[0, *order, 4]][:4].mean() for order in permutations([1, 2, 3])]
    assert risk_at_80(wrong, probabilities) == pytest.approx(np.mean(risks))


def test_a_model_that_is_surest_where_it_is_wrong_scores_worse():
    right = SURE.argmax(axis=1) == LABELS
    inverted = np.where(right[:, None], np.clip(SURE, 0.2, 0.3), SURE)
    inverted[right, LABELS[right]] = 0.31
    assert augrc(LABELS, inverted) > augrc(LABELS, SURE)


def test_doubt_is_compared_with_disagreement_as_scipy_does():
    votes = RANDOM.multinomial(10, [0.4, 0.3, 0.2, 0.1], 300).astype(float)
    order = [-prod(int(count) ** int(count) for count in row) for row in votes]  # exact where entropies tie
    expected = spearmanr(-SURE.max(axis=1), order).statistic
    assert shared_doubt(votes, SURE) == pytest.approx(expected)


def test_a_model_that_is_always_equally_sure_shares_no_doubt():
    assert shared_doubt(RANDOM.multinomial(10, [0.25] * 4, 20).astype(float), np.full((20, 4), 0.25)) == 0.0


@pytest.mark.parametrize("metric", [augrc, risk_at_80])
def test_no_clip_has_no_score(metric):
    assert np.isnan(metric(np.zeros(0, dtype=int), np.zeros((0, 4))))


def test_the_curve_is_the_share_of_errors_among_the_surest_clips():
    rng = np.random.default_rng(8)
    probabilities, labels = rng.dirichlet(np.ones(5), 60), rng.integers(5, size=60)
    order = np.argsort(-probabilities.max(axis=1))
    wrong = (probabilities.argmax(axis=1) != labels)[order]
    # 60 clips, so that each of these shares is a whole number of them.
    coverages = [0.05, 0.1, 0.5, 0.8, 1.0]
    expected = [wrong[: round(60 * share)].mean() for share in coverages]
    assert risk_coverage(labels, probabilities, coverages) == pytest.approx(expected)
