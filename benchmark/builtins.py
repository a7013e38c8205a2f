"""What ships with the benchmark, offered through the same hooks that third-party plugins use."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import benchmark.protocols
import benchmark_plugins
from benchmark.hookspecs import hookimpl
from benchmark.specs import AugmentationSpec, DatasetLayout, MethodSpec, MetricSpec


def _specs(attribute: str) -> Iterator[Any]:
    """The value named `attribute` of every folder in `plugins/` that has one."""
    for module in pkgutil.iter_modules(benchmark_plugins.__path__):
        plugin = importlib.import_module(f"benchmark_plugins.{module.name}")
        if hasattr(plugin, attribute):
            yield getattr(plugin, attribute)


@hookimpl
def benchmark_methods() -> list[MethodSpec]:
    """The `METHOD` of every built-in plugin."""
    return list(_specs("METHOD"))


@hookimpl
def benchmark_augmentations() -> list[AugmentationSpec]:
    """The `AUGMENTATION` of every built-in plugin."""
    return list(_specs("AUGMENTATION"))


@hookimpl
def benchmark_datasets() -> list[DatasetLayout]:
    """The datasets of the field that are supported."""
    from benchmark.datasets.dfew import DFEW

    return [DFEW]


@hookimpl
def benchmark_metrics() -> list[MetricSpec]:
    """The field's metrics."""
    from benchmark.scoring.builtin import METRICS

    return list(METRICS)


@hookimpl
def benchmark_protocols() -> list[Path]:
    """The YAML files in `protocols/`."""
    return sorted(Path(next(iter(benchmark.protocols.__path__))).glob("*.yaml"))
