"""What annotators reach, against leaving out each of them one by one and against every way of halving them."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from benchmark.scoring.annotators import by_agreement, ceiling_of, one_against_the_others, split_half_js

VOTES = np.random.default_rng(3).multinomial(7, [0.3, 0.3, 0.2, 0.2], 80)
FERPLUS = Path(__file__).parents[1] / "data" / "ferplus_votes.csv"


def annotators(row):
    return [k for k, count in enumerate(row) for _ in range(int(count))]


def by_hand(votes, size):
    agreement = np.zeros((size, size))
    for row in votes:
        people = annotators(row)
        for number, own in enumerate(people):
            others = people[:number] + people[number + 1 :]
            counts = [others.count(k) for k in range(size)]
            most = [k for k in range(size) if counts[k] == max(counts)]
            for k in most:
                agreement[k, own] += 1 / len(most) / len(people)
    return agreement


def test_each_annotator_is_held_against_the_plurality_of_the_others():
    expected = by_hand(VOTES, 4)
    assert one_against_the_others(VOTES.astype(float)) == pytest.approx(expected)
    ceiling = ceiling_of(VOTES)
    assert ceiling.war == pytest.approx(np.trace(expected) / len(VOTES))
    assert ceiling.recall == pytest.approx(np.diag(expected) / expected.sum(axis=1))
    assert ceiling.uar == pytest.approx(np.mean(ceiling.recall))


def test_a_tie_of_the_others_is_shared():
    assert one_against_the_others(np.array([[1.0, 1.0, 0.0]])) == pytest.approx(
        np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]])
    )


def js_of_halves(row):
    people = annotators(row)
    values = []
    for chosen in combinations(range(len(people)), len(people) // 2):
        half = np.bincount([people[i] for i in chosen], minlength=len(row))
        values.append(jensenshannon(half, row - half, base=2) ** 2)
    return np.mean(values)


def test_halves_are_compared_over_every_way_of_halving():
    assert split_half_js(VOTES) == pytest.approx(np.mean([js_of_halves(row) for row in VOTES]))


def test_real_votes_set_the_ceiling_that_one_annotator_after_the_other_gives():
    votes = np.loadtxt(FERPLUS, delimiter=",", skiprows=1, dtype=int)
    assert (votes.sum(axis=1) == 10).all()
    emotions = votes[:, :8]
    ceiling = ceiling_of(emotions)
    judged = emotions[emotions.sum(axis=1) >= 2]
    expected = by_hand(judged, 8)
    assert (len(votes), ceiling.clips) == (306, len(judged))
    assert ceiling.war == pytest.approx(np.trace(expected) / len(judged))
    assert ceiling.recall == pytest.approx(np.diag(expected) / expected.sum(axis=1))
    assert ceiling.cross_entropy == pytest.approx(entropy(judged, axis=1).mean())
    some = judged[::20]
    assert split_half_js(some) == pytest.approx(np.mean([js_of_halves(row) for row in some]))
    # What docs/statistics.md states.
    stated = (
        ceiling.clips,
        *(round(value, 3) for value in (ceiling.war, ceiling.uar, ceiling.cross_entropy, ceiling.js)),
    )
    assert stated == (302, 0.71, 0.54, 0.578, 0.153)


def test_no_prediction_has_less_cross_entropy_than_the_votes_themselves():
    assert ceiling_of(VOTES).cross_entropy == pytest.approx(entropy(VOTES, axis=1).mean())


def test_annotators_who_agree_reach_everything():
    ceiling = ceiling_of(np.diag([5, 5, 5]))
    assert (ceiling.war, ceiling.uar, ceiling.cross_entropy, ceiling.js) == (1, 1, 0, 0)


def test_predictions_are_counted_by_how_many_annotators_agree():
    shares = np.array([[0.5, 0.5], [0.6, 0.4], [0.55, 0.45], [1.0, 0.0]])
    assert by_agreement(shares, np.array([True, True, False, True])) == [(0.5, 1, 1.0), (0.6, 2, 0.5), (1.0, 1, 1.0)]


def test_a_clip_of_one_annotator_is_left_out_and_weights_are_refused():
    assert ceiling_of(np.array([[3, 0], [1, 0]])).clips == 1
    with pytest.raises(ValueError, match="no numbers of annotators"):
        ceiling_of(np.array([[0.4, 0.6]]))
    with pytest.raises(ValueError, match="two votes"):
        ceiling_of(np.array([[1, 0]]))
