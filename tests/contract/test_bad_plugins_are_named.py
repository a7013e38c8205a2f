"""Deliberately bad plugins, each named by the right check with a reason; and what is not theirs to answer for."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmark import testing
from benchmark.errors import UsageError
from benchmark.module_recipe import module_network, module_recipe
from benchmark.registry import registry
from benchmark.specs import (
    AugmentationSpec,
    Clip,
    DatasetLayout,
    MethodSpec,
    MetricSpec,
    Preset,
    Recipe,
    Sampling,
    TrackerSpec,
)
from benchmark.testing import made_up, specs

HERE = f"{__name__}:"
SMALL = Preset(
    size=8,
    sampling=Sampling(4),
    epochs=2,
    batch_size=4,
    decode_size=8,
    parameters=73,
    gflops=0.0,
    model={"kind": "Good"},
)
METHOD = MethodSpec(
    name="bad",
    title="Bad",
    citation="nobody",
    licence="MIT",
    recipe=HERE + "recipe",
    presets={"paper": SMALL, "small": SMALL},
    networks={"model": module_network("classifier")},
    official_evaluation="none",
)


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """One of `bad_models`, by the preset's `kind`."""
    options = dict(preset.model)
    module = f"tests.contract.bad_models:{options.pop('kind')}"
    plain = dataclasses.replace(preset, model=options)
    return module_recipe(module, plain, num_classes, clip="CTHW", lr=0.01)


def two_parts(preset: Preset, num_classes: int, **head: object) -> Recipe:
    """An MMAction2 recognizer."""
    options = {"type": "I3DHead", "num_classes": num_classes, "in_channels": 6, "average_clips": "prob", **head}
    model = {"type": "Recognizer3D", "backbone": {"type": "BadPluginBackbone"}, "cls_head": options}
    return dataclasses.replace(recipe(preset, num_classes), model=model)


def wrong_width(preset, num_classes):
    return two_parts(preset, num_classes, in_channels=64)


def no_softmax(preset, num_classes):
    return two_parts(preset, num_classes, average_clips="score")


def hard_head(preset, num_classes):
    return two_parts(preset, num_classes, type="BadPluginHardHead")


def late_start(preset, num_classes):
    late = {"type": "CosineAnnealingLR", "T_max": 5, "begin": 2, "end": preset.epochs}
    return dataclasses.replace(recipe(preset, num_classes), param_scheduler=[late])


def model(kind: str, **changes: Any) -> MethodSpec:
    preset = dataclasses.replace(SMALL, model={"kind": kind})
    return dataclasses.replace(METHOD, presets={"paper": preset, "small": preset}, **changes)


