"""Models that each do one thing wrong, as small as they can be. Clips come as (B, 3, T, H, W)."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmaction.models import I3DHead
from mmaction.registry import MODELS
from torch import Tensor, nn

WIDTH = 6


class Good(nn.Module):
    """What the others depart from: the clip's mean colours, through one hidden layer."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(3, WIDTH)
        self.classifier = nn.Linear(WIDTH, num_classes)

    def features(self, clips: Tensor) -> Tensor:
        return self.hidden(clips.mean(dim=(2, 3, 4))).relu()

    def forward(self, clips: Tensor) -> Tensor:
        return self.classifier(self.features(clips))


class FiveLogits(Good):
    def forward(self, clips):
        return super().forward(clips)[:, :5]


class FixedClasses(Good):
    def __init__(self, num_classes):
        super().__init__(7)


class PerFrame(Good):
    def forward(self, clips):
        return super().forward(clips)[:, None].expand(-1, clips.shape[2], -1)


class GivesTuple(Good):
    def forward(self, clips):
        return super().forward(clips), clips


class FramesFirst(Good):
    def forward(self, clips):
        return self.classifier(self.hidden(clips.mean(dim=(1, 3, 4))).relu())


def no_module(num_classes):
    return 7


class LearnsNothing(Good):
    def forward(self, clips):
        return super().forward(clips) * 1e-9


class NotANumber(Good):
    def forward(self, clips):
        return super().forward(clips) / (0.0 if self.training else 1.0) * 0.0


class Unused(Good):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.forgotten = nn.Linear(3, 3)


class ThawsItself(Good):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.scale = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, clips):
        if self.training:
            self.scale.data += 0.1
        return super().forward(clips) * self.scale.clone()


class DropsInEvaluation(Good):
    def forward(self, clips):
        return self.classifier(F.dropout(self.features(clips), 0.5))


class CountsCalls(Good):
    calls = 0

    def forward(self, clips):
        self.calls += 1
        return super().forward(clips) / self.calls


class BatchStatistics(Good):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.norm = nn.BatchNorm1d(WIDTH, track_running_stats=False)

    def features(self, clips):
        return self.norm(super().features(clips))

    def forward(self, clips):
        return super().forward(clips if len(clips) > 1 else clips.expand(2, -1, -1, -1, -1))[: len(clips)]


class LooksAtNeighbours(Good):
    def features(self, clips):
        found = super().features(clips)
        return found + 0.1 * found.roll(1, dims=0)


class KeepsStateAside(Good):
    """A running mean that is no buffer."""

    running: float | Tensor = 0.0

    def features(self, clips):
        found = super().features(clips)
        if self.training:
            self.running = self.running + 10 * found.detach().mean(dim=0)
        return found + self.running


class OwnInitialisation(Good):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.hidden.weight.data = torch.tensor(np.random.default_rng().normal(size=(WIDTH, 3)), dtype=torch.float32)


class SeedsItself(Good):
    def __init__(self, num_classes):
        torch.manual_seed(7)
        super().__init__(num_classes)


class Downloads(Good):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        with contextlib.suppress(OSError):
            socket.create_connection(("weights.example.org", 443), timeout=1)


class NeedsExtra(Good):
    def __init__(self, num_classes):
        from benchmark.errors import EnvironmentProblem

        raise EnvironmentProblem("its tokenizer is not there: pip install my-plugin[text]")


class ReadsLists(Good):
    """It catches the refusal."""

    def forward(self, clips):
        for place in Path(tempfile.gettempdir()).glob("check-plugin-*/data/clips.csv"):
            with contextlib.suppress(Exception):
                place.read_text()
        return super().forward(clips)


class ReadsListsByAProgram(Good):
    """Which no guard inside the process sees."""

    def forward(self, clips):
        lists = list(Path(tempfile.gettempdir()).glob("check-plugin-*/poisoned-data/clips.csv"))
        text = subprocess.run(["cat", *lists], capture_output=True, check=False).stdout if lists else b""
        return super().forward(clips) * (1 + len(text) % 97)


class OwnNoise(Good):
    generator = np.random.default_rng()

    def features(self, clips):
        found = super().features(clips)
        return found + float(self.generator.normal()) if self.training else found


class FailsLater(Good):
    calls = 0

    def forward(self, clips):
        self.calls += 1
        if self.calls > 4:
            raise ValueError("the cache of features is full")
        return super().forward(clips)


class NamelessClassifier(Good):
    """Nothing says which of its layers depends on the classes."""


@MODELS.register_module()
class BadPluginBackbone(nn.Module):
    """Features (B, 6, 1, 1, 1) for the heads below."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv3d(3, WIDTH, 1)

    def forward(self, clips):
        return self.layer(clips.mean(dim=(2, 3, 4), keepdim=True)).relu()


@MODELS.register_module()
class BadPluginHardHead(I3DHead):
    """It learns from the most likely class of a target alone."""

    def loss_by_feat(self, cls_scores, data_samples):
        labels = torch.stack([sample.gt_label for sample in data_samples]).argmax(dim=1)
        return {"loss_cls": F.cross_entropy(cls_scores, labels)}
