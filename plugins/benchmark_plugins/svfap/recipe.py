"""SVFAP's fine-tuning as its official DFEW script describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import mixup_or_cutmix, square, strong_augmentation, warmup_cosine

# Frames that a token spans.
TUBELET = 2


def encoder_config(preset: Preset) -> dict[str, Any]:
    """What the encoders of fine-tuning and of pre-training have in common."""
    options = preset.model
    patch = options.get("patch", 16)
    return dict(
        tokens=preset.sampling.frames // TUBELET * (preset.size // patch) ** 2,
        cube=(TUBELET, patch, patch),
        embed_dims=options.get("dim", 512),
        depths=options.get("depths", (12, 6, 3)),
        num_heads=options.get("heads", 8),
        bottleneck=options.get("bottleneck", 8),
    )


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """AdamW with layer decay 0.75, 5 epochs of warm-up, cosine per iteration, and that script's augmentation."""
    options = preset.model
    # Mixing, smoothing, RandAugment and erasing come together or not at all.
    strong = options.get("strong", True)
    encoder = encoder_config(preset)
    dim, depth = encoder["embed_dims"], sum(encoder["depths"])
    return Recipe(
        model=dict(
            type="Recognizer3D",
            backbone=dict(
                type="PyramidVisionTransformer",
                **encoder,
                drop_path_rate=options.get("drop_path", 0.1),
                # 0.02 is for a width of 512; a narrower network needs as much signal through each layer.
                init_cfg=[
                    dict(type="TruncNormal", layer="Linear", std=0.02 * (512 / dim) ** 0.5, bias=0.0),
                    dict(type="Constant", layer="LayerNorm", val=1.0, bias=0.0),
                ],
            ),
            cls_head=dict(
                type="ScaledTimeSformerHead",
                num_classes=num_classes,
                in_channels=dim,
                init_scale=options.get("head_scale", 0.001),
                label_smooth_eps=0.1 if strong else 0.0,
                average_clips="prob",
            ),
        ),
        format_shape="NCTHW",
        train_transforms=strong_augmentation(preset),
        test_transforms=[square(preset)],
        optim_wrapper=dict(
            constructor="LearningRateDecayOptimizerConstructor",
            paramwise_cfg=dict(num_layers=depth, decay_rate=options.get("layer_decay", 0.75), decay_type="layer_wise"),
            optimizer=dict(
                type="AdamW",
                lr=options.get("lr", 1e-3),
                betas=(0.9, 0.999),
                weight_decay=0.05,
            ),
        ),
        # The official floor is 1e-6 for a peak of 1e-3, and each layer's floor is scaled like its peak.
        param_scheduler=warmup_cosine(preset, warmup=5, floor=1e-6 / 1e-3),
        mixing=mixup_or_cutmix(num_classes) if strong else None,
        imports=["benchmark_plugins.svfap.model", "benchmark_plugins.videomae.model"],
    )


def official_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of an official checkpoint to this plugin's names.

    Takes a fine-tuned model or the encoder of a pre-trained one; the decoder and the final norm of the latter, which
    fine-tuning does not use, are dropped.
    """
    return {ours: tensor for key, tensor in state.items() if (ours := _our_key(key))}


def _our_key(key: str) -> str | None:
    if key.startswith(("decoder.", "encoder_to_decoder.", "encoder.norm.")) or key == "mask_token":
        return None
    key = key.removeprefix("encoder.").removeprefix("backbone.")
    if key.startswith("head."):
        return f"cls_head.fc_cls.{key.removeprefix('head.')}"
    return f"backbone.{key.replace('patch_embed.proj.', 'patch_embed.')}"
