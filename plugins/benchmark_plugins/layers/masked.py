"""What pre-trainings by masked reconstruction share: masks, targets, the decoder, and the loss.

Tokens are those of `benchmark_plugins.layers.tokens`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel, BaseModule
from torch import Tensor, nn

from benchmark_plugins.layers.attention import FusedBlock
from benchmark_plugins.layers.tokens import Positions, cut_cubes


def tube_mask(batch: int, slots: int, positions: int, ratio: float) -> Tensor:
    """Which tokens are hidden: (batch, slots * positions), True where hidden, on the CPU.

    Each clip hides int(ratio * positions) positions, the same ones in every time slot (section 3.3, tube masking).
    Drawn from torch's global generator.
    """
    hidden = torch.zeros(batch, positions, dtype=torch.bool)
    hidden.scatter_(1, torch.rand(batch, positions).argsort(dim=1)[:, : int(ratio * positions)], True)
    return hidden.repeat(1, slots)


def split_tokens(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Token numbers, increasing: visible (B, V) and hidden (B, M), for a mask (B, N) that hides M tokens of each clip.

    A mask on the CPU costs an accelerator no wait.
    """
    order = mask.byte().argsort(dim=1, stable=True)
    visible = mask.shape[1] - int(mask[0].sum())
    return order[:, :visible], order[:, visible:]


def cube_targets(frames: Tensor, tubelet: int, patch: int) -> Tensor:
    """What the decoder should give: frames (B, 3, T, H, W) in 0..1 to (B, N, tubelet * patch * patch * 3).

    In each cube and colour the mean is 0 and the (unbiased) standard deviation 1; values are ordered (frame, row,
    column, colour).
    """
    cubes = cut_cubes(frames, tubelet, patch).flatten(1, 3).flatten(3)
    std, mean = torch.std_mean(cubes, dim=3, keepdim=True)
    return ((cubes - mean) / (std + 1e-6)).transpose(2, 3).flatten(2)


class Decoder(BaseModule):
    """From visible tokens' features to the pixels of hidden ones.

    in_dims: width of the encoder. outputs: values per token. tokens: of a clip; another number gets a table of its own.
    """

    def __init__(
        self, in_dims: int, outputs: int, tokens: int, embed_dims: int = 384, depth: int = 4, num_heads: int = 6
    ) -> None:
        super().__init__()
        self.projection = nn.Linear(in_dims, embed_dims, bias=False)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
        self.positions = Positions(tokens, embed_dims)
        self.blocks = nn.ModuleList(FusedBlock(embed_dims, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.head = nn.Linear(embed_dims, outputs)

    def init_weights(self) -> None:
        """The mask token starts from a truncated normal, the layers as the model that holds them says."""
        super().init_weights()
        nn.init.trunc_normal_(self.mask_token, std=0.02)

    def forward(self, features: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        """Features (B, V, in_dims) of the tokens `visible` (B, V) to values (B, M, outputs) of `hidden` (B, M)."""
        table = self.positions(visible.shape[1] + hidden.shape[1])
        known = self.projection(features) + table[visible]
        x = torch.cat([known, self.mask_token + table[hidden]], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, visible.shape[1] :]))


class MaskedModel(BaseModel):
    """What pre-trainings by masked reconstruction share: a clip is partly hidden, and the hidden tokens are rebuilt.

    mean, std: with which the frames were normalised, on the 0..255 scale. A subclass says how masks are drawn, what is
    rebuilt and what it should be.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        mask_ratio: float,
        data_preprocessor: dict | None,
    ) -> None:
        # Xavier as in the official code; MMEngine hands it down to every layer that has no rule of its own.
        init = [
            dict(type="Xavier", layer="Linear", distribution="uniform", bias=0.0),
            dict(type="Constant", layer="LayerNorm", val=1.0, bias=0.0),
        ]
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init)
        self.encoder = encoder
        self.decoder = decoder
        self.mask_ratio = mask_ratio
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1, 1) / 255, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1, 1) / 255, persistent=False)

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = "loss") -> dict[str, Tensor] | Tensor:
        """Hide tokens at random in clips (B, 1, 3, T, H, W) and give the loss, or (`tensor`) what was rebuilt.

        Samples that have masks, `drawn` for the batch that they are a part of, bring them along.
        """
        frames = inputs.flatten(0, 1)
        drawn = [sample.drawn for sample in data_samples or () if "drawn" in sample]
        mask = torch.stack(drawn) if drawn else self.draw_mask(frames)
        if mode == "loss":
            return {"loss": self.masked_loss(frames, mask)}
        if mode == "tensor":
            return self.reconstruct(frames, mask)
        raise ValueError(f"a masked autoencoder has no mode '{mode}'; it has 'loss' and 'tensor'")

    def draw_for_batch(self, inputs: Tensor) -> Tensor:
        """The masks (B, N) of a whole batch of clips (B, 1, 3, T, H, W), of which only the shape counts."""
        return self.draw_mask(inputs.flatten(0, 1))

    @abstractmethod
    def draw_mask(self, frames: Tensor) -> Tensor:
        """A mask (B, N), True where hidden, for frames (B, 3, T, H, W)."""

    @abstractmethod
    def reconstruct(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Normalised pixels (B, M, values) of the M tokens of each clip that `mask` (B, N) hides, in token order."""

    @abstractmethod
    def targets(self, frames: Tensor, mask: Tensor) -> Tensor:
        """What `reconstruct` should give, made from the frames' own colours."""

    def masked_loss(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Mean squared error over the hidden tokens of frames (B, 3, T, H, W), as the model sees them."""
        return F.mse_loss(self.reconstruct(frames, mask), self.targets(frames, mask))
