"""VideoMAE's pre-training (Tong et al., NeurIPS 2022): rebuild the nine tenths of a clip that the encoder never sees.

Tokens are cubes of `tubelet` x `patch` x `patch` pixels, numbered in the order (time, row, column).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import Block
from mmaction.registry import MODELS
from mmengine.model import BaseModel, BaseModule
from torch import Tensor, nn

from benchmark_plugins.videomae.model import FusedAttention, FusedVisionTransformer, Positions


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


def take_tokens(tokens: Tensor, numbers: Tensor) -> Tensor:
    """(B, N, D) and token numbers (B, V) to (B, V, D)."""
    return tokens.gather(1, numbers.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


def cut_cubes(frames: Tensor, tubelet: int, patch: int) -> Tensor:
    """A view of frames (B, C, T, H, W) as (B, T', H', W', C, tubelet, patch, patch)."""
    cubes = frames.unflatten(4, (-1, patch)).unflatten(3, (-1, patch)).unflatten(2, (-1, tubelet))
    return cubes.permute(0, 2, 4, 6, 1, 3, 5, 7)


def embed_cubes(projection: nn.Conv3d, frames: Tensor, numbers: Tensor) -> Tensor:
    """A patch embedding of some tokens only: frames (B, C, T, H, W) and token numbers (B, V) to (B, V, D)."""
    tubelet, patch, _ = projection.kernel_size
    cubes = cut_cubes(frames, tubelet, patch)
    _, _, rows, columns = cubes.shape[:4]
    clip = torch.arange(len(frames), device=frames.device).unsqueeze(1)
    slot, place = numbers // (rows * columns), numbers % (rows * columns)
    chosen = cubes[clip, slot, place // columns, place % columns]
    return F.linear(chosen.flatten(2), projection.weight.flatten(1), projection.bias)


def cube_targets(frames: Tensor, tubelet: int, patch: int) -> Tensor:
    """What the decoder should give: frames (B, 3, T, H, W) in 0..1 to (B, N, tubelet * patch * patch * 3).

    In each cube and colour the mean is 0 and the (unbiased) standard deviation 1; values are ordered (frame, row,
    column, colour).
    """
    cubes = cut_cubes(frames, tubelet, patch).flatten(1, 3).flatten(3)
    std, mean = torch.std_mean(cubes, dim=3, keepdim=True)
    return ((cubes - mean) / (std + 1e-6)).transpose(2, 3).flatten(2)


class FusedBlock(Block):
    """MMAction2's transformer block with fused attention."""

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__(embed_dims, num_heads)
        self.attn = FusedAttention(embed_dims, num_heads)


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


class MaskedVisionTransformer(FusedVisionTransformer):
    """The fine-tuning encoder's blocks, run on the visible tokens only, with a final norm in place of the mean."""

    def __init__(self, **options: Any) -> None:
        super().__init__(use_mean_pooling=False, **options)

    def forward(self, frames: Tensor, visible: Tensor) -> Tensor:
        """Frames (B, 3, T, H, W) and token numbers (B, V) to features (B, V, embed_dims)."""
        projection = self.patch_embed.projection
        tubelet, patch, _ = projection.kernel_size
        tokens = cut_cubes(frames, tubelet, patch).shape[1:4].numel()
        x = embed_cubes(projection, frames, visible) + self.positions(tokens)[visible]
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class MaskedModel(BaseModel):
    """What pre-trainings by masked reconstruction share: a clip is partly hidden, and the hidden tokens are rebuilt.

    mean, std: with which the frames were normalised, on the 0..255 scale. A subclass says how masks are drawn, what is
    rebuilt and what it should be.
    """

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
        """Hide tokens at random in clips (B, 1, 3, T, H, W) and give the loss, or (`tensor`) what was rebuilt."""
        frames = inputs.flatten(0, 1)
        mask = self.draw_mask(frames)
        if mode == "loss":
            return {"loss": self.masked_loss(frames, mask)}
        if mode == "tensor":
            return self.reconstruct(frames, mask)
        raise ValueError(f"a masked autoencoder has no mode '{mode}'; it has 'loss' and 'tensor'")

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


@MODELS.register_module()
class MaskedAutoencoder(MaskedModel):
    """The encoder, a light decoder, and the mean squared error on normalised pixels of the hidden tokens.

    encoder, decoder: options of `MaskedVisionTransformer` and `Decoder`. Other options are those of `MaskedModel`.
    """

    def __init__(
        self,
        encoder: dict,
        decoder: dict,
        mean: Sequence[float],
        std: Sequence[float],
        mask_ratio: float = 0.9,
        data_preprocessor: dict | None = None,
    ) -> None:
        network = MaskedVisionTransformer(init_cfg=None, **encoder)
        projection = network.patch_embed.projection
        rebuild = Decoder(network.embed_dims, projection.weight[0].numel(), len(network.positions.table), **decoder)
        super().__init__(network, rebuild, mean, std, mask_ratio, data_preprocessor)
        self.tubelet, self.patch, _ = projection.kernel_size

    def draw_mask(self, frames: Tensor) -> Tensor:
        """A mask (B, N), True where hidden, for frames (B, 3, T, H, W)."""
        batch, _, length, height, width = frames.shape
        positions = (height // self.patch) * (width // self.patch)
        return tube_mask(batch, length // self.tubelet, positions, self.mask_ratio)

    def reconstruct(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Normalised pixels (B, M, values) of the M tokens of each clip that `mask` (B, N) hides, in token order."""
        visible, hidden = (numbers.to(frames.device) for numbers in split_tokens(mask))
        return self.decoder(self.encoder(frames, visible), visible, hidden)

    def targets(self, frames: Tensor, mask: Tensor) -> Tensor:
        """What `reconstruct` should give, made from the frames' own colours."""
        hidden = split_tokens(mask)[1].to(frames.device)
        return take_tokens(cube_targets(frames * self.std + self.mean, self.tubelet, self.patch), hidden)
