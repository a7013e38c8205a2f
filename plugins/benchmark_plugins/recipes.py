"""Pieces of training recipes that several papers share, as configs; a plugin's `recipe.py` says which it uses."""

from __future__ import annotations

from typing import Any

from benchmark.specs import Preset


def square(preset: Preset) -> dict[str, Any]:
    """Make every frame a square of the network's size, whatever its proportions.

    With `antialias` in the preset's `model` as Pillow does it, else as OpenCV does.
    """
    kind = "AntialiasedResize" if preset.model.get("antialias", False) else "Resize"
    return dict(type=kind, scale=(preset.size, preset.size), keep_ratio=False)


def scaling(preset: Preset) -> list[dict[str, Any]]:
    """Frames are brought to the network's size before anything else, unless the preset decodes them at one."""
    return [] if preset.decode_size else [square(preset)]


def crop_and_flip(preset: Preset) -> list[dict[str, Any]]:
    """One random resized crop and flip for the whole clip; `area_range` of the preset's `model` is the crop's area."""
    return [
        dict(
            type="RandomResizedCrop",
            area_range=preset.model.get("area_range", (0.08, 1.0)),
            aspect_ratio_range=(3 / 4, 4 / 3),
        ),
        square(preset),
        dict(type="Flip", flip_ratio=0.5),
    ]


def strong_augmentation(preset: Preset) -> list[dict[str, Any]]:
    """RandAugment, crop and flip, random erasing: what the codes that descend from VideoMAE do to a clip.

    RandAugment and erasing are left out where the preset's `model` says `strong: False`.
    """
    if not preset.model.get("strong", True):
        return crop_and_flip(preset)
    return [
        dict(type="ClipRandAugment", magnitude=7, num_ops=4, magnitude_std=0.5),
        *crop_and_flip(preset),
        dict(type="ClipErasing", prob=0.25, mean=preset.mean, std=preset.std),
    ]


def mixup_or_cutmix(num_classes: int) -> dict[str, Any]:
    """Mixup or cutmix, one or the other with equal chances, in every batch."""
    mixers = [
        dict(type="MixupBlending", num_classes=num_classes, alpha=0.8),
        dict(type="CutmixBlending", num_classes=num_classes, alpha=1.0),
    ]
    # Without `probs`, which also means equal chances: MMAction2 would append to the config's own list.
    return dict(type="RandomBatchAugment", augments=mixers)


def warmup_cosine(preset: Preset, warmup: int, floor: float) -> list[dict[str, Any]]:
    """Per iteration: `warmup` epochs up from nothing, then half a cosine down to `floor` times the peak.

    `warmup` of the preset's `model` is another number of epochs.
    """
    warmup = max(min(preset.model.get("warmup", warmup), preset.epochs - 1), 0)
    return [
        # The official warm-ups start at 0, from where MMEngine's multiplicative form could not rise.
        *([dict(type="LinearLR", start_factor=1e-12, end=warmup, convert_to_iter_based=True)] if warmup else []),
        dict(
            type="CosineAnnealingLR", eta_min_ratio=floor, begin=warmup, end=preset.epochs, convert_to_iter_based=True
        ),
    ]


def step_schedule(preset: Preset, share: float = 0.4) -> list[dict[str, Any]]:
    """A tenth of the rate after every `share` of the epochs; `step` of the preset's `model` is another share."""
    step = preset.model.get("step", share)
    return [dict(type="StepLR", step_size=max(1, round(step * preset.epochs)), gamma=0.1)]
