"""AEN's classifiers and its recognizer, which holds the guide beside the video network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.models import BaseHead, Recognizer2D
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.logging import MMLogger
from torch import Tensor, nn

from benchmark.errors import UsageError
from benchmark_plugins.aen.losses import FUSIONS, Scores
from benchmark_plugins.aen.network import AENFrames, Features


@MODELS.register_module()
class AENHead(BaseHead):
    """The three classifiers, and the probabilities fused from them (equation 3, at the level of emotions).

    num_classes: K. in_channels: D. global_channels: C. grouping: the group of each emotion, K indices from 0.
    alpha: share of the local classifiers. fusion: `probabilities` (the paper) or `log-probabilities` (official code).
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        global_channels: int,
        grouping: Sequence[int],
        alpha: float = 0.7,
        fusion: str = "probabilities",
        loss_cls: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        _check(grouping, num_classes)
        loss = {"type": "AENLoss", **(loss_cls or {}), "grouping": list(grouping), "alpha": alpha}
        super().__init__(num_classes, in_channels, loss_cls=loss, **options)
        self.alpha = alpha
        self.fuse = FUSIONS[fusion]
        self.fc0 = nn.Linear(global_channels, num_classes)
        self.fc1 = nn.Linear(in_channels, max(grouping) + 1)
        self.fc3 = nn.Linear(in_channels, num_classes)
        # Reads single frames; no loss of the video network reaches it.
        self.fc2D = nn.Linear(in_channels, num_classes).requires_grad_(False)

    def scores(self, features: Features) -> Scores:
        """Logits of the global classifier, and of the local ones for groups and for emotions."""
        overall, groups, emotions = features.affective
        return Scores(self.fc0(overall), self.fc1(groups), self.fc3(emotions))

    def forward(self, features: Features, **_: Any) -> Tensor:
        """Log of the fused probabilities (B, K)."""
        scores = self.scores(features)
        return self.fuse(scores.emotions.log_softmax(dim=1), scores.overall.log_softmax(dim=1), self.alpha)

    def loss(
        self, features: Features, data_samples: Sequence[ActionDataSample], guide: Tensor | None = None, **_: Any
    ) -> dict[str, Tensor]:
        """The terms of the loss; guide: frame logits (B, T, K), or None to leave out the two terms that need them."""
        labels = torch.stack([sample.gt_label for sample in data_samples]).to(features.affective[0].device)
        targets = labels if labels.is_floating_point() else F.one_hot(labels.flatten(), self.num_classes).float()
        return self.loss_cls(self.scores(features), features.clips, features.frames, targets, guide)


def _check(grouping: Sequence[int], num_classes: int) -> None:
    if len(grouping) != num_classes or set(grouping) != set(range(len(set(grouping)))):
        raise UsageError(
            f"aen: each of the {num_classes} classes needs the index of its emotion group, counted from 0, in the "
            f"protocol's class order; there is {list(grouping)}. Give them with --set model.cls_head.grouping=[...]"
        )


@MODELS.register_module()
class AENGuide(AENFrames):
    """The frame-level network with its classifier: frames (N, 3, size, size) to logits (N, K). It never trains.

    Its classifier is zero, every emotion as likely as any other, until it is loaded from a file.
    """

    def __init__(self, num_classes: int, in_channels: int, **options: Any) -> None:
        super().__init__(**options)
        self.fc2D = nn.Linear(in_channels, num_classes)
        nn.init.zeros_(self.fc2D.weight)
        nn.init.zeros_(self.fc2D.bias)
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.fc2D(super().forward(x))

    def train(self, mode: bool = True) -> AENGuide:
        """Stays in evaluation mode, whatever the network around it does."""
        return super().train(False)

    def has_learned(self) -> bool:
        """Whether its classifier was loaded, for as many classes as there are here."""
        return bool(self.fc2D.weight.any())


@MODELS.register_module()
class AEN(Recognizer2D):
    """The video network, and the frozen guide that tells the loss what each frame shows (section 3.3).

    A guide that has not learned has nothing to tell: training then goes by L_mc alone, and the log says so.
    """

    def __init__(self, guide: dict[str, Any], **parts: Any) -> None:
        super().__init__(**parts)
        self.guide: AENGuide = MODELS.build(guide)
        self._guided: bool | None = None

    def train(self, mode: bool = True) -> AEN:
        """Weights may have been loaded since the guide was last looked at."""
        self._guided = None
        return super().train(mode)

    def loss(self, inputs: Tensor, data_samples: Sequence[ActionDataSample], **_: Any) -> dict[str, Tensor]:
        """Loss terms by name, for frames (B, T, 3, H, W)."""
        features, _ = self.extract_feat(inputs)
        guide = self.guide(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2]) if self._has_guide() else None
        return self.cls_head.loss(features, data_samples, guide=guide)

    def frame_logits(self, inputs: Tensor) -> Tensor:
        """The video network's own logits for each frame, (B, T, K), of a classifier that only pre-training trains."""
        return self.cls_head.fc2D(self.backbone.s_former.third(inputs.flatten(0, 1))).unflatten(0, inputs.shape[:2])

    def _has_guide(self) -> bool:
        # Asked once per epoch: on an accelerator, reading a tensor waits for everything before it.
        if self._guided is None:
            self._guided = self.guide.has_learned()
            if not self._guided:
                MMLogger.get_current_instance().warning(
                    "aen: the guide's classifier was not loaded from a file, so the losses L_ta and L_ga are left out; "
                    "pre-train it with `benchmark pretrain --method aen`, then give --init FILE"
                )
        return self._guided
