"""V-NAW's network: an encoder of single frames, a transformer over time, and a classifier of every frame.

B is the batch, T the frames of a clip, D the features of a frame, K the classes.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from mmaction.models import BaseHead, BaseRecognizer, ResNet
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn


@MODELS.register_module()
class ResNetFrameEncoder(ResNet):
    """Frames (N, 3, H, W) to the mean features (N, D) of MMAction2's ResNet.

    The official networks have the stride of a bottleneck in its first convolution: `style="caffe"`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """One feature vector per frame."""
        return super().forward(x).mean(dim=(2, 3))


@MODELS.register_module()
class FrameTransformer(BaseModule):
    """The temporal encoder (equation 7): (B, T, in_channels) to (B, T, dim).

    There is no position embedding: a frame is told apart from its neighbours by what it shows alone.
    """

    def __init__(
        self, in_channels: int = 512, dim: int = 512, depth: int = 4, heads: int = 1, dropout: float = 0.6
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(in_channels, dim, 1)
        layer = nn.TransformerEncoderLayer(dim, heads, dim_feedforward=dim, dropout=dropout)
        self.transformer_encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        """Let the frames of a clip attend to each other."""
        return self.transformer_encoder(self.conv1(x.transpose(1, 2)).permute(2, 0, 1)).transpose(0, 1)


@MODELS.register_module()
class NoiseAwareHead(BaseHead):
    """A linear classifier of every frame, (B, T, in_channels) to (B, T, K), with V-NAW's targets and predictions.

    level: what is compared with a label, and has a weight. `clip`: the mean of the frames' probabilities, with the
        clip's (equations 9-12). `frame`: each frame, with its own label or else the clip's (official code).
    unused: width of a layer that official NLA ResNet-18 files hold and nothing uses, or 0.
    """

    def __init__(
        self, num_classes: int, in_channels: int, level: str = "clip", unused: int = 0, **options: Any
    ) -> None:
        super().__init__(num_classes, in_channels, **options)
        self.level = level
        self.fc_cls = nn.Linear(in_channels, num_classes)
        if unused:
            self.embed = nn.Linear(in_channels, unused).requires_grad_(False)

    def forward(self, x: Tensor, **_: Any) -> Tensor:
        """Logits of every frame."""
        return self.fc_cls(x)

    def loss(self, feats: Tensor, data_samples: list, mirrored: Tensor | None = None, **_: Any) -> dict[str, Tensor]:
        """Losses from features (B, T, in_channels), with `mirrored` those of the mirrored frames.

        A sample's `gt_label` (K,) is the clip's; its `frame_target` (T, K), where there is one, says what each frame
        shows, and rows of zeros, which have no label, are left out.
        """
        logits = [self(feats)] if mirrored is None else [self(feats), self(mirrored)]
        targets = torch.stack([sample.gt_label for sample in data_samples]).to(feats.device)
        if self.level == "clip":
            return self.loss_cls(_of_clip(logits[0]), targets, *map(_of_clip, logits[1:]))
        if "frame_target" in data_samples[0]:
            targets = torch.stack([sample.frame_target for sample in data_samples]).to(feats.device)
            labelled = targets.sum(dim=2) > 0
            return self.loss_cls(logits[0][labelled], targets[labelled], *(other[labelled] for other in logits[1:]))
        every = targets.repeat_interleave(feats.shape[1], dim=0)
        return self.loss_cls(logits[0].flatten(0, 1), every, *(other.flatten(0, 1) for other in logits[1:]))

    def predict(self, feats: Tensor, data_samples: list, **_: Any) -> list:
        """Set `frame_scores` (T, K), probabilities of each frame, and `pred_score` (K,), their mean (equation 9)."""
        for sample, scores in zip(data_samples, self(feats).softmax(dim=2), strict=True):
            sample.set_field(scores, "frame_scores")
            sample.set_pred_score(scores.mean(dim=0))
            sample.set_pred_label(sample.pred_score.argmax(dim=0, keepdim=True))
        return data_samples


def _of_clip(logits: Tensor) -> Tensor:
    """Frame logits (B, T, K) to the logarithms (B, K) of the clip's probabilities."""
    return logits.log_softmax(dim=2).logsumexp(dim=1) - math.log(logits.shape[1])


@MODELS.register_module()
class NoiseAwareRecognizer(BaseRecognizer):
    """Clips (B, T, 3, H, W) to frame logits (B, T, K); without a temporal encoder (`neck`) and with T = 1, NLA."""

    @property
    def summed_losses(self) -> tuple[str, ...]:
        """The official code adds up the disagreement of all samples."""
        return ("loss_agreement",) if self.cls_head.loss_cls.agreement_reduction == "sum" else ()

    def clip_weights(self, data_samples: list) -> Tensor:
        """A clip counts by what is compared with a label: itself, or its labelled frames."""
        if self.cls_head.level == "frame" and "frame_target" in data_samples[0]:
            return torch.stack([(sample.frame_target.sum(dim=1) > 0).sum() for sample in data_samples])
        return torch.ones(len(data_samples), device=data_samples[0].gt_label.device)

    def extract_feat(self, inputs: Tensor, stage: str = "neck", **_: Any) -> tuple[Tensor, dict]:
        """Features (B, T, D) after `backbone` or `neck`, or logits (B, T, K) after `head`."""
        feats = self.backbone(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])
        if self.with_neck and stage != "backbone":
            feats = self.neck(feats)
        return (self.cls_head(feats) if stage == "head" else feats), {}

    def loss(self, inputs: Tensor, data_samples: list, **_: Any) -> dict[str, Tensor]:
        """Losses; where the mirrored clips are needed, both go through the encoder in one batch."""
        if not self.cls_head.loss_cls.agreement:
            return self.cls_head.loss(self.extract_feat(inputs)[0], data_samples)
        feats, mirrored = self.extract_feat(torch.cat([inputs, inputs.flip(-1)]))[0].chunk(2)
        return self.cls_head.loss(feats, data_samples, mirrored)
