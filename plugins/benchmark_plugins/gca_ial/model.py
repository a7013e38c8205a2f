"""GCA's network (Li et al., AAAI 2023), readable from top to bottom.

A shallow ResNet whose second and third stages rescale their channels by global convolution-attention (GCA) gives a map
per frame. A dynamic branch looks at the differences of successive maps, a static branch at the maps themselves; their
sum goes through a temporal transformer. B is the batch, T the frames, N = B * T, C channels.

The official checkpoints hold parameters that no output depends on. They exist here too, frozen, under `unused`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.models import BaseHead
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from mmengine.model import BaseModule
from torch import Tensor, nn

from benchmark_plugins.gca_ial.losses import weighted_losses
from benchmark_plugins.layers.blocks import TransformerBlock


class BasicBlock(nn.Module):
    """What both kinds of block are made of: two 3x3 convolutions and a shortcut, as in a ResNet."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def residual(self, x: Tensor) -> Tensor:
        """What is added to the shortcut."""
        return self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))


class ResidualBlock(BasicBlock):
    """ResNet's basic block, (N, inputs, H, W) to (N, outputs, H / stride, W / stride), rounded up."""

    def forward(self, x: Tensor) -> Tensor:
        """Add the shortcut."""
        return F.relu(self.residual(x) + self.downsample(x), inplace=True)


