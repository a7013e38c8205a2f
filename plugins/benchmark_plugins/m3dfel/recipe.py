"""M3DFEL's training as its paper and official code describe it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import crop_and_flip, square, warmup_cosine


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """AdamW 5e-4, warm-up and cosine per iteration, label smoothing, crop, flip and colour jitter."""
    options = preset.model
    hidden = options.get("hidden", 512)
    return Recipe(
        model=dict(
            type="Recognizer3D",
            backbone=dict(
                type="M3DFEL",
                frames=preset.sampling.frames,
                instance_length=options.get("instance_length", 4),
                width=options.get("width", 64),
                hidden=hidden,
                heads=options.get("heads", 8),
            ),
            cls_head=dict(
                type="TimeSformerHead",
                num_classes=num_classes,
                in_channels=2 * hidden,
                label_smooth_eps=0.1,
                average_clips="prob",
            ),
        ),
        format_shape="NCTHW",
        train_transforms=[
            *crop_and_flip(preset),
            dict(type="ClipColorJitter", brightness=0.4, contrast=0.4, saturation=0.4, hue=0.4),
        ],
        test_transforms=[square(preset)],
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=options.get("lr", 5e-4), weight_decay=0.05)),
        # 20 epochs of 300.
        param_scheduler=warmup_cosine(preset, warmup=round(preset.epochs / 15), floor=0.01),
        imports=["benchmark_plugins.m3dfel.model"],
    )


# The paths inside a 3D ResNet of torchvision, and MMAction2's, which keeps a convolution and its norm together.
_CONVOLUTION = re.compile(r"(.+\.(?:conv[12]|downsample))\.([01])\.(.+)")


def official_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of an official checkpoint, without its `module.` prefix, to this plugin's names.

    A torchvision R3D-18 (for Kinetics weights) is understood too; its classifier is of other classes.
    """
    return {_our_key(key): tensor for key, tensor in state.items()}


def _our_key(key: str) -> str:
    if key.startswith("fc."):
        return f"cls_head.fc_cls.{key.removeprefix('fc.')}"
    # The official network holds torchvision's stem and stages as a list.
    key = re.sub(r"^(?:features\.0|stem)\.", "features.conv1.", key)
    key = re.sub(r"^(?:features\.|layer)([1-4])\.", r"features.layer\1.", key)
    if match := re.fullmatch(r"(features\.conv1)\.([01])\.(.+)", key) or _CONVOLUTION.fullmatch(key):
        key = f"{match[1]}.{('conv', 'bn')[int(match[2])]}.{match[3]}"
    return f"backbone.{key}"
