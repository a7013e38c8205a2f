"""MIDAS's mixing of a batch (Kawamura et al., section III-A, equations 1 to 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import torch
from mmaction.models import BaseMiniBatchBlending
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor
from torch.distributions import Beta
from torch.nn.functional import one_hot


@MODELS.register_module()
class MidasBlending(BaseMiniBatchBlending):
    """Mix each clip and its target with another clip of the batch, by the same lambda in every frame.

    All randomness comes from torch's global generator on the CPU.
    """

    def __init__(
        self, num_classes: int, alpha: float = 0.8, normalise: str = "softmax", per_pair: bool = False
    ) -> None:
        super().__init__(num_classes)
        # In double precision, because Beta(0.1, 0.1) is so close to 0 and 1 that single precision rounds it to them.
        self.beta = Beta(*torch.tensor([alpha, alpha], dtype=torch.float64))
        self.normalise = normalise
        self.per_pair = per_pair

    def __call__(
        self, imgs: Tensor, batch_data_samples: Sequence[ActionDataSample], **_
    ) -> tuple[Tensor, Sequence[ActionDataSample]]:
        """Mix the clips (B, ...) and replace every `gt_label`, a class index or a distribution, by a mixed target.

        Clips are told apart by `clip_id` in the samples' metainfo; samples without one count as different clips.
        """
        ids = [sample.metainfo.get("clip_id", index) for index, sample in enumerate(batch_data_samples)]
        labels = torch.stack([sample.gt_label for sample in batch_data_samples]).to(imgs.device)
        imgs, targets = self.do_blending(imgs, labels, ids=ids)
        for sample, target in zip(batch_data_samples, targets, strict=True):
            sample.set_gt_label(target)
        return imgs, batch_data_samples

    def do_blending(
        self, imgs: Tensor, label: Tensor, ids: Sequence[Hashable] | None = None, **_
    ) -> tuple[Tensor, Tensor]:
        """Mixed clips, in the shape of `imgs` (B, ...), and targets (B, K), for labels (B, 1) or (B, K)."""
        if not label.is_floating_point():
            label = one_hot(label.flatten(), self.num_classes) if label.shape[-1] == 1 else label
            label = label.float()
        batch = len(imgs)
        partner = draw_partners(range(batch) if ids is None else ids).to(imgs.device, non_blocking=True)
        lam = self.beta.sample((batch if self.per_pair else 1,)).to(imgs, non_blocking=True)

        # lerp_ computes other + lambda * (clip - other) in the one copy that the partners need anyway.
        mixed = imgs[partner].lerp_(imgs, lam.view(-1, *[1] * (imgs.dim() - 1)))
        target = label[partner].lerp_(label, lam.to(label).view(-1, 1))
        return mixed, target.softmax(dim=1) if self.normalise == "softmax" else target


def draw_partners(ids: Sequence[Hashable]) -> Tensor:
    """For each clip of a batch the index of the clip to mix it with: (B,), at random.

    The partner always has another id. Whenever that can be had, the partners are a permutation, so that every clip is
    used twice. A clip that has no possible partner gets itself, which leaves it as it is.
    """
    # Ids as small integers, so that a whole draw is compared at once.
    codes: dict[Hashable, int] = {}
    group = torch.tensor([codes.setdefault(clip, len(codes)) for clip in ids])
    if len(codes) < 2:
        return torch.arange(len(ids))
    # About one draw in e is free of fixed points, so this nearly always succeeds, and uniformly.
    for _ in range(50):
        partner = torch.randperm(len(ids))
        if not (group[partner] == group).any():
            return partner
    return _partners_among_repeats(group)


def _partners_among_repeats(group: Tensor) -> Tensor:
    """Partners for a batch in which one clip turns up so often that random draws fail."""
    # With equal clips side by side, a shift by the largest run pairs nobody with its like, if a permutation can.
    shuffled = torch.randperm(len(group))
    order = shuffled[group[shuffled].argsort(stable=True)]
    largest = max(Counter(group.tolist()).values())
    partner = torch.empty_like(order)
    partner[order] = order.roll(-largest)
    for clip in (group[partner] == group).nonzero().flatten().tolist():
        others = (group != group[clip]).nonzero().flatten()
        partner[clip] = others[int(torch.randint(len(others), ()))]
    return partner
