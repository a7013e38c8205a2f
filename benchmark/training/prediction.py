"""What a method sees in anybody's videos: class probabilities, of whole clips or over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope

from benchmark.errors import EnvironmentProblem, UnitFailed
from benchmark.specs import Preset, Recipe
from benchmark.training.batches import collate_clips
from benchmark.training.computing import compute_in
from benchmark.training.config import Reading, packing, reader_config
from benchmark.training.memory import free_memory, lacks_memory
from benchmark.units.computing import Computing


@dataclass(frozen=True)
class Piece:
    """A clip, or `length` frames of it from frame `start` on (counted from 0)."""

    path: Path
    start: int
    length: int


class Predictor:
    """A recognizer with its test pipeline."""

    def __init__(self, model: BaseModel, recipe: Recipe, preset: Preset, computing: Computing) -> None:
        init_default_scope("mmaction")
        self.model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        compute_in(self.model, computing)
        reading = Reading(rows=Path(), root=Path(), cache=None, workers=0, seed="")
        steps = [*recipe.test_transforms, *packing(recipe)]
        self.pipeline = Compose([reader_config(preset, reading, train=False), *steps])

    def read(self, piece: Piece) -> dict[str, Any]:
        """A piece's frames, ready to be classified. Raises UnreadableClip."""
        path = str(piece.path.resolve())
        return self.pipeline({"clip_id": path, "path": path, "span": (piece.start, piece.length)})

    @torch.inference_mode()
    def classify(self, pieces: Sequence[dict[str, Any]]) -> np.ndarray:
        """Class probabilities (N, K), float32, of N pieces that were read, of as many at a time as fit into memory.

        Raises UnitFailed if some are not numbers, EnvironmentProblem if not even one piece fits.
        """
        try:
            samples = self.model.test_step(collate_clips(pieces))
        except RuntimeError as error:
            if not lacks_memory(error):
                raise
            if len(pieces) == 1:
                raise EnvironmentProblem(
                    "the device's memory does not hold one clip: try --precision bf16 or --device cpu, or end what "
                    "else uses the device"
                ) from error
            samples = None
        if samples is None:
            # Only here is what the attempt held let go, with its error.
            free_memory()
            half = len(pieces) // 2
            return np.concatenate([self.classify(pieces[:half]), self.classify(pieces[half:])])
        scores = np.stack([sample.pred_score.float().cpu().numpy() for sample in samples])
        if not np.isfinite(scores).all():
            raise UnitFailed(f"the model's output for {samples[0].clip_id} is not a number")
        return scores


def sliding(path: Path, count: int, window: int, step: int) -> list[Piece]:
    """Windows of `window` frames, `step` apart, over a clip of `count` frames; the last one ends with the clip."""
    final = max(count - window, 0)
    starts = [*range(0, final, step), final]
    return [Piece(path, start, min(window, count)) for start in starts]
