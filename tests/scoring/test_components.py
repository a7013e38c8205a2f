"""Components of variance: found again where they are known, and none where nothing differs."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.scoring.clipsets import ClipSet, spread_over_clips
from benchmark.scoring.components import components
from benchmark.scoring.metrics import war

RANDOM = np.random.default_rng(2)
CLIPS, CLASSES = 400, 4


def unit(accuracy, clips=CLIPS):
    """A confusion whose true accuracy is given; which clips are right is drawn."""
    right = RANDOM.binomial(clips // CLASSES, np.clip(accuracy, 0, 1), CLASSES)
    rest = clips // CLASSES - right
    return np.diag(right) + np.roll(np.diag(rest), 1, axis=1)


def runs(folds, seeds, fold_std, seed_std):
    sets = []
    for fold in range(1, folds + 1):
        own = 0.6 + RANDOM.normal(0, fold_std)
        sets.append(ClipSet(np.stack([unit(own + RANDOM.normal(0, seed_std)) for _ in range(seeds)]), (fold,) * seeds))
    return sets


def test_components_are_found_again():
    """Of drawn units, those of one fold differ by their seeds and, drawn anew, by their clips."""
    drawn = 0.6 * 0.4 / CLIPS
    found = [components(war, runs(40, 5, fold_std=0.08, seed_std=0.05)) for _ in range(5)]
    assert np.mean(np.square([one.folds or 0.0 for one in found])) + drawn == pytest.approx(0.08**2, rel=0.3)
    assert np.mean(np.square([one.seeds or 0.0 for one in found])) == pytest.approx(0.05**2 + drawn, rel=0.2)
    assert np.mean([one.clips**2 for one in found]) == pytest.approx(drawn, rel=0.1)


def test_the_clips_part_is_that_of_the_intervals():
    sets = runs(3, 1, 0.0, 0.0)
    expected = np.mean([spread_over_clips(war, one).variance for one in sets])
    assert components(war, sets).clips ** 2 == pytest.approx(expected)


def test_equal_seeds_vary_by_nothing():
    confusion = unit(0.5)
    found = components(war, [ClipSet(np.stack([confusion, confusion]), (1, 1))])
    assert (found.seeds, found.folds) == (0.0, None)


def test_one_seed_says_nothing_about_seeds():
    assert components(war, runs(4, 1, 0.1, 0.0)).seeds is None


def test_folds_that_are_tested_on_the_same_clips_do_not_differ_by_them():
    confusions = np.stack([unit(0.5), unit(0.5), unit(0.5)])
    found = components(war, [ClipSet(confusions, (1, 2, 3))])
    assert found.folds == pytest.approx(np.std(war(confusions), ddof=1))
