"""Former-DFER's network (Zhao & Liu, ACM MM 2021, section 3), readable from top to bottom.

A ResNet-18 whose third stage is followed by a spatial transformer gives one vector per frame (S-Former); a temporal
transformer over the frames gives one vector per clip (T-Former). B is the batch, T the frames, D the feature width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.models import BaseHead
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from benchmark_plugins.layers.blocks import ResidualBlock, TransformerBlock


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(ResidualBlock(inputs, outputs, stride), ResidualBlock(outputs, outputs, 1))


class SFormer(nn.Module):
    """Frames to vectors: (N, 3, size, size) to (N, 8 * width).

    After the third stage each frame is a grid of size/16 x size/16 tokens of 4 * width channels, in row-major order.
    """

    def __init__(self, size: int, width: int, heads: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(width, width, stride=1)
        self.layer2 = _stage(width, 2 * width, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, stride=2)
        self.pos_embedding = nn.Parameter(torch.randn(1, (size // 16) ** 2, 4 * width))
        self.blocks = nn.Sequential(TransformerBlock(4 * width, heads, 4 * width // heads, 8 * width))
        self.layer4 = _stage(4 * width, 8 * width, stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Convolve to a coarse grid, let its cells attend to each other, convolve on and average."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, stride=2, padding=1)
        x = self.layer3(self.layer2(self.layer1(x)))
        tokens = self.blocks(x.flatten(2).transpose(1, 2) + self.pos_embedding)
        return self.layer4(tokens.transpose(1, 2).reshape(x.shape)).mean(dim=(2, 3))


class TFormer(nn.Module):
    """Frame vectors to a clip vector: (B, T, dim) to (B, dim), read off a learned class token."""

    def __init__(self, frames: int, dim: int, depth: int, heads: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim))
        self.pos_embedding = nn.Parameter(torch.randn(1, frames + 1, dim))
        self.blocks = nn.Sequential(*(TransformerBlock(dim, heads, dim // heads, 2 * dim) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        """Prepend the class token, attend over time, return the class token; there is no final normalisation."""
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        return self.blocks(x + self.pos_embedding)[:, 0]


@MODELS.register_module()
class FormerDFER(BaseModule):
    """The backbone: frames (B * T, 3, size, size) to clip features (B, 8 * width).

    size: edge of a frame, a multiple of 16. frames: T. width: channels of the first stage. depth: temporal blocks.
    The paper's values are 112, 16, 64, 3 and 8 heads.
    """

    def __init__(self, size: int = 112, frames: int = 16, width: int = 64, depth: int = 3, heads: int = 8) -> None:
        super().__init__()
        self.frames = frames
        self.s_former = SFormer(size, width, heads)
        self.t_former = TFormer(frames, 8 * width, depth, heads)

    def forward(self, x: Tensor) -> Tensor:
        """Frames of all clips, clip by clip, to one feature vector per clip."""
        return self.t_former(self.s_former(x).unflatten(0, (-1, self.frames)))


@MODELS.register_module()
class FormerDFERHead(BaseHead):
    """One linear layer, (B, in_channels) to (B, num_classes), with cross-entropy on hard or soft targets."""

    def __init__(self, num_classes: int, in_channels: int, **options) -> None:
        super().__init__(num_classes, in_channels, **options)
        self.fc_cls = nn.Linear(in_channels, num_classes)

    def forward(self, x: Tensor, **_) -> Tensor:
        """Logits."""
        return self.fc_cls(x)
