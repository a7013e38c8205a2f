"""Parts that MMAction2 lacks: C3D at any size, (2+1)D convolutions as published, and a recurrent network over frames.

Clips come as (B, 3, T, H, W).
"""

from __future__ import annotations

from mmaction.models import C3D, ResNet3d
from mmaction.models.backbones.resnet3d import BasicBlock3d
from mmaction.registry import MODELS
from mmcv.cnn import ConvModule
from torch import Tensor, nn


@MODELS.register_module()
class ScalableC3D(C3D):
    """C3D (Tran et al., ICCV 2015, section 3.3) with `width` channels in the first layer and `hidden` in the last two.

    Clips of `frames` frames of `size` pixels square to features (B, hidden); the paper's values are 16, 112, 64, 4096.
    """

    def __init__(self, frames: int = 16, size: int = 112, width: int = 64, hidden: int = 4096, **options) -> None:
        # MMAction2 fixes the widths, so the layers that have one are replaced.
        super().__init__(out_dim=1, **options)
        inputs = 3
        for name, factor in zip(
            ("1a", "2a", "3a", "3b", "4a", "4b", "5a", "5b"), (1, 2, 4, 4, 8, 8, 8, 8), strict=True
        ):
            convolution = ConvModule(
                inputs, factor * width, 3, padding=1, conv_cfg=self.conv_cfg, norm_cfg=self.norm_cfg
            )
            setattr(self, f"conv{name}", convolution)
            inputs = factor * width
        # Five poolings by two in space, the last of which is padded, and four in time.
        self.fc6 = nn.Linear(inputs * (frames // 16) * (size // 32 + 1) ** 2, hidden)
        self.fc7 = nn.Linear(hidden, hidden)


def _factored(inputs: int, outputs: int, middle: int, stride: int) -> nn.Sequential:
    """A 3 x 3 x 3 convolution as 1 x 3 x 3 to `middle` channels, then 3 x 1 x 1; `stride` in all dimensions."""
    return nn.Sequential(
        nn.Conv3d(inputs, middle, (1, 3, 3), (1, stride, stride), padding=(0, 1, 1), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(inplace=True),
        nn.Conv3d(middle, outputs, (3, 1, 1), (stride, 1, 1), padding=(1, 0, 0), bias=False),
    )


@MODELS.register_module()
class FactoredResNet3d(ResNet3d):
    """R(2+1)D (Tran et al., CVPR 2018, section 3.5): ResNet3d with all convolutions but the shortcuts' factored.

    The width in between keeps a block's parameters those of its 3D form. As in the published network it is computed
    once for both convolutions of a block, and is 45 for 64 in the stem; MMAction2's own ResNet2Plus1d has other widths,
    factors the shortcuts too and pools after the stem.
    """

    def __init__(self, depth: int, **options) -> None:
        super().__init__(depth, **options)
        width = self.base_channels
        middle = 45 * width // 64
        self.conv1.conv = nn.Sequential(
            nn.Conv3d(self.in_channels, middle, (1, 7, 7), (1, 2, 2), padding=(0, 3, 3), bias=False),
            nn.BatchNorm3d(middle),
            nn.ReLU(inplace=True),
            nn.Conv3d(middle, width, (3, 1, 1), padding=(1, 0, 0), bias=False),
        )
        for block in (module for module in self.modules() if isinstance(module, BasicBlock3d)):
            inputs, outputs = block.inplanes, block.planes
            middle = 27 * inputs * outputs // (9 * inputs + 3 * outputs)
            block.conv1.conv = _factored(inputs, outputs, middle, block.conv1_stride_s)
            block.conv2.conv = _factored(outputs, outputs, middle, 1)


@MODELS.register_module()
class RecurrentResNet(ResNet3d):
    """A ResNet-18 on every frame by itself, and one recurrent layer over the frames: to (B, hidden), its last state.

    cell: `LSTM` or `GRU`. MMAction2's ResNet3d without any extent in time is the ResNet for images.
    """

    def __init__(self, cell: str, hidden: int = 512, **options) -> None:
        super().__init__(
            depth=18,
            pretrained2d=False,
            conv1_kernel=(1, 7, 7),
            inflate=(0, 0, 0, 0),
            with_pool2=False,
            zero_init_residual=False,
            **options,
        )
        self.recurrent = getattr(nn, cell)(self.feat_dim, hidden, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) to features (B, hidden)."""
        frames = super().forward(x).mean(dim=(3, 4)).transpose(1, 2)
        states, _ = self.recurrent(frames)
        return states[:, -1]
