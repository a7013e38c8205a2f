"""Frame averaging: every frame is classified by itself, and the probabilities are averaged. Time plays no part."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmaction.models import BaseHead
from mmaction.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class FrameAverageHead(BaseHead):
    """Frames' maps (B * T, in_channels, h, w) or vectors (B * T, in_channels) to clips' logits (B, num_classes).

    kernel: edge of the convolution that classifies each place of a map; with 1 this is a linear layer on the map's
    mean. The logits are the logarithm of the mean of all frames' probabilities, so that their softmax is that mean.
    """

    def __init__(self, num_classes: int, in_channels: int, kernel: int = 1, **options: Any) -> None:
        super().__init__(num_classes, in_channels, **options)
        self.fc_cls = nn.Conv2d(in_channels, num_classes, kernel, padding=kernel // 2)

    def init_weights(self) -> None:
        """As torch does by default."""
        self.fc_cls.reset_parameters()

    def forward(self, x: Tensor, num_segs: int, **_: Any) -> Tensor:
        """num_segs: T."""
        if x.ndim == 2:
            x = x[:, :, None, None]
        frames = self.fc_cls(x).mean(dim=(2, 3)).log_softmax(dim=1).unflatten(0, (-1, num_segs))
        return torch.logsumexp(frames, dim=1) - math.log(num_segs)
