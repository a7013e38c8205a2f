"""Six networks, one training: that of Former-DFER, whose paper and successors compare themselves with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import crop_and_flip, square, step_schedule

# A ResNet-18 as torchvision builds it for video: no pooling, and time is halved along with height and width.
_VIDEO_RESNET = dict(
    depth=18,
    pretrained2d=False,
    conv1_kernel=(3, 7, 7),
    with_pool1=False,
    with_pool2=False,
    temporal_strides=(1, 2, 2, 2),
    zero_init_residual=False,
)


def c3d(preset: Preset, num_classes: int) -> Recipe:
    """C3D; at 16 x 112 x 112 its last feature map is 1 x 4 x 4."""
    width, hidden = preset.model.get("width", 64), preset.model.get("hidden", 4096)
    backbone = dict(
        type="ScalableC3D",
        frames=preset.sampling.frames,
        size=preset.size,
        width=width,
        hidden=hidden,
        norm_cfg=dict(type="BN3d") if preset.model.get("batch_norm", False) else None,
        dropout_ratio=preset.model.get("dropout", 0.5),
        init_std=preset.model.get("init_std", 0.005),
    )
    return _recipe(preset, num_classes, backbone, hidden, spatial_type=None)


def i3d(preset: Preset, num_classes: int) -> Recipe:
    """Inception-v1 with every filter inflated along time."""
    width = preset.model.get("width", 64)
    return _recipe(preset, num_classes, dict(type="InceptionI3D", width=width), 16 * width)


def r3d_18(preset: Preset, num_classes: int) -> Recipe:
    """A ResNet-18 of 3 x 3 x 3 convolutions."""
    width = preset.model.get("width", 64)
    backbone = dict(type="ResNet3d", base_channels=width, **_VIDEO_RESNET)
    return _recipe(preset, num_classes, backbone, 8 * width)


def r2plus1d(preset: Preset, num_classes: int) -> Recipe:
    """The same with every convolution split into one over space and one over time."""
    width = preset.model.get("width", 64)
    backbone = dict(type="FactoredResNet3d", base_channels=width, **_VIDEO_RESNET)
    return _recipe(preset, num_classes, backbone, 8 * width)


def resnet18_lstm(preset: Preset, num_classes: int) -> Recipe:
    """An LSTM over the features of a ResNet-18."""
    return _recurrent(preset, num_classes, "LSTM")


def resnet18_gru(preset: Preset, num_classes: int) -> Recipe:
    """A GRU over the features of a ResNet-18."""
    return _recurrent(preset, num_classes, "GRU")


def _recurrent(preset: Preset, num_classes: int, cell: str) -> Recipe:
    width, hidden = preset.model.get("width", 64), preset.model.get("hidden", 512)
    backbone = dict(type="RecurrentResNet", cell=cell, hidden=hidden, base_channels=width)
    return _recipe(preset, num_classes, backbone, hidden, spatial_type=None)


def _recipe(
    preset: Preset, num_classes: int, backbone: dict[str, Any], features: int, spatial_type: str | None = "avg"
) -> Recipe:
    """SGD 0.01, a tenth of it after 40 % and 80 % of the epochs, one random resized crop and flip per clip."""
    options = preset.model
    return Recipe(
        model=dict(
            type="Recognizer3D",
            backbone=backbone,
            cls_head=dict(
                type="I3DHead",
                num_classes=num_classes,
                in_channels=features,
                spatial_type=spatial_type,
                dropout_ratio=options.get("dropout", 0.5),
                average_clips="prob",
            ),
        ),
        format_shape="NCTHW",
        train_transforms=crop_and_flip(preset),
        test_transforms=[square(preset)],
        optim_wrapper=dict(
            optimizer=dict(type="SGD", lr=options.get("lr", 0.01), momentum=0.9, weight_decay=1e-4),
        ),
        param_scheduler=step_schedule(preset),
        imports=["benchmark_plugins.baselines.model", "benchmark_plugins.baselines.inception"],
    )


def torchvision_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of torchvision's `r3d_18` or `r2plus1d_18` to those of the networks here."""
    factored = "stem.3.weight" in state
    return {_our_key(key, factored): tensor for key, tensor in state.items()}


def _our_key(key: str, factored: bool) -> str:
    if key.startswith("fc."):
        return f"cls_head.fc_cls.{key.removeprefix('fc.')}"
    # The stem is one flat list: convolution and norm, or the first convolution's parts, the second one and the norm.
    norm = "stem.4." if factored else "stem.1."
    key = key.replace(norm, "conv1.bn.").replace("stem." if factored else "stem.0.", "conv1.conv.")
    key = re.sub(r"^(layer\d\.\d\.(?:conv\d|downsample))\.0\.", r"\1.conv.", key)
    key = re.sub(r"^(layer\d\.\d\.(?:conv\d|downsample))\.1\.", r"\1.bn.", key)
    return f"backbone.{key}"
