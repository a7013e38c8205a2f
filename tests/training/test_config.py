"""A unit's MMEngine config: what was asked for, what the recipe says and what the protocol fixes, each in place."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmark.errors import UsageError
from benchmark.protocol import load_protocol, override
from benchmark.registry import registry
from benchmark.specs import AugmentationSpec, MethodSpec, Preset, Recipe, Sampling, load_object
from benchmark.training.config import build_config
from benchmark.units.unit import ChosenAugmentation, Unit

DFEW = load_protocol(registry().find("protocols", "dfew-fold1"))
# A legacy protocol scores the test split after every epoch; the last epoch of the other is taken unseen.
ORACLE = load_protocol(registry().find("protocols", "legacy-dfew-5fold"))
UNWATCHED = override(override(DFEW, {"selection.policy": "last"}), {"split": {"train": "train", "test": "test"}})
GROUPING = "model.cls_head.grouping"

PRESET = Preset(
    size=24,
    sampling=Sampling(clips=3, length=2, stride=5),
    epochs=7,
    batch_size=6,
    copies=2,
    balanced=True,
    mean=(1.0, 2.0, 3.0),
    std=(4.0, 5.0, 6.0),
    decode_size=30,
)
METHOD = MethodSpec(
    name="plain",
    title="Plain",
    citation="none",
    licence="none",
    recipe=f"{__name__}:recipe",
    presets={"paper": PRESET, "once": dataclasses.replace(PRESET, copies=1, balanced=False, decode_size=None)},
    official_evaluation="none",
)


MODULES = ("plain", "plain.model", *(f"plain.{name}" for name in ("jitter", "skip", "mix")))


@pytest.fixture(autouse=True)
def modules(monkeypatch):
    """The modules that the made-up plugin names: they are imported for a config's types, and have none."""
    for name in MODULES:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """What a plugin writes, with names that are recognised wherever they turn up."""
    return Recipe(
        model={"type": "Model", "cls_head": {"num_classes": num_classes, "size": preset.size}},
        format_shape="NCTHW",
        train_transforms=[{"type": "LearnCrop"}, {"type": "LearnFlip"}],
        test_transforms=[{"type": "SeeCentre"}],
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
        param_scheduler=[{"type": "Cosine"}],
        mixing={"type": "PaperMixing"},
        imports=["plain.model"],
    )


def augmentation(name: str, *touches: Any) -> AugmentationSpec:
    return AugmentationSpec(
        name=name,
        title=name,
        citation="none",
        touches=frozenset(touches),
        build=f"{__name__}:built",
        options={"kind": name, "share": 0.5},
        imports=(f"plain.{name}",),
    )


def built(num_classes: int, kind: str = "default", share: float = 0.5) -> dict:
    return {"type": f"Added-{kind}", "share": share, "num_classes": num_classes}


@pytest.fixture(autouse=True)
def plain_plugins(monkeypatch):
    monkeypatch.setitem(registry().methods, "plain", METHOD)
    for spec in (
        augmentation("jitter", "pixels"),
        augmentation("skip", "frames"),
        augmentation("mix", "batch", "targets"),
    ):
        monkeypatch.setitem(registry().augmentations, spec.name, spec)


def unit(**changes) -> Unit:
    fields = {
        "protocol": DFEW,
        "method": "plain",
        "method_version": "1",
        "preset": "paper",
        "labels": "hard",
        "seed": 0,
        "fold": 1,
        "data": "0",
        "synthetic": True,
    }
    return Unit(**{**fields, **changes})


def config(workers: int = 0, **changes):
    return build_config(unit(**changes), Path("unit"), Path("learned"), Path("tested"), Path("cache"), workers)


def chosen(*names: str, **options) -> tuple[ChosenAugmentation, ...]:
    return tuple(ChosenAugmentation(name=name, version="1", options={"kind": name, **options}) for name in names)


def steps(loader) -> list[str]:
    """The types of a loader's transforms, between reading the frames and stacking them."""
    types = [step["type"] for step in loader.dataset.pipeline]
    assert types[0] == "ReadFrames"
    return types[1 : types.index("FormatShape")]


def loaders(built_config) -> dict:
    return {name: built_config[f"{name}_dataloader"] for name in ("train", "val", "test")}


# What is learned from, and what is evaluated.


