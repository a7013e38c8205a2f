"""V-NAW's training as its paper describes it, and as its official code does where the paper is silent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe

# Equation 12 on clips, with NLA's parameters; and what the official code computes, frame by frame.
LOSSES: dict[str, dict[str, Any]] = {
    "paper": dict(
        level="clip",
        loss_cls=dict(
            type="NoiseAwareLoss",
            right=(0.80, -0.48),
            wrong=(0.851102777777778, 0.805097222222222),
            normalise=True,
            cross_entropy=1.0,
            weighted=1.0,
            agreement=0.0,
            agreement_reduction="sum",
        ),
    ),
    "official": dict(
        level="frame",
        loss_cls=dict(
            type="NoiseAwareLoss",
            right=(0.75, -0.50),
            wrong=(0.85, 0.80),
            normalise=False,
            cross_entropy=0.5,
            weighted=0.5,
            agreement=0.4,
            agreement_reduction="sum",
        ),
    ),
}


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """AdamW 1e-4, its rate going down to a tenth and up again every four epochs.

    `preset.model` may name the `encoder` (`swin`, `resnet50` or `resnet18`), the `loss` and the `augmentation` (each
    `paper` or `official`, the latter also `none`), and for other networks `swin` and `temporal` options and the rate
    `lr`.
    """
    size, options = preset.size, preset.model
    encoder, channels = frame_encoder(options.get("encoder", "swin"), size, options.get("swin", {}))
    temporal = {"dim": 512, "depth": 4, "heads": 1, "dropout": 0.6, **options.get("temporal", {})}
    resize = dict(type="Resize", scale=(size, size), keep_ratio=False)
    return Recipe(
        model=dict(
            type="NoiseAwareRecognizer",
            backbone=encoder,
            neck=dict(type="FrameTransformer", in_channels=channels, **temporal),
            cls_head=dict(
                type="NoiseAwareHead",
                num_classes=num_classes,
                in_channels=temporal["dim"],
                **LOSSES[options.get("loss", "paper")],
            ),
        ),
        format_shape="NCHW",
        train_transforms=train_transforms(options.get("augmentation", "paper"), resize),
        test_transforms=[resize],
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=options.get("lr", 1e-4), weight_decay=0.01)),
        param_scheduler=[dict(type="CosineAnnealingLR", T_max=2, eta_min_ratio=0.1)],
        imports=[
            "benchmark_plugins.v_naw.swin",
            "benchmark_plugins.v_naw.losses",
            "benchmark_plugins.v_naw.model",
            "benchmark_plugins.v_naw.augmentation",
            "benchmark_plugins.frame_skip.transform",
            "benchmark_plugins.frame_erase.transform",
        ],
    )


def train_transforms(augmentation: str, resize: dict[str, Any]) -> list[dict[str, Any]]:
    """`paper`: a fifth to two fifths of the frames skipped, a fifth of the pixels erased (sections 3.3 and 3.4).

    `official`: one RandAugment operation per clip and a cutout per frame. `none`: frames are resized.
    """
    return {
        "paper": [
            dict(type="SkipFrames", low=0.2, high=0.4, refill="resample"),
            resize,
            dict(type="EraseFrames", share=0.2, shape="pixels"),
        ],
        "official": [resize, dict(type="ClipRandAugment", num_ops=1), dict(type="CutOutFrames", prob=0.5, most=0.5)],
        "none": [resize],
    }[augmentation]


def frame_encoder(name: str, size: int, swin: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """The config of an image encoder, and how many features it gives; `swin` are options of the Swin."""
    if name == "swin":
        return dict(type="SwinFrameEncoder", size=size, **swin), swin.get("out_channels", 512)
    depth, channels = {"resnet18": (18, 512), "resnet50": (50, 2048)}[name]
    return dict(type="ResNetFrameEncoder", depth=depth, style="caffe"), channels


def official_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of an official checkpoint, without its `module.` prefix, to this plugin's names.

    Takes the video network, or one of the image classifiers whose encoder it starts from; the latter's own norm and
    classifier are dropped.
    """
    return {ours: tensor for key, tensor in state.items() if (ours := _our_key(key))}


def _our_key(key: str) -> str | None:
    if key.startswith("temporal_model."):
        return f"neck.{key.removeprefix('temporal_model.')}"
    if key.startswith("classifier."):
        return f"cls_head.fc_cls.{key.removeprefix('classifier.')}"
    if match := re.match(r"(?:base_model\.feature_extractor\.0|features)\.(\d.*)$", key):
        return f"backbone.{_resnet_key(match[1])}"
    if match := re.match(r"(?:base_model\.feature_extractor\.0|encoder)\.(.+)$", key):
        return f"backbone.{match[1]}"
    return None


def _resnet_key(key: str) -> str:
    """The name in MMAction2's ResNet of a tensor that the official code numbers: `4.0.bn1.weight` and so on."""
    # MMAction2 keeps a convolution and its batch norm together: `conv1.conv` and `conv1.bn`, not `conv1` and `bn1`.
    key = re.sub(r"^0\.", "conv1.conv.", key)
    key = re.sub(r"^1\.", "conv1.bn.", key)
    key = re.sub(r"^([4-7])\.", lambda match: f"layer{int(match[1]) - 3}.", key)
    key = re.sub(r"\.conv(\d)\.weight$", r".conv\1.conv.weight", key)
    key = re.sub(r"\.bn(\d)\.", r".conv\1.bn.", key)
    return key.replace("downsample.0.", "downsample.conv.").replace("downsample.1.", "downsample.bn.")
