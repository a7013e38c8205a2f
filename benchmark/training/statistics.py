"""Batch norms that see other clips than those that go through the model together in one process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

from benchmark.training.distributed import from_the_first
from benchmark.training.shares import Cut, bare

FEWER_CLIPS = (
    "warning: {}: batch norms see {} clips at a time, where the recipe has {}; more fit together with --checkpointing, "
    "on more --gpus, or in a larger --micro-batch"
)


class PartStatistics(Hook):
    """In training, take every batch norm's mean and deviation over `clips` clips at a time, instead of over the batch.

    The running statistics follow one part after the other, and after an epoch are those of the first process. A batch
    of no more clips is taken as a whole, and so is a part of it that is computed by itself. cut: into which such parts.
    """

    def __init__(self, clips: int, cut: Cut | None = None) -> None:
        self.clips = clips
        self.cut = cut
        self.parts = 1

    def before_train(self, runner: Runner) -> None:
        """Let the norms divide what they are given."""
        for norm in norms(runner.model):
            self._divide(norm)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Count the clips that go through the model together."""
        together = self.cut.fewest if self.cut else len(data_batch["inputs"])
        self.parts = max(together // self.clips, 1)

    def after_train_epoch(self, runner: Runner) -> None:
        """Other processes have seen other clips."""
        from_the_first(bare(runner.model))

    def _divide(self, norm: nn.Module) -> None:
        whole = norm.forward

        def forward(x: Tensor) -> Tensor:
            # Rows are clips, or the frames of one clip after the other.
            return torch.cat([whole(part) for part in x.chunk(self.parts)]) if norm.training else whole(x)

        norm.forward = forward


class JointStatistics(Hook):
    """In training, take every batch norm's mean and deviation over what goes through the model in all processes.

    torch's own SyncBatchNorm computes on accelerators only.
    """

    def before_train(self, runner: Runner) -> None:
        """Let the norms ask each other."""
        for norm in norms(runner.model):
            self._join(norm)

    def _join(self, norm: nn.Module) -> None:
        alone = norm.forward
        norm.forward = lambda x: joint_norm(x, norm) if norm.training else alone(x)


def joint_norm(x: Tensor, norm: Any) -> Tensor:
    """What `norm`, a batch norm in training, makes of `x` (N, C, ...) and of what other processes have of it."""
    values = x.float()
    axes = [axis for axis in range(x.dim()) if axis != 1]
    shape = [-1 if axis == 1 else 1 for axis in range(x.dim())]
    own = values.new_full((1,), x.numel() / x.shape[1])
    total, count = all_reduce(torch.cat([values.sum(axes), own])).split([x.shape[1], 1])
    mean = total / count
    gaps = values - mean.view(shape)
    variance = all_reduce(gaps.square().sum(axes)) / count
    if norm.track_running_stats:
        with torch.no_grad():
            norm.num_batches_tracked += 1
            norm.running_mean.lerp_(mean, norm.momentum)
            norm.running_var.lerp_(variance * count / (count - 1), norm.momentum)
    normal = gaps * (variance.view(shape) + norm.eps).rsqrt()
    if norm.affine:
        normal = normal * norm.weight.view(shape) + norm.bias.view(shape)
    return normal.to(x.dtype)


def norms(model: nn.Module) -> Iterator[_BatchNorm]:
    """The model's batch norms."""
    return (module for module in model.modules() if isinstance(module, _BatchNorm))


def statistics_hook(clips: int | None, cut: Cut) -> list[Hook]:
    """What a training needs whose recipe takes batch statistics over `clips`, or over the batch where that is None."""
    if clips:
        return [PartStatistics(clips, cut)]
    return [JointStatistics()] if cut.processes > 1 else []


def fewer_clips(model: nn.Module, clips: int | None, cut: Cut) -> int | None:
    """The number of clips over which batch statistics are taken, if the recipe wants them over more; else None.

    clips: see `statistics_hook`.
    """
    wanted = min(clips or cut.batch, cut.batch)
    found = cut.fewest * (1 if clips else cut.processes)
    bare(model).train()
    return found if found < wanted and any(norm.training for norm in norms(model)) else None
