"""Former-DFER's training as its paper and official code describe it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import crop_and_flip, square, step_schedule


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """SGD 0.01, a tenth of it after every `step` (40 %) of the epochs, one random resized crop and flip per clip."""
    size, options = preset.size, preset.model
    width = options.get("width", 64)
    return Recipe(
        model=dict(
            type="Recognizer2D",
            backbone=dict(
                type="FormerDFER",
                size=size,
                frames=preset.sampling.frames,
                width=width,
                depth=options.get("depth", 3),
                heads=options.get("heads", 8),
            ),
            cls_head=dict(type="FormerDFERHead", num_classes=num_classes, in_channels=8 * width, average_clips="prob"),
        ),
        format_shape="NCHW",
        train_transforms=crop_and_flip(preset),
        test_transforms=[square(preset)],
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=options.get("lr", 0.01), momentum=0.9, weight_decay=1e-4)),
        param_scheduler=step_schedule(preset),
        imports=["benchmark_plugins.former_dfer.model"],
    )


# The official module paths inside a transformer block, and ours.
_BLOCK = {
    "0.fn.norm": "norm1",
    "0.fn.fn.to_qkv": "qkv",
    "0.fn.fn.to_out.0": "proj",
    "1.fn.norm": "norm2",
    "1.fn.fn.net.0": "fc1",
    "1.fn.fn.net.3": "fc2",
}
_IN_BLOCK = re.compile(r"^([st]_former)\.spatial_transformer\.layers\.(\d+)\.(.+)\.(weight|bias)$")


def official_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of an official checkpoint, without its `module.` prefix, to this plugin's names."""
    return {_our_key(key): tensor for key, tensor in state.items()}


def _our_key(key: str) -> str:
    if key.startswith("fc."):
        return f"cls_head.fc_cls.{key.removeprefix('fc.')}"
    if (match := _IN_BLOCK.match(key)) and match[3] in _BLOCK:
        return f"backbone.{match[1]}.blocks.{match[2]}.{_BLOCK[match[3]]}.{match[4]}"
    return f"backbone.{key}"
