"""SVFAP's pre-training (Sun et al., TAFFC 2024): masked facial video autoencoding with features of several scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from benchmark_plugins.svfap.model import PyramidEncoder
from benchmark_plugins.videomae.masked import (
    Decoder,
    MaskedModel,
    cube_targets,
    embed_cubes,
    split_tokens,
    take_tokens,
    tube_mask,
)


class MaskedPyramidEncoder(PyramidEncoder):
    """The fine-tuning encoder's stages, run on the visible tokens only and added up at the first stage's length.

    recover_from: what the last block of the later stages attends to. `bottleneck` is the paper's; `clip` is the
    official code's, all tokens of the clip as they were embedded, hidden ones included.
    """

    def __init__(
        self, embed_dims: int, recover_from: Literal["bottleneck", "clip"] = "bottleneck", **options: Any
    ) -> None:
        super().__init__(embed_dims=embed_dims, **options)
        self.recover_from = recover_from
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)

    def forward(self, frames: Tensor, visible: Tensor) -> Tensor:
        """Frames (B, 3, T, H, W) and token numbers (B, V), as many in every time slot, to features (B, V, D)."""
        slots = frames.shape[2] // self.patch_embed.kernel_size[0]
        x, context = self._visible(frames, visible), None
        if self.recover_from == "clip":
            context = self.embed(frames).flatten(1, 2)
        outputs = self.stages(x.unflatten(1, (slots, -1)), context)
        scales = [output.repeat_interleave(slots // output.shape[1], dim=1) for output in outputs]
        return self.norm(torch.stack(scales).sum(dim=0)).flatten(1, 2)

    def _visible(self, frames: Tensor, visible: Tensor) -> Tensor:
        """The placed tokens of some numbers, (B, V, D); no other pixels are read."""
        cells = [size // step for size, step in zip(frames.shape[2:], self.patch_embed.kernel_size, strict=True)]
        table = self.positions(cells[0] * cells[1] * cells[2])
        return embed_cubes(self.patch_embed, frames, visible) + table[visible]


@MODELS.register_module()
class MaskedPyramid(MaskedModel):
    """The encoder, VideoMAE's decoder, and the mean squared error on normalised pixels of the hidden tokens.

    encoder, decoder: options of `MaskedPyramidEncoder` and `Decoder`. Other options are those of `MaskedModel`.
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
        network = MaskedPyramidEncoder(**encoder)
        tokens, width = network.positions.table.shape
        rebuild = Decoder(width, network.patch_embed.weight[0].numel(), tokens, **decoder)
        super().__init__(network, rebuild, mean, std, mask_ratio, data_preprocessor)
        self.tubelet, self.patch, _ = network.patch_embed.kernel_size

    def draw_mask(self, frames: Tensor) -> Tensor:
        """A mask (B, N), True where hidden, for frames (B, 3, T, H, W)."""
        batch, _, length, height, width = frames.shape
        positions = (height // self.patch) * (width // self.patch)
        return tube_mask(batch, length // self.tubelet, positions, self.mask_ratio)

    def reconstruct(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Normalised pixels (B, M, values) of the M tokens of each clip that `mask` (B, N) hides, in token order."""
        visible, hidden = (numbers.to(frames.device, non_blocking=True) for numbers in split_tokens(mask))
        return self.decoder(self.encoder(frames, visible), visible, hidden)

    def targets(self, frames: Tensor, mask: Tensor) -> Tensor:
        """What `reconstruct` should give, made from the frames' own colours."""
        hidden = split_tokens(mask)[1].to(frames.device, non_blocking=True)
        return take_tokens(cube_targets(frames * self.std + self.mean, self.tubelet, self.patch), hidden)