# A method, the check that must name it, and words of the reason.
BAD_METHODS: dict[str, tuple[MethodSpec, str, str]] = {
    "five logits": (
        model("FiveLogits"),
        "shapes",
        r"FiveLogits: got clips of shape .* must give .*\(2, 7\).*gave \(2, 5\)",
    ),
    "logits per frame": (model("PerFrame"), "shapes", r"it gave \(2, 4, 7\)"),
    "a tuple": (model("GivesTuple"), "shapes", "it gave a tuple"),
    "frames first": (model("FramesFirst"), "shapes", r"clips come in as .* \(2, 1, 3, 4, 8, 8\)"),
    "no module": (model("no_module"), "shapes", r"gave a int, not a torch\.nn\.Module"),
    "head of another width": (
        dataclasses.replace(METHOD, recipe=HERE + "wrong_width"),
        "shapes",
        r"backbone BadPluginBackbone got \(2, 3, 4, 8, 8\) and gave \(2, 6, 1, 1, 1\); cls_head I3DHead got .* failed",
    ),
    "seven classes only": (model("FixedClasses"), "classes", "with 3 classes"),
    "learns nothing": (model("LearnsNothing"), "loss-falls", "the loss does not fall"),
    "not a number": (model("NotANumber"), "loss-falls", "the loss is nan"),
    "a forgotten layer": (model("Unused"), "gradients", "does not reach 2 weights.*forgotten"),
    "a weight that thaws": (model("ThawsItself"), "gradients", "scale: frozen, and changed"),
    "hard targets only": (
        dataclasses.replace(METHOD, recipe=HERE + "hard_head"),
        "soft-targets",
        "that of their most likely class",
    ),
    "no softmax": (dataclasses.replace(METHOD, recipe=HERE + "no_softmax"), "probabilities", "average_clips='prob'"),
    "dropout in evaluation": (model("DropsInEvaluation"), "deterministic", "draws random numbers, or keeps a state"),
    "counts its calls": (model("CountsCalls"), "deterministic", "get other scores when they are evaluated again"),
    "batch statistics": (model("BatchStatistics"), "batch-independent", "alone gets other scores"),
    "its neighbours": (model("LooksAtNeighbours"), "batch-independent", "nothing may be computed over the batch"),
    "its neighbours in a part": (
        model("LooksAtNeighbours"),
        "micro-batches",
        "two at a time, give gradients that differ",
    ),
    "state beside the weights": (model("KeepsStateAside"), "save-load", "neither a parameter nor a buffer"),
    "its own generator": (model("OwnInitialisation"), "initial-weights", "otherwise each time from the same seed"),
    "seeds torch": (model("SeedsItself"), "initial-weights", "every seed gives the same"),
    "downloads": (model("Downloads"), "no-network", r"tried to reach weights\.example\.org"),
    "another size": (
        model("Unused"),
        "size-small",
        r"states parameters=73, .* has parameters=85, gflops=0\.000: write these",
    ),
    "no small preset": (dataclasses.replace(METHOD, presets={"paper": SMALL}), "presets", "no preset 'small'"),
    "needs what it lacks": (
        dataclasses.replace(METHOD, needs={"faces": "it is another method"}),
        "presets",
        "'faces' is none of its networks",
    ),
    "a late schedule": (
        dataclasses.replace(METHOD, recipe=HERE + "late_start"),
        "schedule",
        "preset paper for 1 epochs: CosineAnnealingLR",
    ),
    "no citation": (dataclasses.replace(METHOD, citation=" "), "spec", "citation is empty"),
}
# Those that only show when units are run.
BAD_UNITS: dict[str, tuple[MethodSpec, str, str]] = {
    "reads the lists": (model("ReadsLists"), "lists-closed", r"a plugin tried to open .*clips\.csv"),
    "reads the lists by a program": (
        model("ReadsListsByAProgram"),
        "test-labels",
        "with other labels of the test clips",
    ),
    "its own noise": (model("OwnNoise"), "seed", "the same unit run again differs"),
    "state beside the checkpoint": (model("KeepsStateAside"), "resume", "interrupted after the first epoch"),
    "a nameless classifier": (
        model("NamelessClassifier", networks={}),
        "class-order",
        "rows of the classifier were not put in order",
    ),
    "fails in the fifth step": (model("FailsLater"), "trains", "the cache of features is full"),
}


@pytest.fixture
def checks(monkeypatch) -> Callable[..., dict[str, testing.Check]]:
    """The checks of a spec, by name, as if a plugin had brought it."""

    def of(kind: str, spec, **options) -> dict[str, testing.Check]:
        monkeypatch.setitem(getattr(registry(), kind), spec.name, spec)
        monkeypatch.setitem(registry().origin, (kind, spec.name), "bad-plugin")
        return {str(check): check for check in testing.checks(spec.name, **options)}

    return of


@pytest.mark.parametrize(("method", "name", "reason"), BAD_METHODS.values(), ids=BAD_METHODS)
def test_a_bad_method_is_named_by_the_right_check(method, name, reason, checks):
    with pytest.raises(testing.CheckFailed, match=reason):
        checks("methods", method)[name]()


@pytest.mark.slow
@pytest.mark.parametrize(("method", "name", "reason"), BAD_UNITS.values(), ids=BAD_UNITS)
def test_a_method_that_is_bad_when_it_is_run_is_named_by_the_right_check(method, name, reason, checks):
    with pytest.raises(testing.CheckFailed, match=reason):
        checks("methods", method)[name]()


