"""Batches of noise for every registered method, and its model."""

from __future__ import annotations

import torch
from mmaction.structures import ActionDataSample

from benchmark.registry import registry
from benchmark.specs import Preset, Recipe, load_object
from benchmark.training.model import build_recognizer

CLASSES = 7
METHODS = sorted(registry().methods)
PRETRAININGS = [(name, stage) for name in METHODS for stage in registry().methods[name].pretrainings]


def recipe_of(name: str, preset: str) -> Recipe:
    method = registry().methods[name]
    return load_object(method.recipe)(method.presets[preset], CLASSES)


def build(name: str, preset: str = "small"):
    method = registry().methods[name]
    torch.manual_seed(0)
    model = build_recognizer(method, method.presets[preset], CLASSES)
    model.init_weights()
    return model


def inputs_for(recipe: Recipe, preset: Preset, clips: int) -> list[torch.Tensor]:
    frames, size = preset.sampling.frames, preset.size
    shape = (frames, 3, size, size) if recipe.format_shape == "NCHW" else (1, 3, frames, size, size)
    return [torch.randint(0, 256, shape, dtype=torch.uint8) for _ in range(clips)]


def batch(name: str, clips: int = 6) -> dict:
    """Clips of noise, with the softest targets that the method learns from."""
    method = registry().methods[name]
    torch.manual_seed(1)
    soft = 0.2 if "soft" in method.label_modes else 0.0
    samples = []
    for clip in range(clips):
        sample = ActionDataSample().set_gt_label(clip % CLASSES)
        sample.set_field(torch.eye(CLASSES)[clip % CLASSES] * (1 - soft) + soft / CLASSES, "target")
        sample.set_metainfo({"clip_id": str(clip)})
        samples.append(sample)
    return {"inputs": inputs_for(recipe_of(name, "small"), method.presets["small"], clips), "data_samples": samples}
