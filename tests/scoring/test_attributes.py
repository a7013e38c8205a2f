"""Scores by attribute: groups counted by hand, p values uniform by chance and small where a group really is worse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest
from sklearn.metrics import recall_score

from benchmark.scoring import attributes
from benchmark.scoring.attributes import gap_by
from benchmark.scoring.comparison import Answers, holm
from benchmark.scoring.metrics import uar, war

RANDOM = np.random.default_rng(8)


def answers(right, clips=240, classes=3, clusters=None):
    """Two units that are right with the chance `right`, one number or one for each clip."""
    true = RANDOM.integers(0, classes, clips)
    wrong = (true + RANDOM.integers(1, classes, (2, clips))) % classes
    return Answers(true, np.where(RANDOM.random((2, clips)) < right, true, wrong), (1, 1), clusters)


def test_groups_are_scored_like_their_clips_alone():
    one, values = answers(0.6), RANDOM.integers(0, 2, 240)
    found = gap_by("scene", ["cave", "sea"], "uar", uar, [one], [values], 3)
    for number, group in enumerate(found.groups):
        own = np.tile(values == number, 2)
        truth, guess = np.tile(one.true, 2), one.predicted.ravel()
        assert group.value == pytest.approx(recall_score(truth[own], guess[own], average="macro"))
        assert group.rest == pytest.approx(recall_score(truth[~own], guess[~own], average="macro"))
        assert group.predictions == own.sum()
    assert found.gap == pytest.approx(abs(found.groups[0].value - found.groups[1].value))
    assert found.worst.value == min(group.value for group in found.groups)


def test_a_group_that_is_really_worse_is_found_and_no_other(monkeypatch):
    monkeypatch.setattr(attributes, "ROUNDS", 199)
    values = RANDOM.integers(0, 3, 600)
    found = gap_by("scene", list("abc"), "war", war, [answers(np.where(values == 1, 0.4, 0.8), 600)], [values], 3)
    assert found.worst.name == "b"
    assert found.p < 0.01
    assert found.groups[1].p < 0.02


def test_by_chance_alone_p_values_are_spread_evenly(monkeypatch):
    monkeypatch.setattr(attributes, "ROUNDS", 49)
    p = [
        gap_by("scene", ["a", "b"], "war", war, [answers(0.6, 80)], [RANDOM.integers(0, 2, 80)], 3).p
        for _ in range(100)
    ]
    assert kstest(p, "uniform").pvalue > 0.001


def test_a_group_with_more_clips_of_a_hard_class_is_not_called_worse(monkeypatch):
    monkeypatch.setattr(attributes, "ROUNDS", 199)
    one = answers(1.0, 600)
    hard = one.true == 0
    guesses = np.where(hard, np.where(RANDOM.random((2, 600)) < 0.3, 0, 1), one.true)
    values = np.where(RANDOM.random(600) < np.where(hard, 0.9, 0.1), 1, 0)
    found = gap_by("scene", ["a", "b"], "war", war, [Answers(one.true, guesses, (1, 1))], [values], 3)
    assert found.gap > 0.4
    assert found.p > 0.05


def test_clips_of_one_subject_are_not_taken_for_many(monkeypatch):
    """Whole subjects change places: with three of them on each side, no p of a difference is below one in ten."""
    monkeypatch.setattr(attributes, "ROUNDS", 199)
    clusters = np.repeat(np.arange(6), 40)
    values = (clusters >= 3).astype(int)
    one = answers(np.where(values == 1, 0.3, 0.9), 240, clusters=clusters)
    assert gap_by("gender", ["f", "m"], "war", war, [one], [values], 3).p > 0.05
    apart = Answers(one.true, one.predicted, one.folds)
    assert gap_by("gender", ["f", "m"], "war", war, [apart], [values], 3).p < 0.02


def test_the_p_values_of_groups_are_corrected_for_their_number(monkeypatch):
    monkeypatch.setattr(attributes, "ROUNDS", 199)
    one, values = answers(0.6), RANDOM.integers(0, 4, 240)
    plain: list[list[float]] = []
    monkeypatch.setattr(attributes, "holm", lambda p: plain.append(p) or holm(p))
    found = gap_by("scene", list("abcd"), "war", war, [one], [values], 3)
    assert [group.p for group in found.groups] == holm(plain[0])
