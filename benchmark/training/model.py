"""Methods as models: built, given weights, and asked for logits, with or without the rest of the benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from torch import Tensor

from benchmark.errors import UsageError
from benchmark.failures import system_errors_told
from benchmark.plugin_functions import make_recipe
from benchmark.registry import registry
from benchmark.specs import MethodSpec, Preset, Recipe
from benchmark.training.adapter import import_mmaction, quiet_logger
from benchmark.training.config import import_modules, model_config

# The preprocessor subclasses a part of MMAction2, whose import needs the adapter first.
import_mmaction()

from mmaction.registry import MODELS  # noqa: E402

import benchmark.training.data  # noqa: E402
import benchmark.training.module_recognizer  # noqa: E402, F401


def build_model(
    method: str,
    preset: str = "paper",
    num_classes: int = 7,
    checkpoint: str | Path | Mapping[str, str | Path] | None = None,
    dataset: str = "",
) -> BaseModel:
    """The method's MMAction2 recognizer, in eval mode on the CPU.

    checkpoint: a weight file in any format that `benchmark weights inspect` understands, official or ours, or one file
    for each of the method's networks, by name. Without one the weights are freshly initialised. dataset: on which the
    preset may be another one. Raises UsageError for
    an unknown name, EnvironmentProblem for a missing file, IntegrityError for weights that are not this model's.
    """
    from benchmark.training.checkpoints import load_networks

    spec = registry().find("methods", method)
    if preset not in spec.presets:
        raise UsageError(f"{method} has no preset '{preset}'; it has: {', '.join(spec.presets)}")
    quiet_logger()
    model = build_recognizer(spec, spec.presets[preset].on(dataset), num_classes)
    model.init_weights()
    if checkpoint is not None:
        files = checkpoint if isinstance(checkpoint, Mapping) else {"model": checkpoint}
        with system_errors_told():
            load_networks(model, spec, {name: Path(file) for name, file in files.items()})
    return model.eval()


def build_recognizer(method: MethodSpec, preset: Preset, num_classes: int) -> BaseModel:
    """The recognizer of a preset, as MMAction2's registry builds it: weights not yet initialised, in train mode."""
    return build_recipe(make_recipe(method.recipe, preset, num_classes), preset)


def build_recipe(recipe: Recipe, preset: Preset) -> BaseModel:
    """The model of a recipe, with the preset's normalisation."""
    import_modules(recipe.imports)
    with DefaultScope.overwrite_default_scope("mmaction"):
        return MODELS.build(model_config(recipe, preset))


@torch.no_grad()
def logits(model: BaseModel, clips: Tensor) -> Tensor:
    """Logits (B, K) of clips: float32 (B, T, 3, H, W), RGB, already normalised as the method's preset says.

    A method that classifies frame by frame gives (B, T, K).
    """
    inputs = clips.transpose(1, 2).unsqueeze(1) if model.data_preprocessor.format_shape == "NCTHW" else clips
    return model(inputs.contiguous(), mode="tensor", stage="head")
