"""AEN's two branches (Lee et al., CVPRW 2023, section 3.1), readable from top to bottom.

Bottom-up: a ResNet gives three vectors per frame, one per semantic level, and a temporal transformer for each level
gives one vector per clip. Top-down: two converters lead the highest level back to the others, one emotional level
finer each time. B is the batch, T the frames, C = 8 * width the channels of the last stage and D = (size / 4) ** 2 the
length of a squeezed feature map.

The official network has parts that reach no score and no loss. They are here, untrained and unused, because its
checkpoints hold them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from benchmark_plugins.layers.blocks import ResidualBlock, TransformerBlock


class Features(NamedTuple):
    """What the network knows of a batch of clips; levels are in the order last stage, first stage, third stage.

    affective: what the global, the group and the emotion classifier see: (B, C), (B, D), (B, D).
    clips: V_i of equation 4, a vector per clip and level: (B, C), (B, D), (B, D).
    frames: I_i of equation 4, a vector per frame and level: (B, T, C), (B, T, D), (B, T, D).
    """

    affective: tuple[Tensor, Tensor, Tensor]
    clips: tuple[Tensor, Tensor, Tensor]
    frames: tuple[Tensor, Tensor, Tensor]


def _squeeze(channels: int, outputs: int) -> nn.Sequential:
    # No activation in between: officially the two are one linear map, held as two.
    return nn.Sequential(nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, outputs, 1))


def _stage(inputs: int, outputs: int, stride: int, blocks: int) -> nn.Sequential:
    first = ResidualBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(ResidualBlock(outputs, outputs, 1) for _ in range(blocks - 1)))


class SFormer(nn.Module):
    """Frames to vectors: (N, 3, size, size) to (N, C), (N, D) and (N, D).

    A ResNet-18 that lacks one block of its second stage. The first is the pooled last stage, the others are the maps
    of the first and the third stage, squeezed to 1 and 16 channels and flattened channel by channel. The squeezed
    second stage, and the spatial transformer that Former-DFER has, are unused.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(width, width, stride=1, blocks=2)
        self.layer2 = _stage(width, 2 * width, stride=2, blocks=1)
        self.layer3 = _stage(2 * width, 4 * width, stride=2, blocks=2)
        self.layer4 = _stage(4 * width, 8 * width, stride=2, blocks=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.squeeze1 = _squeeze(width, 1)
        self.squeeze2 = _squeeze(2 * width, 4).requires_grad_(False)
        self.squeeze3 = _squeeze(4 * width, 16)
        self.pos_embedding = nn.Parameter(torch.randn(1, (size // 16) ** 2, 4 * width), requires_grad=False)
        unused = (TransformerBlock(4 * width, 8, width // 2, 8 * width) for _ in range(4))
        self.blocks = nn.Sequential(*unused).requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The three levels."""
        low = self._low(x)
        high = self.layer3(self.layer2(low))
        return self.layer4(high).mean(dim=(2, 3)), self.squeeze1(low).flatten(1), self.squeeze3(high).flatten(1)

    def third(self, x: Tensor) -> Tensor:
        """The squeezed third stage alone, (N, D): all that the frame-level network needs."""
        return self.squeeze3(self.layer3(self.layer2(self._low(x)))).flatten(1)

    def _low(self, x: Tensor) -> Tensor:
        return self.layer1(F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, stride=2, padding=1))


class TemporalEncoder(nn.Module):
    """Frame vectors to a clip vector: (B, T, dim) to (B, dim), read off a learned class token."""

    def __init__(self, frames: int, dim: int, depth: int, heads: int, head_dim: int, hidden: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim))
        self.pos_embedding = nn.Parameter(torch.randn(1, frames + 1, dim))
        self.blocks = nn.Sequential(*(TransformerBlock(dim, heads, head_dim, hidden) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        """Prepend the class token, attend over time, return the class token; there is no final normalisation."""
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        return self.blocks(x + self.pos_embedding)[:, 0]


class Converter(nn.Module):
    """Semantic-to-affective converter (S2AC, equation 1): (B, inputs) and a level V (B, D) to (B, D).

    The query's elements attend to the elements of V. softmax: `queries` normalises each column of the D x D attention,
    as the official code does and its checkpoints need; `keys` each row, as the paper says.
    """

    def __init__(self, inputs: int, dim: int, softmax: str) -> None:
        super().__init__()
        self.query = nn.Linear(inputs, dim)
        self.proj = nn.Linear(dim, dim)
        self.axis = {"queries": 1, "keys": 2}[softmax]

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """W_2 softmax(W_1 x V^T / sqrt(D)) V."""
        keys = level.unsqueeze(1)
        attention = (self.query(x).unsqueeze(2) * (keys / keys.shape[2] ** 0.5)).softmax(dim=self.axis)
        return self.proj((attention @ keys.transpose(1, 2)).squeeze(2))


@MODELS.register_module()
class AENBackbone(BaseModule):
    """Frames (B * T, 3, size, size) to `Features`.

    size: edge of a frame, a multiple of 16. frames: T. width: channels of the first stage. depth, heads, head_dim,
    hidden: the temporal transformers'. The paper's values are 112 and 16; the official code's, 64, 3, 8, 64 and 1024.
    """

    def __init__(
        self,
        size: int = 112,
        frames: int = 16,
        width: int = 64,
        depth: int = 3,
        heads: int = 8,
        head_dim: int = 64,
        hidden: int = 1024,
        softmax: str = "queries",
    ) -> None:
        super().__init__()
        self.frames = frames
        channels, dim = 8 * width, (size // 4) ** 2
        self.s_former = SFormer(size, width)
        # One encoder for the pooled last stage and one for each squeezed stage, of which the second is unused.
        self.t_former = nn.ModuleList(
            TemporalEncoder(frames, length, depth, heads, head_dim, hidden) for length in (channels, dim, dim, dim)
        )
        self.t_former[2].requires_grad_(False)
        self.lift = nn.Linear(channels, dim)
        self.to_groups = Converter(channels, dim, softmax)
        self.to_emotions = Converter(dim, dim, softmax)
        self.unused = nn.ModuleDict({name: nn.Linear(dim, dim) for name in ("fc1_1", "fc1_2", "fc1_2_o")})
        self.unused.requires_grad_(False)

    def forward(self, x: Tensor) -> Features:
        """Frames of all clips, clip by clip."""
        last, first, third = (level.unflatten(0, (-1, self.frames)) for level in self.s_former(x))
        v0, v1, v3 = self.t_former[0](last), self.t_former[1](first), self.t_former[3](third)
        # The residual connections are the official code's; equation 1 has none.
        groups = self.to_groups(v0, v1) + self.lift(v0)
        emotions = self.to_emotions(groups, v3) + groups
        return Features((v0, groups, emotions), (v0, v1, v3), (last, first, third))


@MODELS.register_module()
class AENFrames(BaseModule):
    """The frame-level network without its classifier: frames (N, 3, size, size) to (N, D)."""

    def __init__(self, size: int = 112, width: int = 64) -> None:
        super().__init__()
        self.s_former = SFormer(size, width)
        # The last stage and the first stage's squeeze lead nowhere from here.
        self.s_former.layer4.requires_grad_(False)
        self.s_former.squeeze1.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """The squeezed third stage."""
        return self.s_former.third(x)