def test_what_the_bad_ones_depart_from_passes_every_check_of_its_model(checks):
    results = [check.result() for check in checks("methods", METHOD).values() if check.level != "unit"]
    failed = [f"{result.name}: {result.reason}" for result in results if result.outcome == "failed"]
    assert not failed
    assert [result.name for result in results if result.outcome == "skipped"] == ["light-import"]


@pytest.mark.slow
def test_what_the_bad_ones_depart_from_passes_when_it_is_run(checks):
    for check in checks("methods", METHOD).values():
        if check.level == "unit":
            check()


# Augmentations.


def transform(num_classes: int, kind: str = "") -> dict[str, object]:
    import tests.contract.bad_transforms  # noqa: F401

    return {"type": "BadPluginTransform", "kind": kind, "num_classes": num_classes}


def augmentation(kind: str, *touches: Any) -> AugmentationSpec:
    return AugmentationSpec(
        "bad", "Bad", "nobody", frozenset(touches or ("pixels",)), HERE + "transform", options={"kind": kind}
    )


BAD_AUGMENTATIONS = {
    "drops a frame": (augmentation("drops"), "shapes", r"uint8 \(8, .* went in, and uint8 \(7,"),
    "gives fractions": (augmentation("floats"), "shapes", "float64"),
    "writes into the cache": (augmentation("writes"), "own-frames", "make new arrays"),
    "its own generator": (augmentation("own"), "random-stream", "the same random stream comes out otherwise"),
    "counts clips": (augmentation("counts"), "workers", "depends on the worker that reads it"),
    "doubles targets": (augmentation("doubles", "targets"), "targets", "no distribution any more"),
    "targets in silence": (augmentation("smooths", "pixels"), "touches", 'say "targets" in `touches`'),
    "does nothing": (augmentation("nothing"), "does-something", "changes none of 12 clips"),
    "seven classes only": (augmentation("seven"), "builds", "with 3 classes"),
}


@pytest.mark.parametrize(("spec", "name", "reason"), BAD_AUGMENTATIONS.values(), ids=BAD_AUGMENTATIONS)
def test_a_bad_augmentation_is_named_by_the_right_check(spec, name, reason, checks):
    with pytest.raises(testing.CheckFailed, match=reason):
        checks("augmentations", spec)[name]()


# Metrics.


def counts_clips(confusion):
    return confusion.sum(axis=(-2, -1)).astype(float)


def error_rate(confusion):
    return 1 - np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))


def first_class(confusion):
    return confusion[..., 0, 0] / np.maximum(confusion[..., 0, :].sum(axis=-1), 1)


def recall(confusion):
    with np.errstate(invalid="ignore"):
        return np.mean(np.diagonal(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=-1), axis=-1)


def one_at_a_time(confusion):
    return np.trace(confusion) / confusion.sum()


def metric(compute: str) -> MetricSpec:
    return MetricSpec("bad", "Bad", "nobody", HERE + compute)


BAD_METRICS = {
    "counts": (metric("counts_clips"), "range", "not between 0 and 1"),
    "the wrong way": (metric("error_rate"), "best", "is `higher_is_better` right"),
    "one class": (metric("first_class"), "permutation", "named in another order"),
    "no number": (metric("recall"), "number", "no score"),
    "one at a time": (metric("one_at_a_time"), "many-at-once", r"gave values of shape|do not give the scores"),
}


@pytest.mark.parametrize(("spec", "name", "reason"), BAD_METRICS.values(), ids=BAD_METRICS)
def test_a_bad_metric_is_named_by_the_right_check(spec, name, reason, checks):
    with pytest.raises(testing.CheckFailed, match=reason):
        checks("metrics", spec)[name]()


# Datasets: a list of ids and labels, and a file for each clip.


def find(data_root):
    root = data_root / "bad"
    return root if root.is_dir() else None


def read(root, votes):
    rows = [line.split(",") for line in (root / "list.csv").read_text().splitlines()]
    return [Clip(name, label, {"images": f"{name}.png"}, {1: "train"}) for name, label in rows]


def write(out, clips, seed, report, rows=None):
    out.mkdir(parents=True)
    rows = rows or [(f"{number:02d}", ("happy", "sad")[number % 2]) for number in range(clips)]
    (out / "list.csv").write_text("\n".join(map(",".join, rows)))
    for name, _ in rows:
        (out / f"{name}.png").touch()


