"""What a unit adds to MMEngine's training loop: reproducible epochs, checkpoints that survive a kill, progress."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.runner import Runner

from benchmark.errors import UnitFailed
from benchmark.files import replacing, write_text
from benchmark.scoring.metrics import confusion_matrix
from benchmark.specs import MetricSpec, load_object
from benchmark.training.randomness import derive_seed, seed_everything

LAST, BEST = "last.pth", "best.pth"
# One line of metrics.jsonl: epoch, loss, val scores, seconds.
EpochRow = dict[str, Any]


class ValidationScores(BaseMetric):
    """The protocol's metrics on val, over the protocol's class list.

    MMAction2's own mean-class accuracy takes the union of predicted and true labels, and keeps no clip ids.
    """

    # Empty, so that scores keep the protocol's names (None would warn on the terminal).
    default_prefix = ""

    def __init__(self, num_classes: int, metrics: Sequence[MetricSpec]) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.metrics = metrics

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep (true class, predicted class) of every clip."""
        for sample in data_samples:
            self.results.append((int(sample["gt_label"]), int(sample["pred_score"].argmax())))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Scores by metric name."""
        true, predicted = np.array(results).T
        confusion = confusion_matrix(true, predicted, self.num_classes)
        return {metric.name: float(load_object(metric.compute)(confusion)) for metric in self.metrics}


class SeedEpochs(Hook):
    """Start every epoch's random stream from (seed, epoch): MMEngine does not restore it on resume."""

    def __init__(self, seed: str) -> None:
        self.seed = seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what the model and the batch mixers draw from."""
        seed_everything(derive_seed(self.seed, "epoch", runner.epoch))


class KeepCheckpoints(Hook):
    """After every epoch: `last.pth`, and `best.pth` when the selection metric improved (the earliest of equals wins).

    MMEngine's CheckpointHook deletes the old best before it writes the new one. Here `last.pth` is replaced in one
    rename and carries the history of epochs; `best.pth` is then linked to it in another, and metrics.jsonl written. A
    kill in between is mended on resume, because the history says all that is needed.
    """

    priority = "VERY_LOW"

    def __init__(
        self, folder: Path, metrics_file: Path, select: str | None, report: Callable[[EpochRow], None]
    ) -> None:
        self.folder = folder
        self.metrics_file = metrics_file
        self.select = select
        self.report = report
        self.history: list[EpochRow] = []
        self._losses: list[torch.Tensor] = []
        self._started = 0.0

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take up the history where the checkpoint left it."""
        self.history = list(checkpoint["meta"].get("history", []))
        if self.history and best_epoch(self.history, self.select) == self.history[-1]["epoch"]:
            self._link_best()
        write_text(self.metrics_file, metrics_lines(self.history))

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the epoch's clock."""
        self._losses = []
        self._started = time.monotonic()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Keep the loss on the device; reading it here would stall the accelerator."""
        self._losses.append(outputs["loss"].detach())

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the epoch's checkpoint and row."""
        loss = float(torch.stack(self._losses).mean())
        if not math.isfinite(loss):
            raise UnitFailed(f"the training loss became {loss} in epoch {runner.epoch}; a lower learning rate may help")
        row = {
            "epoch": runner.epoch,
            "loss": loss,
            "val": dict(metrics or {}),
            "seconds": round(time.monotonic() - self._started, 3),
        }
        self.history.append(row)
        self._save(runner)
        if best_epoch(self.history, self.select) == runner.epoch:
            self._link_best()
        write_text(self.metrics_file, metrics_lines(self.history))
        self.report(row)

    def _save(self, runner: Runner) -> None:
        meta = {"epoch": runner.epoch, "iter": runner.iter, "history": self.history}
        with replacing(self.folder / LAST) as temporary:
            runner.save_checkpoint(str(temporary.parent), temporary.name, meta=meta)

    def _link_best(self) -> None:
        temporary = self.folder / f".{BEST}.tmp"
        temporary.unlink(missing_ok=True)
        try:
            os.link(self.folder / LAST, temporary)
        except OSError:
            shutil.copyfile(self.folder / LAST, temporary)
        os.replace(temporary, self.folder / BEST)


class ReportSteps(Hook):
    """Calls back after every iteration, so that progress can be shown."""

    def __init__(self, step: Callable[[int, int, int], None]) -> None:
        self.step = step

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Report (epoch, iteration, iterations per epoch), counted from 1."""
        self.step(runner.epoch + 1, batch_idx + 1, len(runner.train_dataloader))


def best_epoch(history: Sequence[EpochRow], select: str | None) -> int:
    """The selected epoch: the earliest with the highest `select` on val, or the last where `select` is None."""
    if select is None:
        return history[-1]["epoch"]
    return max(history, key=lambda row: (row["val"][select], -row["epoch"]))["epoch"]


def metrics_lines(history: Sequence[EpochRow]) -> str:
    """The text of metrics.jsonl."""
    return "".join(json.dumps(row) + "\n" for row in history)