@pytest.mark.parametrize("split", ["val", "test"])
def test_evaluation_takes_the_recipes_test_transforms_and_nothing_else(split):
    built_config = config(augmentations=chosen("jitter", "skip"))
    assert steps(loaders(built_config)[split]) == ["SeeCentre"]


def test_the_split_that_is_watched_on_test_is_evaluated_as_test_is():
    assert steps(config(protocol=ORACLE, augmentations=chosen("jitter")).val_dataloader) == ["SeeCentre"]


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("name", sorted(registry().methods))
def test_every_methods_evaluation_is_its_recipes(name, split):
    method = registry().methods[name]
    preset = method.presets["small"]
    expected = [step["type"] for step in load_object(method.recipe)(preset, len(DFEW.classes)).test_transforms]
    loader = loaders(config(method=name, preset="small", augmentations=chosen("jitter")))[split]
    assert steps(loader) == expected
    assert loader.dataset.pipeline[0]["random"] is False


def test_learning_takes_the_recipes_transforms_then_the_augmentations_in_their_order():
    assert steps(config().train_dataloader) == ["LearnCrop", "LearnFlip"]
    both = config(augmentations=chosen("skip", "jitter")).train_dataloader
    assert steps(both) == ["LearnCrop", "LearnFlip", "Added-skip", "Added-jitter"]


def test_an_augmentation_gets_its_options_and_the_number_of_classes():
    pipeline = config(augmentations=chosen("jitter", share=0.25)).train_dataloader.dataset.pipeline
    (added,) = (step for step in pipeline if step["type"] == "Added-jitter")
    assert (added["share"], added["num_classes"]) == (0.25, 7)


def test_frames_are_chosen_at_random_in_training_only():
    chosen_at_random = {name: one.dataset.pipeline[0]["random"] for name, one in loaders(config()).items()}
    assert chosen_at_random == {"train": True, "val": False, "test": False}


def test_targets_are_made_in_training_only():
    has_targets = {
        name: "TargetToTensor" in [step["type"] for step in loader.dataset.pipeline]
        for name, loader in loaders(config()).items()
    }
    assert has_targets == {"train": True, "val": False, "test": False}


def test_only_training_shuffles_repeats_balances_and_drops_the_last_batch():
    found = loaders(config())
    train = found["train"]
    assert (train.batch_size, train.drop_last) == (12, True)
    assert (train.sampler.shuffle, train.sampler.copies, train.sampler.balanced) == (True, 2, True)
    for name in ("val", "test"):
        assert (found[name].batch_size, found[name].drop_last, found[name].sampler.shuffle) == (6, False, False)
        assert not found[name].sampler.get("balanced") and found[name].sampler.get("copies", 1) == 1


# Where things are read.


def test_every_loader_reads_its_own_split_file_below_the_root_of_its_dataset():
    read = {
        name: (loader.dataset.ann_file, loader.dataset.pipeline[0]["data_root"])
        for name, loader in loaders(config()).items()
    }
    assert read == {
        "train": ("unit/splits/train.json", "learned"),
        "val": ("unit/splits/watched.json", "learned"),
        "test": ("unit/splits/test.json", "tested"),
    }


def test_a_protocol_that_watches_test_watches_it_where_the_test_clips_lie():
    assert config(protocol=ORACLE).val_dataloader.dataset.pipeline[0]["data_root"] == "tested"


def test_where_no_split_is_watched_there_is_no_val_loader():
    built_config = config(protocol=UNWATCHED)
    assert built_config.val_dataloader is None
    assert built_config.test_dataloader is not None


@pytest.mark.parametrize("order", ["temporal", "shuffled", "single"])
def test_every_loader_reads_frames_in_the_protocols_order(order):
    built_config = config(protocol=override(DFEW, {"frames.order": order}))
    assert [loader.dataset.pipeline[0]["order"] for loader in loaders(built_config).values()] == [order] * 3


def test_every_loader_samples_and_decodes_as_the_preset_says():
    for loader in loaders(config()).values():
        read = loader.dataset.pipeline[0]
        assert dict(read["sampling"]) == {"clips": 3, "length": 2, "stride": 5}
        assert (read["decode_size"], read["cache"]) == (30, "cache")


def test_workers_live_on_where_there_are_any():
    assert {(one.num_workers, one.persistent_workers) for one in loaders(config(0)).values()} == {(0, False)}
    assert {(one.num_workers, one.persistent_workers) for one in loaders(config(3)).values()} == {(3, True)}


# The model and its training.


