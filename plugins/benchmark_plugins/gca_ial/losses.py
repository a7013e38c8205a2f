"""GCA + IAL's training loss (Li et al., AAAI 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def intensity_aware_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy between the target class and the strongest of the others alone, averaged over the batch.

    logits: (B, K). target: class indices (B,). Of an expression of low intensity it is the most confusing class that
    has to be pushed away; the softmax over these two ignores the rest. The first of equally strong classes counts.
    """
    own = logits.gather(1, target[:, None])
    others = logits.scatter(1, target[:, None], -torch.inf)
    rival = logits.gather(1, others.argmax(dim=1, keepdim=True))
    return F.softplus(rival - own).mean()


def weighted_losses(
    logits: Tensor, auxiliary: Sequence[Tensor], target: Tensor, ial_weight: float, aux_weights: Sequence[float]
) -> dict[str, Tensor]:
    """The terms of the loss, each with its weight applied.

    logits: (B, K). auxiliary: logits (B, K) of each auxiliary classifier, with one of `aux_weights` each. target: class
    distributions (B, K); the cross-entropies take them as they are, the intensity-aware loss their largest entry.
    """
    aux = [w * F.cross_entropy(a, target) for a, w in zip(auxiliary, aux_weights, strict=True) if w]
    return {
        "loss_cls": F.cross_entropy(logits, target),
        "loss_ial": ial_weight * intensity_aware_loss(logits, target.argmax(dim=1)),
        "loss_aux": torch.stack(aux).sum() if aux else logits.new_zeros(()),
    }