def write_twice(out, clips, seed, report):
    write(out, clips, seed, report, [("1", "happy"), ("1", "happy")])


def write_unsorted(out, clips, seed, report):
    write(out, clips, seed, report, [("2", "happy"), ("1", "happy")])


def write_other_spelling(out, clips, seed, report):
    write(out, clips, seed, report, [("1", "Happiness")])


def write_other_class(out, clips, seed, report):
    write(out, clips, seed, report, [("1", "bored")])


def write_no_frames(out, clips, seed, report):
    write(out, clips, seed, report)
    (out / "03.png").unlink()


def write_at_random(out, clips, seed, report):
    write(out, clips, seed, report, [(secrets.token_hex(4), "happy")])


def dataset(synthesize: str, **changes: object) -> DatasetLayout:
    values: dict[str, Any] = {
        **dict.fromkeys(("title", "citation", "licence", "obtain", "tree"), "nobody's"),
        "classes": ("happy", "sad"),
        "frame_sources": ("images",),
        "find": HERE + "find",
        "read": HERE + "read",
        "lists": ("list.csv",),
    }
    return DatasetLayout(name="bad", synthesize=HERE + synthesize, **{**values, **changes})


BAD_DATASETS = {
    "an id twice": (dataset("write_twice"), "clips", "1 ids are there twice, the first is 1"),
    "no order": (dataset("write_unsorted"), "clips", "another order than that of their ids"),
    "its own spelling": (dataset("write_other_spelling"), "labels", "'Happiness' is called 'happy' here"),
    "another class": (dataset("write_other_class"), "labels", "'bored' is none of `classes`"),
    "lost frames": (dataset("write_no_frames"), "frames", r"1 clips have no frames of 'images', the first at 03\.png"),
    "lists forgotten": (dataset("write", lists=()), "lists", r"`lists` is empty, but there is .*list\.csv"),
    "lists of another name": (dataset("write", lists=("labels.csv",)), "lists", "names no file"),
    "another tree each time": (dataset("write_at_random"), "repeatable", "something else the second time"),
    "votes that are not there": (dataset("write", votes=True), "votes", "40 clips have no votes"),
}


@pytest.mark.parametrize(("spec", "name", "reason"), BAD_DATASETS.values(), ids=BAD_DATASETS)
def test_a_bad_dataset_is_named_by_the_right_check(spec, name, reason, checks):
    with pytest.raises(testing.CheckFailed, match=reason):
        checks("datasets", spec)[name]()


def test_what_the_bad_datasets_depart_from_passes(checks):
    results = [check.result() for check in checks("datasets", dataset("write")).values()]
    assert not [result for result in results if result.outcome == "failed"]


def test_counts_of_a_real_copy_are_held_against_the_known_ones(checks, tmp_path):
    write(tmp_path / "bad", 5, 0, None)
    known = dataset("write", expected={1: {"train": {"clips": 6}}})
    with pytest.raises(testing.CheckFailed, match="clips is 5, the official list has 6"):
        checks("datasets", known, data_root=tmp_path)["counts"]()


# Trackers.


def tracker(watcher: str) -> TrackerSpec:
    return TrackerSpec("bad", "Bad", f"tests.contract.bad_trackers:{watcher}")


BAD_TRACKERS = {
    "no watcher": (tracker("no_watcher"), "watcher", "gives a dict, not a benchmark.Watcher"),
    "wants scores": (tracker("wants_scores"), "whole-run", "told of `pretraining_epoch`: KeyError: 'val'"),
    "one at a time": (tracker("one_at_a_time"), "side-by-side", "told of `epoch`: LookupError: another unit"),
    "from the first": (tracker("from_the_first"), "resume", r"told of `epoch`: ValueError: epochs \[3\]"),
    "takes": (tracker("takes"), "leaves-alone", "changes the row of epoch 1, which others are told too"),
    "writes into units": (tracker("writes_into_units"), "leaves-alone", r"into a unit's folder: curve\.txt"),
    "leaves a thread": (tracker("leaves_a_thread"), "ends", "the process does not end: a thread of it"),
    "ends the process": (tracker("ends_the_process"), "fails-alone", "ends the process that runs units, with -15"),
}


