"""Clips as tokens: cubes of `tubelet` x `patch` x `patch` pixels, numbered in the order (time, row, column)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import get_sinusoid_encoding
from torch import Tensor, nn


def sinusoid_table(tokens: int, dim: int) -> Tensor:
    """Fixed positions (tokens, dim): the sine and cosine of p / 10000^(2j / dim) for the p-th token of a clip."""
    return get_sinusoid_encoding(tokens, dim)[0]


class Positions(nn.Module):
    """The sinusoid table of the number of tokens that was asked for last.

    Not a weight: the official state has none, and it follows from the input size.
    """

    table: Tensor

    def __init__(self, tokens: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("table", sinusoid_table(tokens, dim), persistent=False)

    def forward(self, tokens: int) -> Tensor:
        """(tokens, dim)."""
        if tokens != len(self.table):
            self.table = sinusoid_table(tokens, self.table.shape[1]).to(self.table)
        return self.table


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


def take_tokens(tokens: Tensor, numbers: Tensor) -> Tensor:
    """(B, N, D) and token numbers (B, V) to (B, V, D)."""
    return tokens.gather(1, numbers.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