def test_the_model_is_the_recipes_for_the_protocols_classes_and_the_presets_size():
    head = config(protocol=override(DFEW, {"classes": ["happy", "sad", "angry"], "groupings": []})).model.cls_head
    assert (head.num_classes, head["size"]) == (3, 24)


def test_frames_are_normalised_and_shaped_as_the_method_says():
    preprocessor = config().model.data_preprocessor
    assert (list(preprocessor.mean), list(preprocessor.std)) == ([1, 2, 3], [4, 5, 6])
    assert preprocessor.format_shape == "NCTHW"
    for loader in loaders(config()).values():
        (shape,) = (step for step in loader.dataset.pipeline if step["type"] == "FormatShape")
        assert shape["input_format"] == "NCTHW"


def test_the_papers_mixing_gives_way_to_the_one_that_was_asked_for():
    assert config().model.data_preprocessor.blending.type == "PaperMixing"
    asked = config(augmentations=chosen("skip", "mix")).model.data_preprocessor.blending
    assert (asked.type, asked.num_classes) == ("Added-mix", 7)


def test_a_method_that_mixes_nothing_has_no_mixing():
    assert "blending" not in config(method="tsm", preset="small").model.data_preprocessor


def test_epochs_optimiser_and_schedule_are_the_recipes():
    built_config = config()
    assert (built_config.train_cfg.max_epochs, built_config.train_cfg.val_interval) == (7, 1)
    assert built_config.optim_wrapper.optimizer.lr == 0.1
    assert [one.type for one in built_config.param_scheduler] == ["Cosine"]


def test_the_plugins_modules_are_imported_and_those_of_unused_ones_are_not():
    imports = config(augmentations=chosen("jitter", "mix")).custom_imports.imports
    assert {"plain.model", "plain.jitter", "plain.mix"} <= set(imports)
    assert "plain.skip" not in imports


# Random streams.


def seeds(built_config) -> dict[str, object]:
    """Every seed in the config, by what draws from it."""
    found: dict[str, object] = {"weights": built_config.randomness.seed}
    for name, loader in loaders(built_config).items():
        found[f"{name} order"], found[f"{name} clips"] = loader.sampler.seed, loader.dataset.seed
    return found


@pytest.mark.parametrize("changes", [{"seed": 1}, {"fold": 2}], ids=str)
def test_another_seed_or_fold_draws_other_numbers_everywhere(changes):
    base, other = seeds(config()), seeds(config(**changes))
    assert not [what for what in base if base[what] == other[what]]


def test_nothing_else_changes_what_is_drawn():
    same = [
        config(),
        config(workers=4),
        config(labels="soft", augmentations=chosen("jitter")),
        build_config(unit(), Path("a"), Path("b"), Path("c"), Path("d"), 0),
    ]
    assert all(seeds(one) == seeds(same[0]) for one in same)


def test_weights_and_the_order_of_clips_are_drawn_from_different_streams():
    found = seeds(config())
    assert found["weights"] != found["train order"]


# Changes with `--set`.


def test_settings_reach_the_preset_and_the_config():
    built_config = config(overrides={"epochs": 3, "copies": 1, "optim_wrapper.optimizer.lr": 0.5})
    assert built_config.train_cfg.max_epochs == 3
    assert built_config.train_dataloader.batch_size == 6
    assert built_config.optim_wrapper.optimizer.lr == 0.5


def test_a_setting_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match=r"--set optim_wrapper\.optimizer\.momentum: no such setting"):
        config(overrides={"optim_wrapper.optimizer.momentum": 0.9})


def grouping(classes, **overrides):
    """The emotion group of each class that AEN would be trained with under a protocol with these classes."""
    protocol = override(DFEW, {"classes": classes, "groupings": []})
    return list(config(protocol=protocol, method="aen", preset="small", overrides=overrides).model.cls_head.grouping)


def test_values_by_class_follow_the_protocols_order():
    assert grouping(list(DFEW.classes)) == [0, 2, 1, 2, 0, 2, 2]
    assert grouping(["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear"]) == [1, 0, 0, 2, 2, 2, 2]


def test_values_for_other_classes_have_to_be_given():
    with pytest.raises(UsageError, match=r"happy, sad, angry, in this order, with --set model.cls_head.grouping"):
        grouping(["happy", "sad", "angry"])
    assert grouping(["happy", "sad", "angry"], **{GROUPING: [0, 1, 1]}) == [0, 1, 1]
