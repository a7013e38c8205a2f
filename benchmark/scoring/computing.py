"""A metric's function, which may be foreign code: what it gives is checked wherever it is called."""

from __future__ import annotations

import numpy as np

from benchmark.fence import PluginFault, fenced, load_object
from benchmark.plugin_functions import ScoreConfusion, ScoreTargets
from benchmark.protocol import Protocol
from benchmark.specs import MetricSpec


def counts_answers(metric: MetricSpec, protocol: Protocol) -> bool:
    """Whether a metric follows from the confusions that are counted under a protocol."""
    return metric.input == "confusion" or (metric.input == "blends" and protocol.answers == "blends")


def compute_of(metric: MetricSpec) -> ScoreConfusion:
    """The function of a metric of confusions, see `MetricSpec`; PluginFault where it gives something else than numbers.

    From counts (..., K, K) to scores of shape (...).
    """
    compute: ScoreConfusion = load_object(metric.compute)

    def checked(confusion: np.ndarray) -> np.ndarray:
        return _scores(metric, compute(confusion), np.shape(confusion)[:-2])

    return checked


def compute_of_targets(metric: MetricSpec) -> ScoreTargets:
    """The function of a metric of probabilities or distributions, see `MetricSpec`; PluginFault as in `compute_of`."""
    compute: ScoreTargets = load_object(metric.compute)

    def checked(targets: np.ndarray, probabilities: np.ndarray) -> float:
        return float(_scores(metric, compute(targets, probabilities), ()))

    return checked


def _scores(metric: MetricSpec, result: object, expected: tuple[int, ...]) -> np.ndarray:
    with fenced(metric.compute):
        values = np.asarray(result, dtype=float)
        if values.shape != expected:
            raise PluginFault(f"{metric.compute}: gave values of shape {values.shape}, not {expected}")
        if not np.isfinite(values).all():
            raise PluginFault(f"{metric.compute}: gave {values[~np.isfinite(values)][0]}, which is no score")
    return values
