"""S2D's landmark detector: MobileFaceNet (Chen et al., MobileFaceNets, CCBR 2018) with 68 points as its output.

S2D never trains it; it takes the feature map behind the sixth bottleneck of the middle stage, an eighth as wide and
high as the frame. N is the number of frames.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ConvNorm(nn.Module):
    """Convolution without bias and batch norm, then PReLU with a slope per channel unless `linear`."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        padding = 1 if kernel == 3 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        if not linear:
            self.prelu = nn.PReLU(outputs)
        nn.init.kaiming_normal_(self.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        x = self.bn(self.conv(x))
        return self.prelu(x) if hasattr(self, "prelu") else x


class Bottleneck(nn.Module):
    """Widen, convolve each channel by itself, narrow linearly; a residual connection where nothing is strided."""

    def __init__(self, inputs: int, outputs: int, inner: int, stride: int) -> None:
        super().__init__()
        self.conv = ConvNorm(inputs, inner)
        self.conv_dw = ConvNorm(inner, inner, kernel=3, stride=stride, groups=inner)
        self.project = ConvNorm(inner, outputs, linear=True)
        self.residual = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y = self.project(self.conv_dw(self.conv(x)))
        return x + y if self.residual else y


class Bottlenecks(nn.Module):
    """Several residual bottlenecks of one width."""

    def __init__(self, depth: int, width: int, inner: int) -> None:
        super().__init__()
        self.model = nn.Sequential(*(Bottleneck(width, width, inner, stride=1) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same."""
        return self.model(x)


class Points(nn.Module):
    """From the last feature map to coordinates: (N, inputs, kernel, kernel) to (N, outputs)."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv_6_dw = ConvNorm(inputs, inputs, kernel, groups=inputs, linear=True)
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.bn = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """One weight per channel and place, then a linear layer."""
        return self.bn(self.linear(self.conv_6_dw(x).flatten(1)))


class MobileFaceNet(nn.Module):
    """Frames (N, 3, H, W) of any size, normalised like the classifier's, to landmarks or to their features.

    size: edge to which frames are resized, a multiple of 16; 112 in the paper. width: channels of the first layers; 64.
    """

    def __init__(self, size: int = 112, width: int = 64) -> None:
        super().__init__()
        self.size = size
        self.conv1 = ConvNorm(3, width, kernel=3, stride=2)
        self.conv2_dw = ConvNorm(width, width, kernel=3, groups=width)
        self.conv_23 = Bottleneck(width, width, inner=2 * width, stride=2)
        self.conv_3 = Bottlenecks(4, width, inner=2 * width)
        self.conv_34 = Bottleneck(width, 2 * width, inner=4 * width, stride=2)
        self.conv_4 = Bottlenecks(6, 2 * width, inner=4 * width)
        self.conv_45 = Bottleneck(2 * width, 2 * width, inner=8 * width, stride=2)
        self.conv_5 = Bottlenecks(2, 2 * width, inner=4 * width)
        self.conv_6_sep = ConvNorm(2 * width, 8 * width)
        self.output_layer = Points(8 * width, 136, kernel=size // 16)

    def features(self, x: Tensor) -> Tensor:
        """Feature map (N, 2 * width, size / 8, size / 8); what follows it is not computed."""
        x = F.interpolate(x, size=(self.size, self.size), mode="bilinear", align_corners=True)
        x = self.conv_23(self.conv2_dw(self.conv1(x)))
        return self.conv_4(self.conv_34(self.conv_3(x)))

    def forward(self, x: Tensor) -> Tensor:
        """Landmarks (N, 136): x and y of 68 points."""
        return self.output_layer(self.conv_6_sep(self.conv_5(self.conv_45(self.features(x)))))
