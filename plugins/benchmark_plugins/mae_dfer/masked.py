"""MAE-DFER's pre-training (Sun et al., ACM MM 2023): joint masked appearance and motion modelling.

Nine tenths of a clip are hidden from the encoder; the decoder rebuilds some of its frames and how the others
differ from them.

Tokens are numbered in the order (time, row, column). B is the batch, N a clip's tokens, R its regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from benchmark_plugins.layers.masked import Decoder, MaskedModel, cube_targets, split_tokens, tube_mask
from benchmark_plugins.layers.tokens import take_tokens
from benchmark_plugins.mae_dfer.model import Grid, LGIEncoder, by_region


def part_window_mask(batch: int, grid: Grid, window: tuple[int, int], ratio: float) -> Tensor:
    """Which tokens are hidden: (batch, N), True where hidden, on the CPU, the same in every time slot.

    Each window of the frame hides int(ratio * its positions), so that every region keeps as many tokens. Drawn from
    torch's global generator.
    """
    slots, height, width = grid
    rows, columns = height // window[0], width // window[1]
    mask = tube_mask(batch * rows * columns, 1, window[0] * window[1], ratio)
    mask = mask.view(batch, rows, columns, *window).transpose(2, 3).reshape(batch, height * width)
    return mask.repeat(1, slots)


def frame_differences(targets: Tensor, slots: int, tubelet: int, group: int) -> Tensor:
    """Cubes' values (B, N, values), frame by frame, with the first of every `group` frames taken off the others.

    Each cube was normalised by itself; the difference is that of the normalised values, as in the official code.
    """
    frames = targets.unflatten(2, (tubelet, -1)).unflatten(1, (slots, -1)).transpose(2, 3).flatten(1, 2)
    kept, changed = frames.unflatten(1, (-1, group)).split([1, group - 1], dim=2)
    frames = torch.cat([kept, changed - kept], dim=2).flatten(1, 2)
    return frames.unflatten(1, (slots, tubelet)).transpose(2, 3).flatten(3).flatten(1, 2)


class MaskedLGIEncoder(LGIEncoder):
    """The fine-tuning encoder's blocks, run on the visible tokens only, with a final norm and without messengers."""

    def __init__(self, embed_dims: int, **options: Any) -> None:
        super().__init__(embed_dims=embed_dims, drop_path_rate=0.0, init_cfg=None, **options)
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)

    def visible(self, mask: Tensor) -> Tensor:
        """The numbers of the tokens that a mask (B, N) leaves visible, as many in every region, (B, R, v)."""
        # Not `self.numbers`, for which an accelerator would have to be waited for: the mask is on the CPU.
        numbers = by_region(self.grid, self.region)
        places = split_tokens(mask[:, numbers].flatten(0, 1))[0].view(len(mask), len(numbers), -1)
        return numbers.expand(len(mask), -1, -1).gather(2, places)

    def forward(self, frames: Tensor, visible: Tensor) -> Tensor:
        """Frames (B, 3, T, H, W) and token numbers (B, R, v) to features (B, R * v, D), in the order of the numbers."""
        return self.norm(self.encode(frames, visible)[:, :, 1:]).flatten(1, 2)


@MODELS.register_module()
class MaskedLGIFormer(MaskedModel):
    """The encoder, VideoMAE's decoder, and the mean squared error on hidden tokens' pixels and frame differences.

    encoder, decoder: options of `MaskedLGIEncoder` and `Decoder`. window: positions of a mask's window, rows and
    columns. difference_group: of how many frames
    only the first is rebuilt as it is, 1 for every frame. difference_weight: of the differences' error in the loss, one
    minus it being that of the kept frames; None weighs all values alike. token_order: `official` gives the features,
    region by region, the positions of the visible tokens in the order of their numbers, as the official code does, so
    that half of them carry another token's position; `corrected` gives each its own.
    """

    encoder: MaskedLGIEncoder

    def __init__(
        self,
        encoder: dict,
        decoder: dict,
        window: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        mask_ratio: float = 0.9,
        difference_group: int = 2,
        difference_weight: float | None = None,
        token_order: Literal["official", "corrected"] = "official",
        data_preprocessor: dict | None = None,
    ) -> None:
        network = MaskedLGIEncoder(**encoder)
        tokens, width = network.positions.shape
        rebuild = Decoder(width, network.patch_embed.weight[0].numel(), tokens, **decoder)
        super().__init__(network, rebuild, mean, std, mask_ratio, data_preprocessor)
        self.window = window
        self.difference_group = difference_group
        self.difference_weight = difference_weight
        self.token_order = token_order

    def draw_mask(self, frames: Tensor) -> Tensor:
        """A mask (B, N), True where hidden, for frames (B, 3, T, H, W)."""
        return part_window_mask(len(frames), self.encoder.grid, self.window, self.mask_ratio)

    def reconstruct(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Normalised pixels (B, M, values) of the M tokens of each clip that `mask` (B, N) hides, in token order."""
        visible, hidden = (
            self.encoder.visible(mask).to(frames.device, non_blocking=True),
            split_tokens(mask)[1].to(frames.device, non_blocking=True),
        )
        features = self.encoder(frames, visible)
        claimed = visible.flatten(1)
        return self.decoder(features, claimed.sort().values if self.token_order == "official" else claimed, hidden)

    def targets(self, frames: Tensor, mask: Tensor) -> Tensor:
        """What `reconstruct` should give, made from the frames' own colours."""
        tubelet, patch, _ = self.encoder.patch_embed.kernel_size
        values = cube_targets(frames * self.std + self.mean, tubelet, patch)
        if self.difference_group > 1:
            values = frame_differences(values, self.encoder.grid[0], tubelet, self.difference_group)
        return take_tokens(values, split_tokens(mask)[1].to(frames.device, non_blocking=True))

    def masked_loss(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Mean squared error over the hidden tokens of frames (B, 3, T, H, W), as the model sees them."""
        if self.difference_weight is None:
            return super().masked_loss(frames, mask)
        rebuilt, targets = self.reconstruct(frames, mask), self.targets(frames, mask)
        kept = self._kept_frames(split_tokens(mask)[1]).to(frames.device, non_blocking=True)
        errors = F.mse_loss(rebuilt, targets, reduction="none").unflatten(2, (kept.shape[2], -1)).mean(dim=3)
        return (1 - self.difference_weight) * errors[kept].mean() + self.difference_weight * errors[~kept].mean()

    def _kept_frames(self, numbers: Tensor) -> Tensor:
        """Whether each frame of the tokens (B, M) is rebuilt as it is, (B, M, tubelet)."""
        _, height, width = self.encoder.grid
        tubelet = self.encoder.patch_embed.kernel_size[0]
        frame = (numbers // (height * width) * tubelet).unsqueeze(2) + torch.arange(tubelet)
        return frame % self.difference_group == 0
