"""Rows side by side: what is drawn, and which rows no cheaper one equals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from test_plots import words

from benchmark.plots import ScoredRow, cost_figure, methods_figure
from benchmark.plots.methods import letters
from benchmark.scoring.pareto import pareto_front

ROWS = [
    ScoredRow("Alpha", {"UAR": (0.7, 0.8, 0.85), "WAR": (0.8, 0.9, 0.95)}, 10.0),
    ScoredRow("Beta + midas, soft labels", {"UAR": (0.5, 0.6, 0.7), "WAR": (0.4, 0.5, 0.6)}, 2.0),
    ScoredRow("Gamma", {"UAR": (0.4, 0.5, 0.6), "WAR": (0.4, 0.5, 0.6)}, 5.0),
]


def test_each_metric_has_a_panel_and_each_row_its_interval():
    figure = methods_figure(ROWS, "T\nsynthetic data")
    assert len(figure.axes) == 2
    drawn = [each for each in figure.axes[1].containers if isinstance(each, ErrorbarContainer)]
    reaches = [each.lines[2][0].get_segments()[0][:, 0].tolist() for each in drawn]
    assert reaches == [pytest.approx([100 * row.scores["WAR"][0], 100 * row.scores["WAR"][2]]) for row in ROWS]
    shown = words(figure)
    assert {"Alpha", "Beta + midas, soft labels", "80.0 [70.0, 85.0]", "synthetic data"} <= set(shown)


def test_costs_name_every_row_and_join_the_front():
    figure = cost_figure(ROWS, "UAR", "T")
    assert {"A  Alpha", "B  Beta + midas, soft labels", "C  Gamma", "A", "B", "C"} <= set(words(figure))
    (front,) = [line for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post"]
    assert np.asarray(front.get_xydata()).tolist() == [[2.0, 60.0], [10.0, 80.0]]


def test_the_front_holds_exactly_the_rows_that_no_other_one_dominates():
    random = np.random.default_rng(0)
    for _ in range(200):
        points = random.integers(0, 6, (7, 2)).tolist()
        front = pareto_front([cost for cost, _ in points], [value for _, value in points])
        for (cost, value), (other, better) in itertools.product(points, points):
            dominated = other <= cost and better >= value and (other, better) != (cost, value)
            if dominated:
                assert (cost, value) not in [tuple(points[index]) for index in front]
        undominated = {
            (cost, value)
            for cost, value in points
            if not any(o <= cost and v >= value and (o, v) != (cost, value) for o, v in points)
        }
        assert {tuple(points[index]) for index in front} == undominated


def test_no_two_rows_share_a_letter():
    assert letters(3) == ["A", "B", "C"]
    assert len(set(letters(60))) == 60
