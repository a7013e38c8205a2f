"""An augmentation, tried on made-up clips: a clip transform on one, a mixer on a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope

from benchmark.plugin_functions import build_augmentation
from benchmark.specs import AugmentationSpec
from benchmark.training.config import REGISTERING, import_modules
from benchmark.training.randomness import clip_stream

FRAMES, HEIGHT, WIDTH, CLIPS = 8, 24, 20, 6


@dataclass(frozen=True)
class Augmented:
    """Pixels and targets before and after.

    Of a clip: frames uint8 (T, H, W, 3) and its target (K,). Of a batch: clips float32 (B, T, 3, H, W) and targets
    (B, K). written: whether what came in was written into.
    """

    pixels: np.ndarray
    target: np.ndarray
    pixels_before: np.ndarray
    target_before: np.ndarray
    written: bool

    def same(self, other: Augmented) -> bool:
        """Whether both came out alike."""
        return np.array_equal(self.pixels, other.pixels) and np.array_equal(self.target, other.target)


class Augmenting:
    """An augmentation that is built once, for `num_classes` classes."""

    def __init__(self, spec: AugmentationSpec, num_classes: int, options: Mapping[str, Any] | None = None) -> None:
        self.mixes = "batch" in spec.touches
        self.num_classes = num_classes
        import_modules([*REGISTERING, *spec.imports])
        config = build_augmentation(spec, num_classes, dict(spec.options) | dict(options or {}))
        with DefaultScope.overwrite_default_scope("mmaction"):
            self.built = (MODELS if self.mixes else TRANSFORMS).build(config)

    def __call__(self, seed: int, clip: int = 0) -> Augmented:
        """Augment the made-up clip number `clip`, or a batch of them, with random streams that start from `seed`."""
        return self._batch(seed, clip) if self.mixes else self._clip(seed, clip)

    def _clip(self, seed: int, clip: int) -> Augmented:
        frames = np.random.default_rng(clip).integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3)).astype(np.uint8)
        target = [float(place == clip % self.num_classes) for place in range(self.num_classes)]
        given = [frame.copy() for frame in frames]
        results: dict[str, Any] = {
            "imgs": list(given),
            "target": list(target),
            "clip_id": f"{clip:016x}",
            "label": clip % self.num_classes,
            "modality": "RGB",
            "num_clips": 1,
            "clip_len": FRAMES,
            "original_shape": (HEIGHT, WIDTH),
            "img_shape": (HEIGHT, WIDTH),
        }
        with clip_stream(seed):
            results = self.built(results)
        pixels = np.stack(results["imgs"])
        written = not np.array_equal(np.stack(given), frames)
        return Augmented(pixels, np.asarray(results["target"], dtype=float), frames, np.asarray(target), written)

    def _batch(self, seed: int, clip: int) -> Augmented:
        with clip_stream(clip):
            clips = torch.rand(CLIPS, FRAMES, 3, HEIGHT, WIDTH)
        targets = torch.eye(self.num_classes)[torch.arange(CLIPS) % self.num_classes]
        samples = []
        for place, target in enumerate(targets):
            sample = ActionDataSample(metainfo={"clip_id": f"{place:016x}"})
            sample.set_gt_label(target)
            samples.append(sample)
        given = clips.clone()
        with clip_stream(seed):
            mixed, samples = self.built(given, samples)
        after = torch.stack([sample.gt_label for sample in samples])
        return Augmented(mixed.numpy(), after.double().numpy(), clips.numpy(), targets.numpy(), written=False)
