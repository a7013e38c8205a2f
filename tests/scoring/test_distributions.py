"""Metrics against votes, compared with scipy and with scikit-learn where all votes agree."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from sklearn.metrics import brier_score_loss, log_loss

from benchmark.scoring.distributions import TINY, js, kl, soft_brier, soft_cross_entropy

K = 7
METRICS = [soft_cross_entropy, kl, js, soft_brier]
RANDOM = np.random.default_rng(13)


def predictions(clips):
    return RANDOM.dirichlet(np.full(K, 0.5), clips).astype(np.float32)


VOTES = {
    "ten annotators": RANDOM.multinomial(10, RANDOM.dirichlet(np.ones(K))[None].repeat(200, 0)) / 10,
    "counts instead of shares": RANDOM.multinomial(10, np.full(K, 1 / K), size=50).astype(float),
    "all agree": np.eye(K)[RANDOM.integers(0, K, 50)],
    "one clip": RANDOM.dirichlet(np.ones(K), 1),
}
each_case = pytest.mark.parametrize("votes", VOTES.values(), ids=VOTES.keys())


@each_case
def test_kl_is_scipys_relative_entropy(votes):
    predicted = predictions(len(votes))
    expected = entropy(votes, predicted.astype(float), axis=1).mean()
    assert kl(votes, predicted) == pytest.approx(expected, rel=1e-9)


@each_case
def test_js_is_the_square_of_scipys_distance(votes):
    predicted = predictions(len(votes))
    expected = (jensenshannon(votes, predicted.astype(float), base=2, axis=1) ** 2).mean()
    assert js(votes, predicted) == pytest.approx(expected, rel=1e-9)


@each_case
def test_cross_entropy_is_kl_plus_the_votes_own_entropy(votes):
    predicted = predictions(len(votes))
    expected = kl(votes, predicted) + entropy(votes, axis=1).mean()
    assert soft_cross_entropy(votes, predicted) == pytest.approx(expected, rel=1e-9)


def test_where_all_votes_agree_cross_entropy_and_brier_are_scikit_learns_for_labels():
    labels = np.arange(140) % K
    predicted = predictions(140)
    exact = predicted.astype(float) / predicted.astype(float).sum(axis=1, keepdims=True)
    votes = np.eye(K)[labels]
    assert soft_cross_entropy(votes, predicted) == pytest.approx(log_loss(labels, exact), rel=1e-9)
    expected = brier_score_loss(labels, exact, labels=range(K), scale_by_half=False)
    assert soft_brier(votes, predicted) == pytest.approx(expected, rel=1e-9)


def test_brier_of_shared_votes_is_the_sum_of_squares():
    votes, predicted = np.array([[0.5, 0.5, 0]]), np.array([[0.25, 0.25, 0.5]])
    assert soft_brier(votes, predicted) == pytest.approx(2 * 0.25**2 + 0.5**2)


def test_predicting_the_votes_themselves_is_best():
    votes = VOTES["ten annotators"]
    for metric in (kl, js, soft_brier):
        assert metric(votes, votes) == pytest.approx(0, abs=1e-12)
        assert metric(votes, predictions(len(votes))) > 0.01


def test_no_overlap_at_all_is_the_worst_and_finite():
    votes, predicted = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]], np.float32)
    assert js(votes, predicted) == pytest.approx(1)
    assert soft_brier(votes, predicted) == 2
    assert kl(votes, predicted) == soft_cross_entropy(votes, predicted) == pytest.approx(-np.log(TINY))


@pytest.mark.parametrize("metric", METRICS)
def test_without_clips_a_score_is_undefined(metric):
    assert np.isnan(metric(np.zeros((0, K)), np.zeros((0, K), dtype=np.float32)))


@pytest.mark.parametrize(
    "votes", [np.zeros((1, 2)), np.array([[-1.0, 2.0]]), np.array([[np.nan, 1.0]]), np.ones((2, 2))]
)
@pytest.mark.parametrize("metric", METRICS)
def test_what_is_no_distribution_is_refused(metric, votes):
    with pytest.raises(ValueError, match="votes"):
        metric(votes, np.array([[0.5, 0.5]]))
