"""I3D (Carreira & Zisserman, CVPR 2017, figure 3): Inception-v1 with every filter and pooling inflated along time.

Clips come as (B, 3, T, H, W).
"""

from __future__ import annotations

import torch
from mmaction.registry import MODELS
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

# Channels of each module's branches: 1x1; 1x1 then 3x3; 1x1 then 3x3; pooling then 1x1.
STAGE_3 = ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64))
STAGE_4 = (
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
)
STAGE_5 = ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> ConvModule:
    """Convolution, batch norm, ReLU."""
    return ConvModule(
        inputs,
        outputs,
        kernel,
        stride,
        padding=kernel // 2,
        conv_cfg=dict(type="Conv3d"),
        norm_cfg=dict(type="BN3d", eps=1e-3),
    )


class InceptionModule(nn.Module):
    """Four branches side by side; `channels` as in STAGE_3."""

    def __init__(self, inputs: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        plain, narrow1, wide1, narrow2, wide2, pooled = channels
        self.branches = nn.ModuleList(
            [
                _conv(inputs, plain, 1),
                nn.Sequential(_conv(inputs, narrow1, 1), _conv(narrow1, wide1, 3)),
                nn.Sequential(_conv(inputs, narrow2, 1), _conv(narrow2, wide2, 3)),
                nn.Sequential(nn.MaxPool3d(3, stride=1, padding=1), _conv(inputs, pooled, 1)),
            ]
        )
        self.outputs = plain + wide1 + wide2 + pooled

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T, H, W) to (B, outputs, T, H, W)."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


@MODELS.register_module()
class InceptionI3D(BaseModule):
    """Clips to feature maps (B, 16 * width, T / 8, H / 32, W / 32), sizes rounded up; the paper's width is 64.

    Padding is the same on both sides; the official TensorFlow code pads one more at the end where strides are two.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _conv(3, width, 7, stride=2),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), padding=(0, 1, 1)),
            _conv(width, width, 1),
            _conv(width, 3 * width, 3),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), padding=(0, 1, 1)),
        )
        stages: list[nn.Module] = []
        inputs = 3 * width
        for stage in (STAGE_3, STAGE_4, STAGE_5):
            for channels in stage:
                module = InceptionModule(inputs, tuple(count * width // 64 for count in channels))
                stages.append(module)
                inputs = module.outputs
            if stage is STAGE_3:
                stages.append(nn.MaxPool3d(3, stride=2, padding=1))
            elif stage is STAGE_4:
                stages.append(nn.MaxPool3d(2, stride=2, ceil_mode=True))
        self.stages = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> Tensor:
        """Stem, nine modules with two poolings in between."""
        return self.stages(self.stem(x))
