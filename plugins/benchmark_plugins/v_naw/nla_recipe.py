"""NLA's training of an image classifier, as its official RAF-DB script describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.v_naw.recipe import LOSSES, frame_encoder


def swin(preset: Preset, num_classes: int) -> Recipe:
    """A Swin-T classifier of single images; `preset.model["swin"]` are options of a smaller one."""
    options = preset.model.get("swin", {})
    encoder, _ = frame_encoder("swin", preset.size, options)
    width = options.get("dim", 96) * 2 ** (len(options.get("depths", (2, 2, 6, 2))) - 1)
    return _recipe(preset, num_classes, {**encoder, "type": "SwinImageEncoder"}, width)


def resnet(preset: Preset, num_classes: int) -> Recipe:
    """A ResNet classifier of single images; `preset.model["encoder"]` is `resnet50` or `resnet18`."""
    name = preset.model.get("encoder", "resnet50")
    encoder, width = frame_encoder(name, preset.size, {})
    return _recipe(preset, num_classes, encoder, width, unused=1024 if name == "resnet18" else 0)


def _recipe(preset: Preset, num_classes: int, encoder: dict[str, Any], width: int, unused: int = 0) -> Recipe:
    """Adam 1e-4, a tenth less every epoch; noise, flip, erasing; the loss with the agreement of mirrored images."""
    size = preset.size
    loss = {**LOSSES["paper"]["loss_cls"], "cross_entropy": 0.5, "weighted": 0.5, "agreement": 0.5}
    resize = dict(type="Resize", scale=(size, size), keep_ratio=False)
    return Recipe(
        model=dict(
            type="NoiseAwareRecognizer",
            backbone=encoder,
            cls_head=dict(
                type="NoiseAwareHead",
                num_classes=num_classes,
                in_channels=width,
                level="frame",
                unused=unused,
                loss_cls=loss,
            ),
        ),
        format_shape="NCHW",
        train_transforms=[
            dict(type="PixelNoise", prob=0.5, variance=30.0),
            resize,
            dict(type="Flip", flip_ratio=0.5),
            # No deviation: the official erasing fills with the mean.
            dict(type="ClipErasing", prob=0.5, mean=preset.mean, std=(0.0, 0.0, 0.0), area=(0.02, 0.3)),
        ],
        test_transforms=[resize],
        optim_wrapper=dict(optimizer=dict(type="Adam", lr=preset.model.get("lr", 1e-4), weight_decay=1e-4)),
        param_scheduler=[dict(type="ExponentialLR", gamma=0.9)],
        imports=[
            "benchmark_plugins.v_naw.swin",
            "benchmark_plugins.v_naw.losses",
            "benchmark_plugins.v_naw.model",
            "benchmark_plugins.v_naw.nla",
        ],
    )


# Tensors of the Swin encoder that the image classifier has in its own place, or does not train.
_NOT_FOR_VIDEO = ("backbone.image_norm.", "backbone.norm.", "backbone.feature.")


def export(state: Mapping[str, Any]) -> dict[str, Any]:
    """What V-NAW starts from: the encoder, without what the image classifier puts after the last Swin stage."""
    return {key: v for key, v in state.items() if key.startswith("backbone.") and not key.startswith(_NOT_FOR_VIDEO)}
