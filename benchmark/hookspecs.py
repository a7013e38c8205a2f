"""The hooks that a plugin may implement. Every hook returns light values: listing must not import torch.

A third-party plugin is a module (or object) that the entry-point group `benchmark.plugins` points at, with any of
these functions marked by `benchmark.hookimpl`. Specs are held to the types in `benchmark/specs.py`; whatever a plugin
raises, prints or gives wrong costs only itself. What ends the interpreter (`os._exit`, a crash in C) cannot be caught.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pluggy

from benchmark.specs import AugmentationSpec, DatasetLayout, MethodSpec, MetricSpec, TrackerSpec

PROJECT = "benchmark"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def benchmark_methods() -> Iterable[MethodSpec]:
    """Methods that can be trained and evaluated."""
    raise AssertionError("a hook specification is never called")


@hookspec
def benchmark_augmentations() -> Iterable[AugmentationSpec]:
    """Augmentations that `--augment` accepts."""
    raise AssertionError("a hook specification is never called")


@hookspec
def benchmark_datasets() -> Iterable[DatasetLayout]:
    """Datasets, each with the way it is distributed on disk."""
    raise AssertionError("a hook specification is never called")


@hookspec
def benchmark_metrics() -> Iterable[MetricSpec]:
    """Metrics that a protocol may name."""
    raise AssertionError("a hook specification is never called")


@hookspec
def benchmark_trackers() -> Iterable[TrackerSpec]:
    """What follows runs and pre-trainings, for `--track`."""
    raise AssertionError("a hook specification is never called")


@hookspec
def benchmark_protocols() -> Iterable[Path]:
    """Protocol files; a protocol's name is its file's name."""
    raise AssertionError("a hook specification is never called")
