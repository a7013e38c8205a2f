"""From a unit to the full MMEngine config that trains it."""

from __future__ import annotations

import copy
import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import UsageError
from benchmark.fence import fenced
from benchmark.plugin_functions import build_augmentation, make_recipe
from benchmark.registry import registry
from benchmark.specs import Preset, Recipe
from benchmark.training.seeds import derive_seed
from benchmark.units.presets import PRESET_KEYS, RATE, is_preset_key, preset_of_unit
from benchmark.units.samples import TEST, TRAIN, WATCHED
from benchmark.units.setting_rules import check_allowed, check_setting, types_in
from benchmark.units.state import SPLIT_FILES
from benchmark.units.unit import Unit

if TYPE_CHECKING:
    from mmengine.config import Config


# What registers the harness's own types.
REGISTERING = (
    "benchmark.training.data",
    "benchmark.training.module_recognizer",
    "benchmark.training.transforms",
    "benchmark.training.device_transforms",
    "benchmark.training.resizing",
)


def build_config(unit: Unit, folder: Path, dataset_root: Path, test_root: Path, cache: Path, workers: int) -> Config:
    """The unit's MMEngine config, with the modules imported that register the types in it.

    Raises UsageError for a setting that names a type that is not registered.
    """
    from mmengine.config import Config

    from benchmark.training.registered import check_registered

    values = config_values(unit, folder, dataset_root, test_root, cache, workers)
    import_modules(values["custom_imports"]["imports"])
    if any(True for key, value in unit.overrides.items() for _ in types_in(key, value)):
        plain = unit.model_copy(update={"overrides": {k: v for k, v in unit.overrides.items() if is_preset_key(k)}})
        check_registered(config_values(plain, folder, dataset_root, test_root, cache, workers), unit.overrides)
    return Config(values)


def import_modules(names: Sequence[str]) -> None:
    """Import what registers the types of a config, plugins' modules among it."""
    from benchmark.training.adapter import import_mmaction

    import_mmaction()
    for name in names:
        with fenced(name):
            importlib.import_module(name)


def config_values(
    unit: Unit, folder: Path, dataset_root: Path, test_root: Path, cache: Path, workers: int
) -> dict[str, Any]:
    """Everything MMEngine needs to train the unit, as plain values; made without importing it.

    `val_dataloader` reads the split that is scored after every epoch, as labelled rows; it is None where the protocol
    watches no split. The test split has a loader of its own (`test_dataloader`), whose file lists ids and paths without
    labels.
    """
    method = registry().find("methods", unit.method)
    preset = preset_of_unit(unit)
    # Changed in place below, so not the plugin's own.
    recipe = copy.deepcopy(make_recipe(method.recipe, preset, len(unit.protocol.classes)))
    transforms, mixers, imports = _augmentations(unit)
    evaluating = [*recipe.test_transforms, *packing(recipe)]
    learning = [*recipe.train_transforms, *transforms, *packing(recipe, train=True)]

    watched = unit.protocol.watched_split
    watched_root = test_root if watched == "test" else dataset_root
    order = unit.protocol.frames.order

    def loader(rows: str, root: Path, train: bool) -> dict[str, Any]:
        reading = Reading(folder / SPLIT_FILES / f"{rows}.json", root, cache, workers, unit.random_seed, order)
        return clip_loader(preset, reading, learning if train else evaluating, train)

    config: dict[str, Any] = {
        "default_scope": "mmaction",
        "custom_imports": {"imports": [*REGISTERING, *recipe.imports, *imports]},
        "model": model_config(recipe, preset, mixers[0] if mixers else recipe.mixing),
        "train_dataloader": loader(TRAIN, dataset_root, train=True),
        "val_dataloader": loader(WATCHED, watched_root, train=False) if watched else None,
        "test_dataloader": loader(TEST, test_root, train=False),
        **schedule_config(recipe, preset, unit.random_seed),
    }
    _follow_classes(config, recipe, unit)
    apply_overrides(config, unit.overrides)
    return config


def _follow_classes(config: dict[str, Any], recipe: Recipe, unit: Unit) -> None:
    """Bring the recipe's lists of values by class into the protocol's class order, in place."""
    classes = unit.protocol.classes
    for key, order in recipe.by_class.items():
        if key in unit.overrides or tuple(classes) == order:
            continue
        if set(classes) != set(order):
            raise UsageError(
                f"{unit.method} needs a value for each class in {key}, and has them for "
                f"{', '.join(order) or 'other numbers of classes'}; give those of {', '.join(classes)}, in this order, "
                f"with --set {key}=[...]"
            )
        parent, last = _place(config, key)
        parent[last] = [parent[last][order.index(name)] for name in classes]


def _place(config: Config, key: str) -> tuple[Any, str]:
    """The dict that holds the setting called `key`, and the setting's name in it; None if there is no such dict."""
    *parents, last = key.split(".")
    target: Any = config
    for parent in parents:
        target = target.get(parent) if hasattr(target, "get") else None
    return target, last


