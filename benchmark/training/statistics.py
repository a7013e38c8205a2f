"""Batch norms that see the batch in parts, as on several cards that do not tell each other what they see."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class PartStatistics(Hook):
    """In training, take every batch norm's mean and deviation over `clips` clips at a time, instead of over the batch.

    The running statistics follow one part after the other. A batch of no more clips is taken as a whole.
    """

    def __init__(self, clips: int) -> None:
        self.clips = clips
        self.parts = 1

    def before_train(self, runner: Runner) -> None:
        """Let the norms ask for the number of parts."""
        for module in runner.model.modules():
            if isinstance(module, _BatchNorm):
                self._divide(module)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Count the batch's clips."""
        self.parts = max(len(data_batch["inputs"]) // self.clips, 1)

    def _divide(self, norm: nn.Module) -> None:
        whole = norm.forward

        def forward(x: Tensor) -> Tensor:
            # Rows are clips, or the frames of one clip after the other.
            return torch.cat([whole(part) for part in x.chunk(self.parts)]) if norm.training else whole(x)

        norm.forward = forward