class GCABlock(BasicBlock):
    """A residual block, halving the map to size x size, whose channels are rescaled frame by frame.

    A convolution as large as the map gives one number per channel and frame. From it follows an attention in 0..2, and
    a channel's scale is the geometric mean of this frame's attention and the clip's.
    """

    def __init__(self, inputs: int, outputs: int, size: int, frames: int) -> None:
        super().__init__(inputs, outputs, stride=2)
        self.frames = frames
        self.gc = nn.Conv2d(outputs, outputs, size, groups=outputs, bias=False)
        self.fc1 = nn.Conv2d(outputs, outputs // 16, 1, bias=False)
        self.fc2 = nn.Conv2d(outputs // 16, outputs, 1, bias=False)
        self.unused = _unused(**_never_read(outputs))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, inputs, 2 size, 2 size) to (N, outputs, size, size), and the mean global convolution (B, outputs)."""
        y = self.residual(x)
        overall = self.gc(y)
        attention = 2 * self.fc2(F.relu(self.fc1(overall))).sigmoid().unflatten(0, (-1, self.frames))
        scale = (attention * attention.mean(dim=1, keepdim=True) + 1e-5).sqrt().flatten(0, 1)
        clip = overall.flatten(1).unflatten(0, (-1, self.frames)).mean(dim=1)
        return F.relu(y * scale + self.downsample(x), inplace=True), clip


@MODELS.register_module()
class GCA(BaseModule):
    """The backbone: frames (B * T, 3, size, size) to what the head reads, of each clip.

    Returns the clip feature (B, 4 * width * grid * grid) and the mean global convolutions of the second and the third
    stage, (B, 2 * width) and (B, 4 * width). size: edge of a frame, a multiple of 16. frames: T, at least 2. width:
    channels of the first stage. heads: attention heads of 32 values. The paper's values are 112, 16, 64 and 4.
    """

    def __init__(self, size: int = 112, frames: int = 16, width: int = 64, heads: int = 4) -> None:
        super().__init__()
        self.frames = frames
        # The last convolutions halve a map of size/16, rounding up.
        self.grid = (size // 16 + 1) // 2
        dim = 4 * width
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
        )
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = ResidualBlock(width, width, stride=1)
        # Officially the first stage is a GCA block too, whose attention is stored and never computed.
        self.layer1.unused = _unused(
            **_never_read(width),
            gc=(width, 1, size // 4, size // 4),
            fc1=(width // 16, width, 1, 1),
            fc2=(width, width // 16, 1, 1),
        )
        self.layer2 = GCABlock(width, 2 * width, size // 8, frames)
        self.layer3 = GCABlock(2 * width, dim, size // 16, frames)
        self.layer4 = nn.Sequential(
            ResidualBlock(dim, dim, stride=2), ResidualBlock(dim, dim, stride=1), ResidualBlock(dim, dim, stride=1)
        )
        self.patch_embedding = nn.Sequential(
            nn.Conv2d(dim, dim, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(dim), nn.ReLU(inplace=True)
        )
        tokens = self.grid**2
        self.pos_embedding_pos = nn.Parameter(torch.randn(1, tokens, dim))
        self.pos_transformer = nn.Sequential(*(TransformerBlock(dim, heads, 32, dim) for _ in range(2)))
        # One row more than there are differences of frames, as in the official checkpoints.
        self.pos_embedding = nn.Parameter(torch.randn(1, frames, tokens * dim))
        self.temporal_transformer = nn.Sequential(
            *(TransformerBlock(tokens * dim, heads, 32, 8 * width) for _ in range(2))
        )
        self.unused = _unused(bias=(1, width, 1, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Frames of all clips, clip by clip, to the features of each clip."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, stride=2, padding=1)
        x, clip2 = self.layer2(self.layer1(x))
        x, clip3 = self.layer3(x)
        maps = x.unflatten(0, (-1, self.frames))
        dynamic = self.layer4((maps[:, 1:] - maps[:, :-1]).flatten(0, 1))
        both = (dynamic + self._static(maps[:, :-1].flatten(0, 1))).flatten(1).unflatten(0, (-1, self.frames - 1))
        steps = self.temporal_transformer(both + self.pos_embedding[:, : self.frames - 1])
        return steps.mean(dim=1), clip2, clip3

    def _static(self, x: Tensor) -> Tensor:
        """Let the cells of each map attend to each other: (N, dim, size/16, size/16) to (N, dim, grid, grid)."""
        tokens = self.patch_embedding(x).flatten(2).transpose(1, 2) + self.pos_embedding_pos
        return self.pos_transformer(tokens).transpose(1, 2).unflatten(2, (self.grid, self.grid))


@MODELS.register_module()
class GCAHead(BaseHead):
    """The classifier, and the auxiliary ones that only training reads.

    aux_channels: inputs of the auxiliary classifiers of stages 1, 2 and 3; the first has none, but is in the official
    checkpoints. ial_weight: the paper's lambda. aux_weights: of stages 2 and 3; those with weight 0 are frozen.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        aux_channels: tuple[int, int, int] = (64, 128, 256),
        ial_weight: float = 0.1,
        aux_weights: tuple[float, float] = (0.05, 0.0),
        **options,
    ) -> None:
        super().__init__(num_classes, in_channels, **options)
        self.ial_weight, self.aux_weights = ial_weight, aux_weights
        self.fc_cls = nn.Linear(in_channels, num_classes)
        # Officially two layers with nothing between them.
        self.auxiliary = nn.ModuleList(
            nn.Sequential(nn.Linear(c, 2 * c, bias=False), nn.Linear(2 * c, num_classes, bias=False))
            for c in aux_channels
        )
        for classifier, weight in zip(self.auxiliary, (0.0, *aux_weights), strict=True):
            classifier.requires_grad_(weight != 0)

    def forward(self, x: tuple[Tensor, Tensor, Tensor], **_) -> Tensor:
        """Logits (B, num_classes) from the clip feature."""
        return self.fc_cls(x[0])

    def auxiliary_logits(self, x: tuple[Tensor, Tensor, Tensor]) -> list[Tensor]:
        """Logits (B, num_classes) from the global convolutions of stages 2 and 3."""
        return [classifier(clip) for classifier, clip in zip(self.auxiliary[1:], x[1:], strict=True)]

    def loss(self, feats: tuple[Tensor, Tensor, Tensor], data_samples: SampleList, **_) -> dict[str, Tensor]:
        """Cross-entropy, intensity-aware loss and auxiliary cross-entropy on hard or soft targets."""
        target = torch.stack([sample.gt_label for sample in data_samples]).to(feats[0].device)
        return weighted_losses(self(feats), self.auxiliary_logits(feats), target, self.ial_weight, self.aux_weights)


def _unused(**shapes: tuple[int, ...]) -> nn.ParameterDict:
    return nn.ParameterDict({n: nn.Parameter(torch.zeros(s), requires_grad=False) for n, s in shapes.items()})


def _never_read(channels: int) -> dict[str, tuple[int, ...]]:
    """What every official block stores without any use."""
    bias = (1, channels, 1, 1)
    return {"bias1": bias, "bias2": bias, "glb": (channels, channels, 1, 1)}
