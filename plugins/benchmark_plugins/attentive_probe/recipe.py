"""Training of the probe as V-JEPA's authors train theirs, where that can be said for clips of faces."""

from __future__ import annotations

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import crop_and_flip, square, warmup_cosine


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """AdamW 1e-3, weight decay 0.01, cosine per iteration; the encoder's weights stay as they are."""
    options = preset.model
    return Recipe(
        model=dict(
            type="ProbedRecognizer",
            encoder=options.get("encoder", "videomae"),
            encoder_preset=options.get("encoder_preset", "paper"),
            size=preset.size,
            frames=preset.sampling.frames,
            mean=list(preset.mean),
            std=list(preset.std),
            cls_head=dict(type="AttentiveHead", num_classes=num_classes, average_clips="prob"),
        ),
        format_shape="NCTHW",
        train_transforms=crop_and_flip(preset),
        test_transforms=[square(preset)],
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=options.get("lr", 1e-3), weight_decay=0.01)),
        param_scheduler=warmup_cosine(preset, warmup=2, floor=0.01),
        imports=["benchmark_plugins.attentive_probe.model"],
    )