@dataclasses.dataclass(frozen=True)
class Reading:
    """Where and how clips are read: the file that lists them, their root, the frame cache, processes, random streams.

    Without a cache every frame is decoded anew.

    order: see `FramePolicy`.
    """

    rows: Path
    root: Path
    cache: Path | None
    workers: int
    seed: str
    order: str = "temporal"


def clip_loader(preset: Preset, reading: Reading, steps: list[dict[str, Any]], train: bool) -> dict[str, Any]:
    """The config of a data loader: read each clip's frames as the preset samples them, then take `steps`."""
    sampler = {"type": "EpochSampler", "shuffle": train, "seed": derive_seed(reading.seed, "order")}
    return {
        "batch_size": preset.batch_size * (preset.copies if train else 1),
        "num_workers": reading.workers,
        "persistent_workers": reading.workers > 0,
        "worker_init_fn": {"type": "start_reader"},
        "collate_fn": {"type": "collate_clips"},
        "drop_last": train,
        "sampler": {**sampler, "copies": preset.copies, "balanced": preset.balanced} if train else sampler,
        "dataset": {
            "type": "ClipDataset",
            "seed": reading.seed,
            "ann_file": str(reading.rows),
            "pipeline": [reader_config(preset, reading, train), *steps],
            "test_mode": not train,
        },
    }


def reader_config(preset: Preset, reading: Reading, train: bool) -> dict[str, Any]:
    """The config of the transform that chooses a clip's frames, at random in training, and decodes them."""
    return {
        "type": "ReadFrames",
        "sampling": dataclasses.asdict(preset.sampling),
        "order": reading.order,
        "decode_size": preset.decode_size,
        "cache": str(reading.cache) if reading.cache else None,
        "data_root": str(reading.root),
        "random": train,
    }


def packing(recipe: Recipe, train: bool = False) -> list[dict[str, Any]]:
    """The last steps of a pipeline: stack the frames and, for learning, hand on the targets."""
    pack = {
        "type": "PackActionInputs",
        "meta_keys": ("clip_id", "frame_numbers"),
        "algorithm_keys": ("target", "frame_target"),
    }
    shape = {"type": "FormatShape", "input_format": recipe.format_shape}
    return [shape, *([{"type": "TargetToTensor"}] if train else []), pack]


def model_config(recipe: Recipe, preset: Preset, mixing: dict[str, Any] | None = None) -> dict[str, Any]:
    """The config of the recipe's model with the preset's normalisation, and with `mixing` of each training batch."""
    preprocessor = {
        "type": "ClipPreprocessor",
        "mean": list(preset.mean),
        "std": list(preset.std),
        "format_shape": recipe.format_shape,
        **({"blending": mixing} if mixing else {}),
    }
    return {**recipe.model, "data_preprocessor": preprocessor}


def schedule_config(recipe: Recipe, preset: Preset, seed: str) -> dict[str, Any]:
    """The config of the training loop: epochs, optimiser, learning rate for the batch, initial weights."""
    optimizer = recipe.optim_wrapper["optimizer"]
    return {
        "train_cfg": {"by_epoch": True, "max_epochs": preset.epochs, "val_interval": 1},
        "optim_wrapper": {**recipe.optim_wrapper, "optimizer": {**optimizer, "lr": preset.scaled(optimizer["lr"])}},
        "param_scheduler": recipe.param_scheduler,
        "randomness": {"seed": derive_seed(seed, "weights")},
        "env_cfg": {"cudnn_benchmark": False, "mp_cfg": {"opencv_num_threads": 0}},
    }


def _augmentations(unit: Unit) -> tuple[list[dict], list[dict], list[str]]:
    """Clip transforms, batch mixers and the modules that register both, in the order they were asked for."""
    transforms: list[dict] = []
    mixers: list[dict] = []
    imports: list[str] = []
    for chosen in unit.augmentations:
        spec = registry().find("augmentations", chosen.name)
        built = build_augmentation(spec, len(unit.protocol.classes), chosen.options)
        (mixers if "batch" in spec.touches else transforms).append(built)
        imports += spec.imports
    return transforms, mixers, imports


def apply_overrides(config: Any, overrides: Mapping[str, Any]) -> None:
    """Change the config, in place, by those `--set` values that name no preset field."""
    for key, value in overrides.items():
        if is_preset_key(key):
            continue
        check_allowed("--set", key, value)
        target, last = _place(config, key)
        if not hasattr(target, "get") or target.get(last) is None:
            raise UsageError(
                f"--set {key}: no such setting; use one of {', '.join(PRESET_KEYS)}, preset.<option>, a key of the "
                f"config such as {RATE}, or protocol.<key>"
            )
        check_setting(key, target[last], value)
        target[last] = value
