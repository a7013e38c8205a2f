"""From a name to its checks: of a spec of any kind, a protocol, or of all that a plugin has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.registry import Registry, registry, unknown_name
from benchmark.testing.augmentations import AugmentationChecks
from benchmark.testing.check import Check, Level
from benchmark.testing.datasets import DatasetChecks
from benchmark.testing.methods import MethodChecks
from benchmark.testing.metrics import MetricChecks
from benchmark.testing.protocols import ProtocolChecks
from benchmark.testing.specs import Spec, check_light_import, check_spec
from benchmark.testing.trackers import TrackerChecks
from benchmark.testing.units import UnitChecks

KINDS = ("methods", "augmentations", "datasets", "metrics", "protocols", "trackers")
Named = tuple[str, Callable[[], None], Level]


def checks(name: str, expected: Mapping[str, str] | None = None, data_root: Path | str | None = None) -> list[Check]:
    """The checks of what is called `name`: a spec of any kind, or a plugin or package with all that it offers.

    expected: checks that are known to fail, with the reason. data_root: where a real copy of a dataset lies, for the
    checks of its layout. Raises UsageError for an unknown name, an unknown check, or a reason that says nothing.
    """
    found = registry()
    wanted = list(_wanted(found, name))
    if not wanted:
        known = {*(name for kind in KINDS for name in getattr(found, kind)), *(plugin.name for plugin in found.plugins)}
        told = [problem for problem in found.problems if f"'{name}'" in problem or f"({name})" in problem]
        raise UsageError("; ".join([unknown_name("plugin", name, known), *told]))
    reasons = dict(expected or {})
    made = [
        Check(f"{kind.removesuffix('s')} {each}", title, run, level, reasons.get(title, ""))
        for kind, each in wanted
        for title, run, level in _checks_of(found, kind, each, Path(data_root) if data_root else None)
    ]
    for title, reason in reasons.items():
        if title not in {check.name for check in made}:
            raise UsageError(unknown_name("check", title, {check.name for check in made}))
        if len(reason.split()) < 2:
            raise UsageError(f"check '{title}' is expected to fail, and nobody says why: give the reason in words")
    return made


def _wanted(found: Registry, name: str) -> Iterator[tuple[str, str]]:
    """(kind, name) of what is meant: specs of that name, and all of a plugin or package of that name."""
    specs = [(kind, name) for kind in KINDS if name in getattr(found, kind)]
    plugins = {plugin.name for plugin in found.plugins if name in (plugin.name, plugin.distribution)}
    owned = [(kind, each) for (kind, each), origin in found.origin.items() if origin in plugins]
    yield from dict.fromkeys([*specs, *owned])


def _checks_of(found: Registry, kind: str, name: str, data_root: Path | None) -> Iterator[Named]:
    if kind == "protocols":
        protocol = ProtocolChecks(name)
        yield "valid", protocol.valid, "spec"
        yield "splits", protocol.splits, "unit"
        yield "runs", protocol.runs, "unit"
        return
    spec: Spec = getattr(found, kind)[name]
    yield "spec", partial(check_spec, spec), "spec"
    yield "light-import", partial(check_light_import, found.origin.get((kind, name), "")), "spec"
    if kind == "methods":
        yield from _of_method(MethodChecks(found.methods[name]))
    elif kind == "augmentations":
        yield from _of_augmentation(AugmentationChecks(found.augmentations[name]))
    elif kind == "datasets":
        yield from _of_dataset(DatasetChecks(found.datasets[name], data_root))
    elif kind == "metrics":
        yield from _of_metric(MetricChecks(found.metrics[name]))
    else:
        yield from _of_tracker(TrackerChecks(found.trackers[name]))


def _of_method(method: MethodChecks) -> Iterator[Named]:
    units = UnitChecks(method.method, method.name)
    yield "presets", method.presets, "spec"
    yield "schedule", method.schedule, "model"
    yield "shapes", method.shapes, "model"
    yield "classes", method.classes, "model"
    yield "loss-falls", method.learns, "model"
    yield "gradients", method.gradients, "model"
    yield "soft-targets", method.soft_targets, "model"
    yield "probabilities", method.distributions, "model"
    yield "deterministic", method.deterministic, "model"
    yield "batch-independent", method.batch_independent, "model"
    yield "save-load", method.save_load, "model"
    yield "micro-batches", method.micro_batches, "model"
    yield "initial-weights", method.initial_weights, "model"
    yield "no-network", method.offline, "model"
    for name in method.method.presets:
        yield f"size-{name}", partial(method.size, name), "model"
    for stage in method.method.pretrainings:
        yield f"pretraining-{stage}", partial(method.pretraining, stage), "model"
    yield "trains", units.trains, "unit"
    yield "lists-closed", units.lists_closed, "unit"
    yield "test-labels", units.test_labels, "unit"
    yield "seed", units.seed, "unit"
    yield "resume", units.resume, "unit"
    yield "class-order", units.class_order, "unit"
    yield "two-processes", units.two_processes, "unit"


def _of_augmentation(augmentation: AugmentationChecks) -> Iterator[Named]:
    yield "builds", augmentation.builds, "model"
    yield "shapes", augmentation.shapes, "model"
    yield "targets", augmentation.targets, "model"
    yield "touches", augmentation.touches, "model"
    yield "own-frames", augmentation.own_frames, "model"
    yield "random-stream", augmentation.stream, "model"
    yield "workers", augmentation.workers, "model"
    yield "does-something", augmentation.does_something, "model"


def _of_dataset(dataset: DatasetChecks) -> Iterator[Named]:
    yield "found", dataset.found, "unit"
    yield "clips", dataset.read, "unit"
    yield "labels", dataset.labels, "unit"
    yield "frames", dataset.frames, "unit"
    yield "lists", dataset.lists, "unit"
    yield "votes", dataset.votes, "unit"
    yield "repeatable", dataset.repeatable, "unit"
    yield "counts", dataset.counts, "unit"


def _of_metric(metric: MetricChecks) -> Iterator[Named]:
    yield "number", metric.number, "spec"
    yield "range", metric.range, "spec"
    yield "best", metric.best, "spec"
    yield "permutation", metric.permutation, "spec"
    yield "many-at-once", metric.many_at_once, "spec"


def _of_tracker(tracker: TrackerChecks) -> Iterator[Named]:
    yield "watcher", tracker.watcher, "model"
    yield "whole-run", tracker.whole_run, "model"
    yield "side-by-side", tracker.side_by_side, "model"
    yield "resume", tracker.resume, "model"
    yield "leaves-alone", tracker.leaves_alone, "model"
    yield "ends", tracker.ends, "model"
    yield "fails-alone", tracker.fails_alone, "model"
    yield "same-run", tracker.same_run, "unit"
    yield "resumed-run", tracker.resumed_run, "unit"
