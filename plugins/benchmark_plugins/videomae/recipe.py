"""VideoMAE's fine-tuning as its official Kinetics-400 script describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import mixup_or_cutmix, strong_augmentation, warmup_cosine


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """AdamW with layer decay 0.75, 5 epochs of warm-up, cosine per iteration, and that script's augmentation."""
    size, options = preset.size, preset.model
    dim, depth = options.get("dim", 768), options.get("depth", 12)
    return Recipe(
        model=dict(
            type="Recognizer3D",
            backbone=dict(
                type="FusedVisionTransformer",
                img_size=size,
                patch_size=options.get("patch", 16),
                embed_dims=dim,
                depth=depth,
                num_heads=options.get("heads", 12),
                num_frames=preset.sampling.frames,
                tubelet_size=2,
                drop_path_rate=options.get("drop_path", 0.1),
                # 0.02 is for a width of 768; a narrower network needs as much signal through each layer.
                init_cfg=[
                    dict(type="TruncNormal", layer="Linear", std=0.02 * (768 / dim) ** 0.5, bias=0.0),
                    dict(type="Constant", layer="LayerNorm", val=1.0, bias=0.0),
                ],
            ),
            cls_head=dict(
                type="ScaledTimeSformerHead",
                num_classes=num_classes,
                in_channels=dim,
                init_scale=options.get("head_scale", 0.001),
                label_smooth_eps=options.get("smoothing", 0.1),
                average_clips="prob",
            ),
        ),
        format_shape="NCTHW",
        train_transforms=strong_augmentation(preset),
        test_transforms=[dict(type="Resize", scale=(-1, size)), dict(type="CenterCrop", crop_size=size)],
        optim_wrapper=dict(
            constructor="LearningRateDecayOptimizerConstructor",
            paramwise_cfg=dict(num_layers=depth, decay_rate=options.get("layer_decay", 0.75), decay_type="layer_wise"),
            optimizer=dict(
                type="AdamW",
                lr=options.get("lr", 5e-4),
                betas=(0.9, 0.999),
                weight_decay=0.05,
            ),
        ),
        # The official floor is 1e-6 for a peak of 5e-4, and each layer's floor is scaled like its peak.
        param_scheduler=warmup_cosine(preset, warmup=5, floor=options.get("floor", 1e-6 / 5e-4)),
        mixing=mixup_or_cutmix(num_classes) if options.get("mixing", True) else None,
        imports=["benchmark_plugins.videomae.model"],
    )


def official_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of an official checkpoint to MMAction2's names.

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
    key = key.replace("patch_embed.proj.", "patch_embed.projection.")
    # MMCV's feed-forward network nests its first layer with the activation.
    key = key.replace(".mlp.fc1.", ".mlp.layers.0.0.").replace(".mlp.fc2.", ".mlp.layers.1.")
    return f"backbone.{key}"
