"""VideoMAE's pre-training (Tong et al., NeurIPS 2022): rebuild the nine tenths of a clip that the encoder never sees.

Tokens are cubes of `tubelet` x `patch` x `patch` pixels, numbered in the order (time, row, column).
"""

from __future__ import annotations

from collections.abc import Sequence

from mmaction.registry import MODELS
from torch import Tensor

from benchmark_plugins.layers.masked import Decoder, MaskedModel, cube_targets, split_tokens, tube_mask
from benchmark_plugins.layers.tokens import cut_cubes, embed_cubes, take_tokens
from benchmark_plugins.videomae.model import FusedVisionTransformer


def encode_visible(encoder: FusedVisionTransformer, frames: Tensor, visible: Tensor) -> Tensor:
    """The fine-tuning encoder's blocks on some tokens only, with a final norm in place of the mean over tokens.

    Frames (B, 3, T, H, W) and token numbers (B, V) to features (B, V, embed_dims).
    """
    projection = encoder.patch_embed.projection
    tubelet, patch, _ = projection.kernel_size
    tokens = cut_cubes(frames, tubelet, patch).shape[1:4].numel()
    x = embed_cubes(projection, frames, visible) + encoder.positions(tokens)[visible]
    for block in encoder.blocks:
        x = block(x)
    return encoder.norm(x)


@MODELS.register_module()
class MaskedAutoencoder(MaskedModel):
    """The encoder, a light decoder, and the mean squared error on normalised pixels of the hidden tokens.

    encoder, decoder: options of `FusedVisionTransformer` and `Decoder`. Other options are those of `MaskedModel`.
    """

    encoder: FusedVisionTransformer

    def __init__(
        self,
        encoder: dict,
        decoder: dict,
        mean: Sequence[float],
        std: Sequence[float],
        mask_ratio: float = 0.9,
        data_preprocessor: dict | None = None,
    ) -> None:
        network = FusedVisionTransformer(use_mean_pooling=False, init_cfg=None, **encoder)
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
        visible, hidden = (numbers.to(frames.device, non_blocking=True) for numbers in split_tokens(mask))
        return self.decoder(encode_visible(self.encoder, frames, visible), visible, hidden)

    def targets(self, frames: Tensor, mask: Tensor) -> Tensor:
        """What `reconstruct` should give, made from the frames' own colours."""
        hidden = split_tokens(mask)[1].to(frames.device, non_blocking=True)
        return take_tokens(cube_targets(frames * self.std + self.mean, self.tubelet, self.patch), hidden)
