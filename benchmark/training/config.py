"""From a unit to the full MMEngine config that trains it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from benchmark.errors import UsageError
from benchmark.registry import registry
from benchmark.run.rows import TEST, TRAIN, WATCHED
from benchmark.run.state import SPLITS
from benchmark.run.units import Unit
from benchmark.specs import MethodSpec, Preset, Recipe, load_object
from benchmark.training.randomness import derive_seed

# Preset fields that `--set` may name directly.
PRESET_KEYS = ("epochs", "batch_size", "size", "decode_size")


def build_config(unit: Unit, folder: Path, dataset_root: Path, test_root: Path, cache: Path, workers: int) -> Config:
    """The resolved config: everything MMEngine needs to train the unit, as plain values.

    `val_dataloader` reads the split that is scored after every epoch, as labelled rows; it is None where the protocol
    watches no split. The test split has a loader of its own (`test_dataloader`), whose file lists ids and paths without
    labels.
    """
    method = registry().find("methods", unit.method)
    preset = chosen_preset(method, unit.preset, unit.overrides)
    recipe: Recipe = load_object(method.recipe)(preset, len(unit.protocol.classes))
    transforms, mixers, imports = _augmentations(unit)
    mixing = mixers[0] if mixers else recipe.mixing
    read = {
        "type": "ReadFrames",
        "sampling": dataclasses.asdict(preset.sampling),
        "order": unit.protocol.frames.order,
        "decode_size": preset.decode_size,
        "cache": str(cache),
    }
    pack = {"type": "PackActionInputs", "meta_keys": ("clip_id",), "algorithm_keys": ("target",)}
    shape = {"type": "FormatShape", "input_format": recipe.format_shape}

    watched = unit.protocol.watched_split
    watched_root = test_root if watched == "test" else dataset_root
    learning = [*recipe.train_transforms, *transforms, shape, {"type": "TargetToTensor"}, pack]
    evaluating = [*recipe.test_transforms, shape, pack]

    def loader(rows: str, root: Path, train: bool) -> dict[str, Any]:
        reader = {**read, "data_root": str(root), "random": train}
        pipeline = [reader, *(learning if train else evaluating)]
        return {
            "batch_size": preset.batch_size,
            "num_workers": workers,
            "persistent_workers": workers > 0,
            "drop_last": train,
            "sampler": {"type": "EpochSampler", "shuffle": train, "seed": derive_seed(unit.random_seed, "order")},
            "dataset": {
                "type": "ClipDataset",
                "seed": unit.random_seed,
                "ann_file": str(folder / SPLITS / f"{rows}.json"),
                "pipeline": pipeline,
                "test_mode": not train,
            },
        }

    config = Config(
        {
            "default_scope": "mmaction",
            "custom_imports": {"imports": ["benchmark.training.data", *recipe.imports, *imports]},
            "model": {
                **recipe.model,
                "data_preprocessor": {
                    "type": "ClipPreprocessor",
                    "mean": list(preset.mean),
                    "std": list(preset.std),
                    "format_shape": recipe.format_shape,
                    **({"blending": mixing} if mixing else {}),
                },
            },
            "train_dataloader": loader(TRAIN, dataset_root, train=True),
            "val_dataloader": loader(WATCHED, watched_root, train=False) if watched else None,
            "test_dataloader": loader(TEST, test_root, train=False),
            "train_cfg": {"by_epoch": True, "max_epochs": preset.epochs, "val_interval": 1},
            "optim_wrapper": recipe.optim_wrapper,
            "param_scheduler": recipe.param_scheduler,
            "randomness": {"seed": derive_seed(unit.random_seed, "weights")},
            "env_cfg": {"cudnn_benchmark": False, "mp_cfg": {"opencv_num_threads": 0}},
        }
    )
    _apply_overrides(config, unit.overrides)
    return config


def chosen_preset(method: MethodSpec, name: str, overrides: Mapping[str, Any]) -> Preset:
    """The method's preset, with those `--set` values that name a preset field."""
    if name not in method.presets:
        raise UsageError(f"{method.name} has no preset '{name}'; it has: {', '.join(method.presets)}")
    changes = {key: value for key, value in overrides.items() if key in PRESET_KEYS}
    return dataclasses.replace(method.presets[name], **changes)


def _augmentations(unit: Unit) -> tuple[list[dict], list[dict], list[str]]:
    """Clip transforms, batch mixers and the modules that register both, in the order they were asked for."""
    transforms: list[dict] = []
    mixers: list[dict] = []
    imports: list[str] = []
    for chosen in unit.augmentations:
        spec = registry().find("augmentations", chosen.name)
        built = load_object(spec.build)(num_classes=len(unit.protocol.classes), **chosen.options)
        (mixers if "batch" in spec.touches else transforms).append(built)
        imports += spec.imports
    return transforms, mixers, imports


def _apply_overrides(config: Config, overrides: Mapping[str, Any]) -> None:
    for key, value in overrides.items():
        if key in PRESET_KEYS:
            continue
        *parents, last = key.split(".")
        target: Any = config
        for parent in parents:
            target = target.get(parent) if hasattr(target, "get") else None
        if not hasattr(target, "get") or target.get(last) is None:
            raise UsageError(
                f"--set {key}: no such setting; use one of {', '.join(PRESET_KEYS)}, a key of the config such as "
                "optim_wrapper.optimizer.lr, or protocol.<key>"
            )
        target[last] = value
