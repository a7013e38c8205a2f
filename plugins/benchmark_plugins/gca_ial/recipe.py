"""GCA + IAL's training as its official code describes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import square


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """SGD 0.001, halved ten times; one mild crop, flip, brightness and rotation per clip."""
    size, options = preset.size, preset.model
    width = options.get("width", 64)
    return Recipe(
        model=dict(
            type="Recognizer2D",
            backbone=dict(
                type="GCA", size=size, frames=preset.sampling.frames, width=width, heads=options.get("heads", 4)
            ),
            cls_head=dict(
                type="GCAHead",
                num_classes=num_classes,
                in_channels=4 * width * ((size // 16 + 1) // 2) ** 2,
                aux_channels=(width, 2 * width, 4 * width),
                ial_weight=options.get("ial_weight", 0.1),
                aux_weights=options.get("aux_weights", (0.05, 0.0)),
                average_clips="prob",
            ),
        ),
        format_shape="NCHW",
        train_transforms=[
            dict(type="RandomResizedCrop", area_range=(0.85, 1.0), aspect_ratio_range=(3 / 5, 5 / 3)),
            square(preset),
            dict(type="Flip", flip_ratio=0.5),
            dict(type="ClipColorJitter", brightness=0.6),
            dict(type="ClipRotate", degrees=4.0),
        ],
        test_transforms=[square(preset)],
        optim_wrapper=dict(
            optimizer=dict(
                type="SGD",
                lr=options.get("lr", 0.001),
                momentum=0.9,
                weight_decay=options.get("weight_decay", 0.1),
            )
        ),
        param_scheduler=[dict(type="StepLR", step_size=max(1, round(0.1 * preset.epochs)), gamma=0.5)],
        imports=["benchmark_plugins.gca_ial.model"],
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
_IN_BLOCK = re.compile(r"(pos|temporal)_transformer\.layers\.(\d+)\.(.+)\.(weight|bias)")
_IN_STAGE = re.compile(r"layer([123])\.0\.(.+)")
_ATTENTION = re.compile(r"(gc|fc1|fc2)\.0\.weight")


def official_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of an official checkpoint, without its `module.` prefix, to this plugin's names."""
    return {_our_key(key): tensor for key, tensor in state.items()}


def _our_key(key: str) -> str:
    if key.startswith("fc_f."):
        return f"cls_head.fc_cls.{key.removeprefix('fc_f.')}"
    key = key.removeprefix("s_former.")
    if match := _IN_STAGE.fullmatch(key):
        return _in_stage(int(match[1]), match[2])
    if (match := _IN_BLOCK.fullmatch(key)) and match[3] in _BLOCK:
        return f"backbone.{match[1]}_transformer.{match[2]}.{_BLOCK[match[3]]}.{match[4]}"
    return "backbone.unused.bias" if key == "bias" else f"backbone.{key}"


def _in_stage(stage: int, key: str) -> str:
    """Our name of what the official first three stages, of one block each, hold."""
    if key.startswith("AUX_fc."):
        return f"cls_head.auxiliary.{stage - 1}.{key.removeprefix('AUX_fc.')}"
    attention = _ATTENTION.fullmatch(key)
    if key in ("bias1", "bias2", "glb.weight") or (attention and stage == 1):
        return f"backbone.layer{stage}.unused.{key.partition('.')[0]}"
    return f"backbone.layer{stage}.{attention[1]}.weight" if attention else f"backbone.layer{stage}.{key}"
