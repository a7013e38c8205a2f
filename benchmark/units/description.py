"""The recipe and the code behind a unit or a pre-training, as its identity holds them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from benchmark.fence import PluginFault
from benchmark.plugin_functions import build_augmentation, make_recipe
from benchmark.registry import registry
from benchmark.specs import MethodSpec, Preset, Recipe
from benchmark.units.identity import Trainable
from benchmark.units.presets import changed_preset, preset_of_unit
from benchmark.units.pretraining import PretrainingUnit
from benchmark.units.sources import code_hashes
from benchmark.units.unit import Unit

W = TypeVar("W", bound=Trainable)
# Fields of a preset that tell of it, and change nothing; what `datasets` says is in the others already.
_TELLING = ("datasets", "pretraining", "parameters", "gflops")


def described(unit: Unit) -> Unit:
    """The unit with its recipe and code; as it is where a plugin is broken, which will cost only that unit."""
    try:
        method, preset = registry().find("methods", unit.method), preset_of_unit(unit)
        recipe = make_recipe(method.recipe, preset, len(unit.protocol.classes))
        built, modules = [], [*_modules(method), *_module_names([method.recipe]), *recipe.imports]
        for chosen in unit.augmentations:
            spec = registry().find("augmentations", chosen.name)
            built.append(build_augmentation(spec, len(unit.protocol.classes), chosen.options))
            modules += [*_module_names([spec.build]), *spec.imports]
        return _with(unit, preset, recipe, {"augmentations": built}, modules)
    except PluginFault:
        return unit


def described_pretraining(unit: PretrainingUnit) -> PretrainingUnit:
    """The pre-training with its recipe and code."""
    method = registry().find("methods", unit.method)
    pretraining = method.pretrainings[unit.pretraining]
    preset = changed_preset(pretraining.presets[unit.preset], unit.overrides)
    recipe = make_recipe(pretraining.recipe, preset, len(unit.classes))
    modules = [*_module_names([pretraining.recipe, pretraining.export]), *recipe.imports]
    return _with(unit, preset, recipe, {}, modules)


def _with(work: W, preset: Preset, recipe: Recipe, more: Mapping[str, Any], modules: Iterable[str]) -> W:
    values = dataclasses.asdict(preset)
    for name in _TELLING:
        del values[name]
    pieces = dataclasses.asdict(recipe)
    del pieces["imports"]
    try:
        # As JSON has it: lists for tuples.
        plain = json.loads(json.dumps({"preset": values, **pieces, **more}))
    except (TypeError, ValueError) as error:
        raise PluginFault(f"{work.__class__.__name__}: the recipe holds more than plain values: {error}") from error
    return work.model_copy(update={"recipe": plain, "code": code_hashes(modules)})


def _modules(method: MethodSpec) -> list[str]:
    return _module_names(network.keys for network in method.networks.values())


def _module_names(import_paths: Iterable[str]) -> list[str]:
    return [path.partition(":")[0] for path in import_paths]
