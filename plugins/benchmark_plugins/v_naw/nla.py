"""What NLA's training of image classifiers (Lee et al., AAAI 2025) needs beyond V-NAW's own parts."""

from __future__ import annotations

import numpy as np
from mmaction.registry import MODELS, TRANSFORMS
from torch import Tensor, nn

from benchmark_plugins.v_naw.swin import SwinFrameEncoder


@MODELS.register_module()
class SwinImageEncoder(SwinFrameEncoder):
    """Images (N, 3, size, size) to the mean of the normalised tokens (N, channels of the last stage).

    The official image classifier has a norm of its own; the encoder's norm and feature head, which V-NAW goes on to
    use, are in its files but untrained.
    """

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.norm.requires_grad_(False)
        self.feature.requires_grad_(False)
        self.image_norm = nn.LayerNorm(self.norm.normalized_shape[0])

    def forward(self, x: Tensor) -> Tensor:
        """One feature vector per image."""
        return self.image_norm(self.tokens(x)).mean(dim=1)


@TRANSFORMS.register_module()
class PixelNoise:
    """Add independent Gaussian noise to every value of an image, with probability `prob`.

    variance: of the noise, on the 0..255 scale.
    """

    def __init__(self, prob: float = 0.5, variance: float = 30.0) -> None:
        self.prob = prob
        self.variance = variance

    def __call__(self, results: dict) -> dict:
        """Change `imgs`, a list of uint8 arrays H x W x 3."""
        if np.random.rand() < self.prob:
            results["imgs"] = [self._noisy(image) for image in results["imgs"]]
        return results

    def _noisy(self, image: np.ndarray) -> np.ndarray:
        noise = np.random.normal(0.0, self.variance**0.5, image.shape)
        return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
