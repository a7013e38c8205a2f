"""S2D's fine-tuning as its official scripts describe it, and where its official weights go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import mixup_or_cutmix, square, strong_augmentation, warmup_cosine


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """AdamW, 2 epochs of warm-up, cosine per iteration, RandAugment, mixup and cutmix; the transformer is frozen.

    The official FERV39k script has self-distillation (`preset.model["sdl"]`) in place of mixing, smoothing and dropout.
    """
    options = preset.model
    dim = options.get("dim", 768)
    return Recipe(
        model=dict(
            type="Recognizer2D",
            backbone=dict(
                type="S2D",
                frames=preset.sampling.frames,
                adapter_heads=options.get("adapter_heads", 8),
                freeze=options.get("freeze", True),
                **network(preset),
            ),
            cls_head=dict(
                type="S2DHead",
                num_classes=num_classes,
                in_channels=dim,
                dropout_ratio=options.get("dropout", 0.5),
                label_smooth_eps=options.get("smoothing", 0.1),
                sdl=options.get("sdl", False),
                anchors=dict(size=16, neighbours=2, update_every=options.get("sdl_update_every", 1)),
                average_clips="prob",
            ),
        ),
        format_shape="NCHW",
        train_transforms=train_transforms(preset),
        test_transforms=[square(preset)],
        optim_wrapper=adamw(options.get("lr", 1e-5)),
        # The official floor is 1e-8 per 256 clips for a peak of 1e-5 per 8.
        param_scheduler=warmup_cosine(preset, warmup=2, floor=(1e-8 / 256) / (1e-5 / 8)),
        mixing=mixup_or_cutmix(num_classes) if options.get("mixing", True) else None,
        imports=["benchmark_plugins.s2d.model"],
    )


def network(preset: Preset) -> dict[str, Any]:
    """The options that the image model and the video model share."""
    names = ("patch", "dim", "depth", "heads", "landmark_width")
    return {"size": preset.size, **{name: preset.model[name] for name in names if name in preset.model}}


def train_transforms(preset: Preset) -> list[dict[str, Any]]:
    """What the official code does to a clip in training, after scaling its frames where they are augmented strongly."""
    scaling = [square(preset)] if preset.model.get("strong", True) else []
    return [*scaling, *strong_augmentation(preset)]


def adamw(lr: float) -> dict[str, Any]:
    """AdamW without weight decay on vectors, position tables and the class token."""
    tables = ("cls_token", "pos_embed", "temporal_embedding")
    return dict(
        optimizer=dict(type="AdamW", lr=lr, betas=(0.9, 0.999), weight_decay=0.05),
        paramwise_cfg=dict(flat_decay_mult=0.0, custom_keys={name: dict(decay_mult=0.0) for name in tables}),
    )


def official_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of an official video or image checkpoint; an image one's landmark detector is dropped."""
    return {_our_key(key): tensor for key, tensor in state.items() if "landmark" not in key}


def _our_key(key: str) -> str:
    if key.startswith("head."):
        return f"cls_{key}"
    # The image model's name for its last norm.
    return f"backbone.ln_post.{key.removeprefix('norm.')}" if key.startswith("norm.") else f"backbone.{key}"


def landmark_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of a MobileFaceNet checkpoint, with or without the official wrapper's prefix."""
    return {f"backbone.landmark.{key.removeprefix('backbone.')}": tensor for key, tensor in state.items()}
