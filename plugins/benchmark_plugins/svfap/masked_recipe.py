"""SVFAP's pre-training as its official VoxCeleb2 script describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import square, warmup_cosine
from benchmark_plugins.svfap.recipe import encoder_config


def recipe(preset: Preset, num_classes: int = 0) -> Recipe:
    """AdamW, 5 epochs of warm-up, cosine per iteration, multi-scale crop without a flip. Nothing is labelled."""
    size, options = preset.size, preset.model
    return Recipe(
        model=dict(
            type="MaskedPyramid",
            encoder=dict(**encoder_config(preset), recover_from=options.get("recover_from", "bottleneck")),
            decoder=dict(
                embed_dims=options.get("decoder_dim", 384),
                depth=options.get("decoder_depth", 4),
                num_heads=options.get("decoder_heads", 6),
            ),
            mean=list(preset.mean),
            std=list(preset.std),
            mask_ratio=options.get("mask_ratio", 0.9),
        ),
        format_shape="NCTHW",
        train_transforms=[
            dict(type="MultiScaleCrop", input_size=size, scales=(1, 0.875, 0.75, 0.66), num_fixed_crops=13),
            square(preset),
        ],
        test_transforms=[square(preset)],
        optim_wrapper=dict(
            optimizer=dict(
                type="AdamW",
                lr=options.get("lr", 3e-4),
                betas=(0.9, 0.95),
                weight_decay=0.05,
            ),
            # No decay for vectors (biases and norms) and the mask token.
            paramwise_cfg=dict(flat_decay_mult=0.0, custom_keys={"mask_token": dict(decay_mult=0.0)}),
        ),
        # The official floor is 1e-5 for a peak of 3e-4.
        param_scheduler=warmup_cosine(preset, warmup=5, floor=1e-5 / 3e-4),
        imports=["benchmark_plugins.svfap.masked"],
    )


def export(state: Mapping[str, Any]) -> dict[str, Any]:
    """The encoder under the recognizer's names; its final norm, which fine-tuning does not use, and the decoder go."""
    kept = [key for key in state if key.startswith("encoder.") and not key.startswith("encoder.norm.")]
    return {f"backbone.{key.removeprefix('encoder.')}": state[key] for key in kept}
