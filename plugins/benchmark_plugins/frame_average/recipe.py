"""Training of a frame-averaged image network; there is no paper to follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import crop_and_flip, square


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """Adam 1e-3 as the emotion network was trained with, a tenth of it after half and three quarters of the epochs."""
    options = preset.model
    return Recipe(
        model=dict(
            type="Recognizer2D",
            backbone=dict(type="MiniXception"),
            cls_head=dict(
                type="FrameAverageHead", num_classes=num_classes, in_channels=128, kernel=3, average_clips="prob"
            ),
        ),
        format_shape="NCHW",
        train_transforms=crop_and_flip(preset),
        test_transforms=[square(preset)],
        optim_wrapper=dict(optimizer=dict(type="Adam", lr=options.get("lr", 1e-3))),
        param_scheduler=[
            dict(
                type="MultiStepLR",
                milestones=[max(1, round(share * preset.epochs)) for share in (0.5, 0.75)],
                gamma=0.1,
            )
        ],
        imports=["benchmark_plugins.frame_average.emotion", "benchmark_plugins.frame_average.model"],
    )


def own_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """The file that comes with the plugin was converted once, and has the recognizer's names."""
    return dict(state)
