"""TSM's training as its official Kinetics script describes it, with a ResNet-18 as in the MIDAS paper."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """SGD 0.02, a tenth of it after 40 % and 80 % of the epochs, multi-scale crop and flip."""
    size, frames, options = preset.size, preset.sampling.frames, preset.model
    width = options.get("width", 64)
    # The official lists are rescaled to a short side of 256 for a crop of 224; the ratio is kept for other sizes.
    short_side = dict(type="Resize", scale=(-1, round(size * 256 / 224)))
    return Recipe(
        model=dict(
            type="Recognizer2D",
            backbone=dict(type="ScalableResNetTSM", depth=18, width=width, num_segments=frames, shift_div=8),
            cls_head=dict(
                type="TSMHead",
                num_classes=num_classes,
                in_channels=8 * width,
                num_segments=frames,
                dropout_ratio=options.get("dropout", 0.5),
                init_std=0.001,
                average_clips="prob",
            ),
        ),
        format_shape="NCHW",
        train_transforms=[
            short_side,
            dict(
                type="MultiScaleCrop",
                input_size=size,
                scales=options.get("scales", (1, 0.875, 0.75, 0.66)),
                num_fixed_crops=13,
            ),
            dict(type="Resize", scale=(size, size), keep_ratio=False),
            dict(type="Flip", flip_ratio=0.5),
        ],
        test_transforms=[short_side, dict(type="CenterCrop", crop_size=size)],
        optim_wrapper=dict(
            constructor="TSMOptimWrapperConstructor",
            paramwise_cfg=dict(fc_lr5=True),
            optimizer=dict(
                type="SGD",
                lr=options.get("lr", 0.02),
                momentum=0.9,
                weight_decay=1e-4,
            ),
            clip_grad=dict(max_norm=20),
        ),
        param_scheduler=[
            # Not before the first epoch's end, however short the training is.
            dict(
                type="MultiStepLR",
                milestones=[max(1, round(share * preset.epochs)) for share in (0.4, 0.8)],
                gamma=0.1,
            )
        ],
        imports=["benchmark_plugins.tsm.model"],
    )


def official_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of an official ResNet-18 checkpoint, without its `module.` prefix, to MMAction2's names.

    A torchvision ResNet-18 (for ImageNet weights) is understood too; its classifier has other classes.
    """
    return {_our_key(key): tensor for key, tensor in state.items()}


def _our_key(key: str) -> str:
    key = key.removeprefix("base_model.")
    if match := re.fullmatch(r"(?:new_)?fc\.(weight|bias)", key):
        return f"cls_head.fc_cls.{match[1]}"
    # MMAction2 keeps a convolution and its batch norm together: `conv1.conv` and `conv1.bn`, not `conv1` and `bn1`.
    key = key.replace("downsample.0.", "downsample.conv.").replace("downsample.1.", "downsample.bn.")
    key = re.sub(r"\bbn(\d)\.", r"conv\1.bn.", key)
    # The shift wraps the first convolution of every block, which torchvision's names do not show.
    key = re.sub(r"^(layer\d\.\d+)\.conv1\.(?:net\.)?weight$", r"\1.conv1.conv.net.weight", key)
    key = re.sub(r"\bconv(\d)\.weight$", r"conv\1.conv.weight", key)
    return f"backbone.{key}"
