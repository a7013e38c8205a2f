"""What ships with the benchmark, offered through the same hooks that third-party plugins use."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import benchmark.datasets.layouts
import benchmark_plugins
from benchmark.hookspecs import hookimpl
from benchmark.shipped import shipped
from benchmark.specs import AugmentationSpec, DatasetLayout, MethodSpec, MetricSpec, TrackerSpec


def _specs(package: ModuleType, attribute: str) -> Iterator[Any]:
    """The value named `attribute` of every module or folder in `package` that has one."""
    for found in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{found.name}")
        if hasattr(module, attribute):
            yield getattr(module, attribute)


@hookimpl
def benchmark_methods() -> list[MethodSpec]:
    """The `METHOD` of every built-in plugin, or its `METHODS`."""
    families = _specs(benchmark_plugins, "METHODS")
    return [*_specs(benchmark_plugins, "METHOD"), *(method for family in families for method in family)]


@hookimpl
def benchmark_augmentations() -> list[AugmentationSpec]:
    """The `AUGMENTATION` of every built-in plugin."""
    return list(_specs(benchmark_plugins, "AUGMENTATION"))


@hookimpl
def benchmark_datasets() -> list[DatasetLayout]:
    """The `LAYOUT` of every module in `benchmark/datasets/layouts/`."""
    return list(_specs(benchmark.datasets.layouts, "LAYOUT"))


@hookimpl
def benchmark_metrics() -> list[MetricSpec]:
    """The field's metrics."""
    from benchmark.scoring.builtin import METRICS

    return list(METRICS)


@hookimpl
def benchmark_trackers() -> list[TrackerSpec]:
    """TensorBoard, and Weights & Biases; each needs a package that is not installed with the benchmark."""
    return [
        TrackerSpec("tensorboard", "TensorBoard event files", "benchmark.trackers.tensorboard:watcher"),
        TrackerSpec("wandb", "Weights & Biases", "benchmark.trackers.wandb:watcher"),
    ]


@hookimpl
def benchmark_protocols() -> list[Path]:
    """The YAML files in `protocols/`."""
    return sorted(shipped("protocols").glob("*.yaml"))
