"""S2D's emotion-anchors self-distillation loss (SDL): soft targets from remembered clips that look alike."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# From which hundredth of the training on the loss has which weight.
WEIGHTS = ((80, 1.0), (60, 0.5), (50, 0.1), (30, 0.01), (0, 0.0))
FIRST_UPDATE = 21


class EmotionAnchors(nn.Module):
    """The last `size` clips of every class: their features (K, size, dim) and class probabilities (K, size, K).

    A clip's target is the mean of the anchors' probabilities, weighted by cosine similarity, over the `neighbours` most
    similar anchors of each class. Anchors start as uniform random numbers.

    update_every: anchors are renewed in every epoch whose number, from 0, is a multiple of this. The official script
    passes 100 with 100 epochs, so that they stay random for ever.
    """

    features: Tensor
    probabilities: Tensor

    def __init__(self, classes: int, dim: int, size: int = 16, neighbours: int = 2, update_every: int = 1) -> None:
        super().__init__()
        self.size, self.neighbours, self.update_every = size, neighbours, update_every
        # In the state dict, so that a resumed training goes on with the same anchors.
        self.register_buffer("features", torch.rand(classes, size, dim))
        self.register_buffer("probabilities", torch.rand(classes, size, classes))
        # Of the batch that is being learned from; its clips become anchors when it is over.
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []
        self.set_epoch(0, 100)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Say which epoch this is, from 0; the official thresholds are hundredths of the training."""
        self.epoch = epoch
        self.progress = 100 * epoch // epochs

    @property
    def weight(self) -> float:
        """The factor of the loss in this epoch."""
        return next(weight for start, weight in WEIGHTS if self.progress >= start)

    @torch.no_grad()
    def targets(self, features: Tensor) -> Tensor:
        """Features (B, dim) to targets (B, K); a row is a mean of probabilities and need not add up to 1."""
        similarity = torch.einsum("bd,ksd->bks", F.normalize(features, dim=-1), F.normalize(self.features, dim=-1))
        nearest, index = similarity.topk(self.neighbours, dim=-1)
        classes = torch.arange(len(self.features), device=index.device)[:, None]
        weighted = nearest.unsqueeze(-1) * self.probabilities[classes, index]
        return weighted.sum(dim=(1, 2)) / nearest.sum(dim=(1, 2)).unsqueeze(-1)

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """The weighted loss: binary cross-entropy of each logit, averaged over clips and classes."""
        return self.weight * F.binary_cross_entropy_with_logits(logits, self.targets(features))

    def remember(self, features: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Keep what may become anchors; see `update`."""
        self.seen.append((features.detach(), logits.detach(), labels))

    def end_batch(self, gather: Callable[[Tensor], Tensor]) -> None:
        """Update with all clips of the batch."""
        if self.seen:
            self.update(*(gather(torch.cat(rows)) for rows in zip(*self.seen, strict=True)))
            self.seen.clear()

    @torch.no_grad()
    def update(self, features: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Let the clips of a batch, with class indices `labels` (B,), replace the oldest anchors of their classes."""
        if self.progress < FIRST_UPDATE or self.epoch % self.update_every:
            return
        classes = torch.arange(len(self.features), device=labels.device)[:, None]
        # For each class its anchors and then the batch: the last that are of the class, found without asking how many.
        own = torch.cat([torch.ones_like(self.features[..., 0], dtype=torch.bool), labels == classes], dim=1)
        newest = own.byte().argsort(dim=1, stable=True)[:, -self.size :]
        for anchors, clips in ((self.features, features), (self.probabilities, logits.softmax(dim=-1))):
            candidates = torch.cat([anchors, clips.expand(len(anchors), -1, -1)], dim=1)
            anchors.copy_(candidates[classes, newest])
