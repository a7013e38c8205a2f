"""The training of S2D's image model on labelled images, from which the video model starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import mixup_or_cutmix, square, warmup_cosine
from benchmark_plugins.s2d.recipe import adamw, network, train_transforms


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """AdamW on all of the transformer and its prompters; everything else is as for clips.

    The official code holds no recipe for images. Learning rate, warm-up and length are those that He et al. (Masked
    Autoencoders, CVPR 2022) fine-tune ViT-B with, without their layer decay.
    """
    options = preset.model
    return Recipe(
        model=dict(
            type="Recognizer2D",
            backbone=dict(type="S2DImage", **network(preset)),
            cls_head=dict(
                type="S2DHead",
                num_classes=num_classes,
                in_channels=options.get("dim", 768),
                dropout_ratio=0.0,
                label_smooth_eps=options.get("smoothing", 0.1),
                average_clips="prob",
            ),
        ),
        format_shape="NCHW",
        train_transforms=train_transforms(preset),
        test_transforms=[square(preset)],
        optim_wrapper=adamw(options.get("lr", 5e-4)),
        param_scheduler=warmup_cosine(preset, warmup=2, floor=1e-6 / 5e-4),
        mixing=mixup_or_cutmix(num_classes) if options.get("mixing", True) else None,
        imports=["benchmark_plugins.s2d.model"],
    )


def export(state: Mapping[str, Any]) -> dict[str, Any]:
    """The image model's tensors have the video model's names; the landmark detector it saw with goes along."""
    return dict(state)
