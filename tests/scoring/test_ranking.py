"""Rank intervals: worked examples, and simulated leaderboards."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from benchmark.scoring.ranking import pair_p_values, rank_intervals
from timings import ranking as simulation


def with_error(scores, error):
    """Arguments for rows whose differences all have one standard error."""
    size = len(scores)
    return np.array(scores), np.full((size, size), error), np.full((size, size), 1e6)


def test_eight_runs_of_which_the_first_and_the_last_differ_are_not_one_tie():
    scores = np.linspace(0.6008, 0.5611, 8)
    error = (scores[0] - scores[-1]) / norm.isf(0.002)
    arguments = with_error(scores, error)
    assert pair_p_values(*arguments)[0, -1] == pytest.approx(0.004, rel=0.01)
    assert simulation.chains(*arguments) == [1] * 8
    places = rank_intervals(*arguments)
    assert places[0] == (1, 7)
    assert places[-1] == (2, 8)


def test_rows_far_apart_have_one_place_each_whatever_their_order():
    assert rank_intervals(*with_error([0.5, 0.9, 0.7], 0.01)) == [(3, 3), (1, 1), (2, 2)]


def test_one_row_is_first():
    assert rank_intervals(*with_error([0.5], 0.01)) == [(1, 1)]


def test_equal_rows_have_equal_places_and_certain_differences_count():
    scores, errors, freedoms = with_error([0.5, 0.5, 0.4], 0.0)
    assert rank_intervals(scores, errors, freedoms) == [(1, 2), (1, 2), (3, 3)]


def test_an_unknown_spread_separates_nothing():
    assert rank_intervals(*with_error([0.9, 0.1], np.inf)) == [(1, 2), (1, 2)]


def test_the_correction_is_for_the_number_of_other_rows():
    error = 0.02 / norm.isf(0.015)  # p = 0.03 for two rows that are 0.02 apart
    assert rank_intervals(*with_error([0.52, 0.5], error)) == [(1, 1), (2, 2)]
    assert rank_intervals(*with_error([0.52, 0.5, 0.51], error))[0] == (1, 3)


def test_what_is_equal_is_rarely_separated_and_what_differs_much_mostly_is():
    equal = simulation.measure((0.6,) * 4, 15)
    assert equal["rows missed"] <= 0.15
    apart = simulation.measure((0.7, 0.7, 0.6, 0.6), 15)
    assert apart["power"] > 0.9
    assert apart["pairs wrong"] <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("board", ["eight equal methods", "two groups, 4 points apart", "a ladder, one point a step"])
def test_rank_intervals_miss_at_most_one_row_in_twenty(board):
    found = simulation.measure(simulation.BOARDS[board], 200)
    assert found["rows missed"] <= 0.06
    assert found["pairs wrong"] <= 0.01
