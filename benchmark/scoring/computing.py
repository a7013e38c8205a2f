"""A metric's function, which may be foreign code: what it gives is checked wherever it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmark.fence import PluginFault, fenced
from benchmark.specs import MetricSpec, load_object


def compute_of(metric: MetricSpec) -> Callable[..., np.ndarray]:
    """The metric's function, see `MetricSpec`; PluginFault where it gives something else than numbers."""
    compute = load_object(metric.compute)

    def checked(*arguments: Any) -> np.ndarray:
        result = compute(*arguments)
        expected = np.shape(arguments[0])[:-2] if metric.input == "confusion" else ()
        with fenced(metric.compute):
            values = np.asarray(result, dtype=float)
            if values.shape != expected:
                raise PluginFault(f"{metric.compute}: gave values of shape {values.shape}, not {expected}")
            if not np.isfinite(values).all():
                raise PluginFault(f"{metric.compute}: gave {values[~np.isfinite(values)][0]}, which is no score")
        return values

    return checked
