"""AEN's losses (Lee et al., CVPRW 2023, equations 2 to 6), and what the official code computes instead.

B is the batch, T the frames, K the emotions, G their groups. Targets are distributions (B, K); the paper's are one-hot,
and everything below is linear in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn


class Scores(NamedTuple):
    """Logits of the global classifier P_G (B, K), and of the local ones P_L for groups (B, G) and emotions (B, K)."""

    overall: Tensor
    groups: Tensor
    emotions: Tensor


def mix_probabilities(local: Tensor, overall: Tensor, alpha: float) -> Tensor:
    """log(alpha * local + (1 - alpha) * overall), equation 3, of and from log-probabilities (B, ...)."""
    shares = torch.tensor([alpha, 1 - alpha]).log().tolist()
    return torch.logaddexp(local + shares[0], overall + shares[1])


def mix_log_probabilities(local: Tensor, overall: Tensor, alpha: float) -> Tensor:
    """The official code's mixture, of log-probabilities (B, ...): a weighted geometric mean, not normalised."""
    return torch.lerp(overall, local, alpha)


FUSIONS = {"probabilities": mix_probabilities, "log-probabilities": mix_log_probabilities}


@MODELS.register_module()
class AENLoss(nn.Module):
    """The paper's loss, L_mc + ta_weight * L_ta + ga_weight * L_ga (equation 6), averaged over the batch.

    grouping: the group of each emotion, K indices from 0. alpha: share of the local classifiers in equation 3.
    ta_norm: the L1 norm of equation 4 divided by the dimension (`mean`), or as it is printed (`sum`), with which the
    paper's learning rate and weight end in numbers that are not finite.
    """

    # Of the levels groups and emotions, in L_mc (equation 2) and in L_ga (the betas of equation 5, in the order of a).
    mc_weights = (1.0, 1.0)
    ga_weights = (1.4, 0.6)

    membership: Tensor

    def __init__(
        self,
        grouping: Sequence[int],
        alpha: float = 0.7,
        ta_weight: float = 0.4,
        ga_weight: float = 0.5,
        ta_norm: Literal["mean", "sum"] = "mean",
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.ta_weight = ta_weight
        self.ga_weight = ga_weight
        self.ta_norm = ta_norm
        membership = F.one_hot(torch.tensor(grouping)).float()
        self.register_buffer("membership", membership, persistent=False)

    def forward(
        self,
        scores: Scores,
        clips: Sequence[Tensor],
        frames: Sequence[Tensor],
        targets: Tensor,
        guide: Tensor | None,
    ) -> dict[str, Tensor]:
        """The weighted terms by name; without a guide, L_mc alone.

        clips: (B, D_i) for each level. frames: (B, T, D_i) for each level. targets: (B, K). guide: logits (B, T, K).
        """
        losses = {"loss_mc": _weighted(self.mc(scores, targets), self.mc_weights)}
        if guide is not None:
            losses["loss_ta"] = self.ta_weight * self.ta(clips, frames, targets, guide)
            losses["loss_ga"] = self.ga_weight * _weighted(self.ga(scores, guide), self.ga_weights)
        return losses

    def mc(self, scores: Scores, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The terms of L_mc (equations 2, 3): cross-entropy of the fused probabilities, at groups and at emotions.

        The global classifier's probability of a group is the sum over its emotions.
        """
        overall = scores.overall.log_softmax(dim=1)
        overall_groups = (overall.unsqueeze(2) + self.membership.log()).logsumexp(dim=1)
        groups = mix_probabilities(scores.groups.log_softmax(dim=1), overall_groups, self.alpha)
        emotions = mix_probabilities(scores.emotions.log_softmax(dim=1), overall, self.alpha)
        return _cross_entropy(groups, targets @ self.membership), _cross_entropy(emotions, targets)

    def ta(self, clips: Sequence[Tensor], frames: Sequence[Tensor], targets: Tensor, guide: Tensor) -> Tensor:
        """L_ta (equation 4): the L1 norm between each level's clip vector and its weighted sum over the frames.

        A frame weighs as much as the guide finds the clip's emotion in it.
        """
        weights = torch.einsum("btk,bk->bt", guide.softmax(dim=2), targets)
        norms = [gap.abs().mean(dim=0) for gap in _gaps(clips, frames, weights)]
        return torch.stack([norm.sum() if self.ta_norm == "sum" else norm.mean() for norm in norms]).sum()

    def ga(self, scores: Scores, guide: Tensor) -> tuple[Tensor, Tensor]:
        """The terms of L_ga (equation 5): squared L2 norm between local probabilities and the guide's, by level.

        The guide's are the softmax over classes of its probabilities summed over the frames.
        """
        emotions = guide.softmax(dim=2).sum(dim=1)
        groups = emotions @ self.membership
        return (
            (scores.groups.sigmoid() - groups.softmax(dim=1)).square().sum(dim=1).mean(),
            (scores.emotions.sigmoid() - emotions.softmax(dim=1)).square().sum(dim=1).mean(),
        )


@MODELS.register_module()
class OfficialAENLoss(AENLoss):
    """The loss of the official training script, which departs from every one of the paper's equations 2 to 5."""

    mc_weights = (0.6, 1.4)

    def mc(self, scores: Scores, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities are mixed instead of probabilities, and averaged over a group instead of summed."""
        overall = scores.overall.log_softmax(dim=1)
        groups = mix_log_probabilities(scores.groups.log_softmax(dim=1), self._group_means(overall), self.alpha)
        emotions = mix_log_probabilities(scores.emotions.log_softmax(dim=1), overall, self.alpha)
        return _cross_entropy(groups, targets @ self.membership), _cross_entropy(emotions, targets)

    def ta(self, clips: Sequence[Tensor], frames: Sequence[Tensor], targets: Tensor, guide: Tensor) -> Tensor:
        """Frames weigh their logit, which may be negative; three times the norm, divided twice by the dimension."""
        weights = torch.einsum("btk,bk->bt", guide, targets)
        return 3 * torch.stack([gap.abs().mean() / gap.shape[1] for gap in _gaps(clips, frames, weights)]).sum()

    def ga(self, scores: Scores, guide: Tensor) -> tuple[Tensor, Tensor]:
        """Mean absolute differences, to the softmax of summed logits; a group's is the mean over its emotions."""
        emotions = guide.sum(dim=1).softmax(dim=1)
        return (
            F.l1_loss(scores.groups.sigmoid(), self._group_means(emotions)),
            F.l1_loss(scores.emotions.sigmoid(), emotions),
        )

    def _group_means(self, values: Tensor) -> Tensor:
        return values @ (self.membership / self.membership.sum(dim=0))


def _gaps(clips: Sequence[Tensor], frames: Sequence[Tensor], weights: Tensor) -> list[Tensor]:
    """V_i minus the sum over frames of weights (B, T) times I_i, for each level: (B, D_i)."""
    return [clip - torch.einsum("bt,btd->bd", weights, level) for clip, level in zip(clips, frames, strict=True)]


def _cross_entropy(log_probabilities: Tensor, targets: Tensor) -> Tensor:
    return -(targets * log_probabilities).sum(dim=1).mean()


def _weighted(terms: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    return torch.stack([weight * term for weight, term in zip(weights, terms, strict=True)]).sum()
