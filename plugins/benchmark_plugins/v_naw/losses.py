"""Noise-aware adaptive weighting (V-NAW, equations 10-12; NLA, AAAI 2025)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

# Where the Gaussians are centred, as (probability of the label, largest other probability).
_CENTRE_RIGHT = (0.50, 0.50)
_CENTRE_WRONG = (0.30, 0.15)
# How fast the correlation of the first Gaussian grows to its final value.
_RATE = 15.0


@MODELS.register_module()
class NoiseAwareLoss(nn.Module):
    """Cross-entropy, more of it where a prediction is ambiguous, and agreement with the mirrored image.

    The weight of a sample is a Gaussian in (probability of its label, largest other probability): one for samples
    whose label is the most probable class, one for the others.

    right, wrong: variance and covariance of the two Gaussians; the first covariance is multiplied by
        1 - exp(-15 epoch / epochs), which starts at 0.
    normalise: whether a weight is a density (equation 11) or, as in V-NAW's official code, at most 1.
    cross_entropy, weighted, agreement: what the three terms are multiplied by. No mirrored image is needed where
        `agreement` is 0.
    agreement_reduction: `sum` (official code) or `mean` over the samples.

    The defaults are equation 12, (1 + w) * cross-entropy, with NLA's Gaussians.
    """

    def __init__(
        self,
        right: Sequence[float] = (0.80, -0.48),
        # 0.91^2 +- (0.91 / 6)^2.
        wrong: Sequence[float] = (0.851102777777778, 0.805097222222222),
        normalise: bool = True,
        cross_entropy: float = 1.0,
        weighted: float = 1.0,
        agreement: float = 0.0,
        agreement_reduction: str = "sum",
    ) -> None:
        super().__init__()
        self.right, self.wrong = right, wrong
        self.normalise = normalise
        self.cross_entropy, self.weighted, self.agreement = cross_entropy, weighted, agreement
        self.agreement_reduction = agreement_reduction
        self.growth = 0.0

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Follow the training: `epoch` counts from 0."""
        self.growth = 1 - math.exp(-_RATE * epoch / epochs)

    def forward(self, logits: Tensor, targets: Tensor, mirrored: Tensor | None = None) -> dict[str, Tensor]:
        """Losses by name, for logits (N, K), target distributions (N, K) and the mirrored images' logits (N, K).

        Where a target is a distribution, the label that the weight asks for is its most probable class.
        """
        entropies = -(targets * F.log_softmax(logits, dim=1)).sum(dim=1)
        weights = self.weights(logits.softmax(dim=1), targets.argmax(dim=1))
        # Of a batch without a labelled frame the mean would not be a number.
        count = max(len(logits), 1)
        losses = {
            "loss_ce": self.cross_entropy * entropies.sum() / count,
            "loss_naw": self.weighted * (weights * entropies).sum() / count,
        }
        if mirrored is not None:
            disagreement = divergence(logits, mirrored).sum()
            if self.agreement_reduction == "mean":
                disagreement = disagreement / count
            losses["loss_agreement"] = self.agreement * disagreement
        return losses

    def weights(self, probabilities: Tensor, labels: Tensor) -> Tensor:
        """The weight (N,) of each sample, from class probabilities (N, K) and label indices (N,); it has gradients."""
        label = probabilities.gather(1, labels.unsqueeze(1)).squeeze(1)
        first, second = probabilities.topk(2, dim=1).values.unbind(dim=1)
        is_right = label >= first
        other = torch.where(is_right, second, first)
        variance, covariance = self.right
        right = self._gaussian(label, other, _CENTRE_RIGHT, variance, covariance * self.growth)
        wrong = self._gaussian(label, other, _CENTRE_WRONG, *self.wrong)
        return torch.where(is_right, right, wrong)

    def _gaussian(
        self, x: Tensor, y: Tensor, centre: tuple[float, float], variance: float, covariance: float
    ) -> Tensor:
        x, y = x - centre[0], y - centre[1]
        determinant = variance**2 - covariance**2
        distance = (variance * (x * x + y * y) - 2 * covariance * x * y) / determinant
        scale = 1 / (2 * math.pi * math.sqrt(determinant)) if self.normalise else 1.0
        return scale * torch.exp(-distance / 2)


def divergence(a: Tensor, b: Tensor) -> Tensor:
    """How far apart two predictions are, (N,), from logits (N, K), as the official code has it.

    A Jensen-Shannon divergence turned round: the mean of two Kullback-Leibler divergences from `softmax((a + b) / 2)`,
    the mean being one of logits.
    """
    a, b = F.log_softmax(a, dim=1), F.log_softmax(b, dim=1)
    middle = F.log_softmax((a + b) / 2, dim=1)
    return (middle.exp() * (middle - (a + b) / 2)).sum(dim=1)