@pytest.mark.parametrize(("spec", "name", "reason"), BAD_TRACKERS.values(), ids=BAD_TRACKERS)
def test_a_bad_tracker_is_named_by_the_right_check(spec, name, reason, checks, monkeypatch):
    monkeypatch.setattr("benchmark.testing.trackers.LINGERS", 1 if spec.watcher.endswith("thread") else 30)
    with pytest.raises(testing.CheckFailed, match=reason):
        checks("trackers", spec)[name]()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["same-run", "resumed-run"])
def test_a_tracker_that_disturbs_training_is_named(name, checks):
    import torch

    try:
        with pytest.raises(testing.CheckFailed, match="a unit that .* fails: .*does not require grad"):
            checks("trackers", tracker("gradients_off"))[name]()
    finally:
        torch.set_grad_enabled(True)


def test_what_the_bad_trackers_depart_from_passes(checks):
    for check in checks("trackers", tracker("book")).values():
        if check.level == "model":
            check()


def test_a_tracker_without_its_account_is_a_skip_that_says_so(checks):
    result = checks("trackers", tracker("no_account"))["whole-run"].result()
    assert (result.outcome, result.reason) == ("skipped", "nobody is logged in: run `book login`")


# Protocols, and packages.


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("name: bad", "name: other"), "must equal the file's name"),
        (("dataset: table", "dataset: tabel"), "unknown dataset 'tabel'; did you mean 'table'"),
        (("metrics: [uar, war, macro_f1]", "metrics: [uar, warr]"), "unknown metric 'warr'"),
    ],
)
def test_a_bad_protocol_is_named_by_the_right_check(change, reason, checks, tmp_path, monkeypatch):
    text = made_up.PROTOCOL.read_text().replace("name: plugin-check", "name: bad")
    path = tmp_path / "bad.yaml"
    path.write_text(text.replace(*change))
    monkeypatch.setitem(registry().protocols, "bad", path)
    (valid,) = [check for check in testing.checks("bad") if check.name == "valid"]
    with pytest.raises(testing.CheckFailed, match=reason):
        valid()


@pytest.mark.parametrize(("first", "heavy"), [("import torch", "torch"), ("", "")])
def test_a_package_that_imports_torch_to_be_listed_is_named(first, heavy, tmp_path, monkeypatch):
    (tmp_path / "heavy_plugin.py").write_text(f"{first}\ndef benchmark_methods(): return []\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("benchmark.testing.specs.module_of", lambda origin: "heavy_plugin")
    specs._heavy.cache_clear()
    if heavy:
        with pytest.raises(testing.CheckFailed, match=f"importing heavy_plugin and asking its hooks imports .*{heavy}"):
            specs.check_light_import("heavy-plugin")
    else:
        specs.check_light_import("heavy-plugin")
    specs._heavy.cache_clear()


# What is not a failure.


def test_a_missing_extra_is_a_skip_that_says_what_to_install(checks):
    result = checks("methods", model("NeedsExtra"))["shapes"].result()
    assert (result.outcome, result.reason) == ("skipped", "its tokenizer is not there: pip install my-plugin[text]")


def test_a_failure_that_is_expected_is_a_skip_with_its_reason(checks):
    reason = {"gradients": "the layer is for a later version"}
    result = checks("methods", model("Unused"), expected=reason)["gradients"].result()
    assert (result.outcome, result.reason) == ("expected", "fails, as expected: the layer is for a later version")


def test_an_expected_failure_that_passes_is_a_failure(checks):
    result = checks("methods", METHOD, expected={"gradients": "it was so once"})["gradients"].result()
    assert result.outcome == "failed"
    assert "expected no longer" in result.reason


def test_an_expected_failure_needs_a_reason_and_a_check(checks):
    with pytest.raises(UsageError, match="give the reason in words"):
        checks("methods", METHOD, expected={"gradients": ""})
    with pytest.raises(UsageError, match="did you mean 'gradients'"):
        checks("methods", METHOD, expected={"gradient": "for a good reason"})


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'midas'"):
        testing.checks("midaz")
