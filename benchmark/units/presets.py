"""A method's preset as a unit trains by it: on the protocol's dataset, and with what `--set` changes of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from pydantic import NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from benchmark.errors import UsageError
from benchmark.plugin_functions import make_recipe
from benchmark.registry import registry, unknown_name
from benchmark.specs import MethodSpec, Preset, Recipe
from benchmark.units.unit import Unit
from benchmark.validation import problem_of

SAMPLING, OPTION = "sampling.", "preset."
# Preset fields that `--set` may name directly, and what they can be.
PRESET_KEYS: dict[str, Any] = {
    "epochs": NonNegativeInt,
    "batch_size": PositiveInt,
    "reference_batch": PositiveInt,
    "statistics": PositiveInt | None,
    "copies": PositiveInt,
    "balanced": bool,
    "size": PositiveInt,
    "decode_size": PositiveInt | None,
    "sampling.clips": PositiveInt,
    "sampling.length": PositiveInt,
    "sampling.stride": PositiveInt,
}
# The setting of the config that is the learning rate itself, whatever the batch.
RATE = "optim_wrapper.optimizer.lr"


def is_preset_key(key: str) -> bool:
    """Whether a `--set` key is the preset's, and not one of the config that is made from it."""
    return key in PRESET_KEYS or key.startswith(OPTION)


def preset_of_unit(unit: Unit) -> Preset:
    """The preset that a unit trains by."""
    method = registry().find("methods", unit.method)
    return chosen_preset(method, unit.preset, unit.overrides, unit.protocol.dataset)


def chosen_preset(method: MethodSpec, name: str, overrides: Mapping[str, Any], dataset: str) -> Preset:
    """The method's preset called `name` as it is on the dataset, changed; see `changed_preset`."""
    if name not in method.presets:
        raise UsageError(f"{method.name} has no preset '{name}'; it has: {', '.join(method.presets)}")
    return changed_preset(method.presets[name].on(dataset), overrides)


def changed_preset(preset: Preset, overrides: Mapping[str, Any]) -> Preset:
    """The preset with those `--set` values that are its own; UsageError for a value it cannot have.

    The learning rate stays meant for the batch that it was meant for.
    """
    changes: dict[str, Any] = {"reference_batch": preset.reference_batch or preset.batch_size}
    sampling: dict[str, Any] = {}
    options = dict(preset.model)
    for key, value in overrides.items():
        if key in PRESET_KEYS:
            _check(key, value)
            place = sampling if key.startswith(SAMPLING) else changes
            place[key.removeprefix(SAMPLING)] = value
        elif key.startswith(OPTION):
            name = key.removeprefix(OPTION)
            if name not in options:
                raise UsageError(f"--set {key}: {unknown_name('option of the preset', name, options)}")
            options[name] = value
    changes["sampling"] = dataclasses.replace(preset.sampling, **sampling)
    changed = dataclasses.replace(preset, model=options, **changes)
    clips = changed.batch_size * changed.copies
    if changed.statistics and clips > changed.statistics and clips % changed.statistics:
        raise UsageError(
            f"--set statistics: a batch of {clips} cannot be divided into parts of {changed.statistics} clips; set "
            "statistics to a number that divides it, or to null for the whole batch"
        )
    return changed


def _check(key: str, value: Any) -> None:
    try:
        TypeAdapter(PRESET_KEYS[key]).validate_python(value, strict=True)
    except ValidationError as error:
        raise UsageError(problem_of(error, f"--set {key}={value}")) from None


def effective_rate(recipe: Recipe, preset: Preset, overrides: Mapping[str, Any]) -> float:
    """The learning rate of training: the recipe's, scaled to the batch, or the one that `--set` gives."""
    return float(overrides.get(RATE, preset.scaled(recipe.optim_wrapper["optimizer"]["lr"])))


def resolved(unit: Unit) -> dict[str, Any]:
    """The preset that a unit trains by as plain values, for its record, with the learning rate that it comes to."""
    method, preset = registry().find("methods", unit.method), preset_of_unit(unit)
    recipe = make_recipe(method.recipe, preset, len(unit.protocol.classes))
    values = dataclasses.asdict(preset)
    for name in ("datasets", "pretraining", "parameters", "gflops"):
        del values[name]
    values["options"] = values.pop("model")
    values["learning_rate"] = effective_rate(recipe, preset, unit.overrides)
    # As JSON has it: lists for tuples.
    return json.loads(json.dumps(values))
