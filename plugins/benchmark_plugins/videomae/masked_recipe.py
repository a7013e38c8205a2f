"""VideoMAE's pre-training as its official Kinetics-400 script describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import warmup_cosine


def recipe(preset: Preset, num_classes: int = 0) -> Recipe:
    """AdamW, 40 epochs of warm-up, cosine per iteration, multi-scale crop without a flip. Nothing is labelled."""
    size, options = preset.size, preset.model
    return Recipe(
        model=dict(
            type="MaskedAutoencoder",
            encoder=dict(
                img_size=size,
                patch_size=options.get("patch", 16),
                embed_dims=options.get("dim", 768),
                depth=options.get("depth", 12),
                num_heads=options.get("heads", 12),
                num_frames=preset.sampling.frames,
                tubelet_size=2,
            ),
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
            dict(type="Resize", scale=(size, size), keep_ratio=False),
        ],
        test_transforms=[dict(type="Resize", scale=(-1, size)), dict(type="CenterCrop", crop_size=size)],
        optim_wrapper=dict(
            optimizer=dict(
                type="AdamW",
                lr=options.get("lr", 1.5e-4),
                betas=(0.9, 0.95),
                weight_decay=0.05,
            ),
            # No decay for vectors (biases and norms) and the mask token.
            paramwise_cfg=dict(flat_decay_mult=0.0, custom_keys={"mask_token": dict(decay_mult=0.0)}),
        ),
        # The official floor is 1e-5 for a peak of 1.5e-4.
        param_scheduler=warmup_cosine(preset, warmup=40, floor=1e-5 / 1.5e-4),
        imports=["benchmark_plugins.videomae.masked"],
    )


def export(state: Mapping[str, Any]) -> dict[str, Any]:
    """The encoder under the recognizer's names; its final norm, which fine-tuning does not use, and the decoder go."""
    names = {key: f"backbone.{key.removeprefix('encoder.')}" for key in state if key.startswith("encoder.")}
    return {ours: state[key] for key, ours in names.items() if not key.startswith("encoder.norm.")}


def official_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of an official pre-trained checkpoint to those of `MaskedAutoencoder`."""
    return {_our_key(key): tensor for key, tensor in state.items()}


def _our_key(key: str) -> str:
    if key == "mask_token":
        return "decoder.mask_token"
    key = key.replace("encoder_to_decoder.", "decoder.projection.")
    key = key.replace("patch_embed.proj.", "patch_embed.projection.")
    return key.replace(".mlp.fc1.", ".mlp.layers.0.0.").replace(".mlp.fc2.", ".mlp.layers.1.")
