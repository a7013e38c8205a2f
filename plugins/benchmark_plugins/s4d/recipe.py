"""S4D's fine-tuning as its official DFEW script describes it, on clips alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import mixup_or_cutmix, square, strong_augmentation, warmup_cosine

# Frames that a token spans.
TUBELET = 2


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """AdamW with layer decay 0.75, 5 epochs of warm-up, cosine per iteration, and that script's augmentation."""
    options = preset.model
    # Mixing, smoothing, RandAugment and erasing come together or not at all.
    strong = options.get("strong", True)
    dim, depth, patch = options.get("dim", 768), options.get("depth", 12), options.get("patch", 16)
    # 0.02 is for a width of 768; a narrower network needs as much signal through each layer.
    std = 0.02 * (768 / dim) ** 0.5
    return Recipe(
        model=dict(
            type="S4DRecognizer",
            balance=options.get("balance", 0.0),
            backbone=dict(
                type="ExpertVisionTransformer",
                size=preset.size,
                # An image, which is one frame, is shown for as long as a token lasts.
                frames=max(preset.sampling.frames, TUBELET),
                cube=(TUBELET, patch, patch),
                embed_dims=dim,
                depth=depth,
                num_heads=options.get("heads", 12),
                expert_blocks=options.get("expert_blocks", 6),
                experts=options.get("experts", 8),
                expert_dims=dim // 4,
                routing=options.get("routing", "independent"),
                init_cfg=[
                    dict(type="TruncNormal", layer="Linear", std=std, bias=0.0),
                    dict(type="Constant", layer="LayerNorm", val=1.0, bias=0.0),
                ],
            ),
            cls_head=dict(
                type="TimeSformerHead",
                num_classes=num_classes,
                in_channels=dim,
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
                lr=options.get("lr", 1e-5),
                betas=(0.9, 0.999),
                weight_decay=0.05,
            ),
        ),
        # The official floor is 1e-6 per 256 clips for a peak of 1e-5 per 8.
        param_scheduler=warmup_cosine(preset, warmup=5, floor=(1e-6 / 256) / (1e-5 / 8)),
        mixing=mixup_or_cutmix(num_classes) if strong else None,
        imports=["benchmark_plugins.s4d.model"],
    )


def export(state: Mapping[str, Any]) -> dict[str, Any]:
    """What was learned from images, without their classifier: officially videos have one of their own."""
    return {key: value for key, value in state.items() if key.startswith("backbone.")}


def official_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of an official checkpoint to this plugin's names; the classifier of images is dropped.

    Takes a fine-tuned model or the encoder of a pre-trained one; the decoder and the final norm of the latter, which
    fine-tuning does not use, are dropped.
    """
    return {ours: tensor for key, tensor in state.items() if (ours := _our_key(key))}


def _our_key(key: str) -> str | None:
    if key.startswith(("decoder.", "encoder_to_decoder.", "encoder.norm.", "head.image.")) or key == "mask_token":
        return None
    key = key.removeprefix("encoder.")
    if key.startswith("head.video."):
        return f"cls_head.fc_cls.{key.removeprefix('head.video.')}"
    return f"backbone.{key.replace('patch_embed.proj.', 'patch_embed.')}"
