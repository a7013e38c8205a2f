"""What a unit adds to MMEngine's training loop: reproducible epochs, checkpoints that survive a kill, progress."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.runner import Runner

from benchmark.datasets.scored import frame_id
from benchmark.errors import IntegrityError, UnitFailed
from benchmark.files import check_guards, replacing, write_text
from benchmark.protocol import Protocol
from benchmark.scoring.computing import compute_of
from benchmark.scoring.frames import to_frames
from benchmark.scoring.metrics import confusion_matrix
from benchmark.scoring.predictions import Predictions
from benchmark.scoring.scores import answered, choose_thresholds
from benchmark.specs import MetricSpec
from benchmark.training.distributed import add_up, gather_objects, rank
from benchmark.training.randomness import seed_everything
from benchmark.training.seeds import derive_seed
from benchmark.training.weights import ORIGIN, Origin
from benchmark.video.sampling import nearest

LAST, BEST = "last.pth", "best.pth"
# One line of metrics.jsonl: epoch, loss, val scores, seconds.
EpochRow = dict[str, Any]


def untold(*_: Any) -> None:
    """Tell nobody."""


class WatchedScores(BaseMetric):
    """The protocol's metrics on the split that is scored after every epoch, over all of the protocol's answers.

    MMAction2's own mean-class accuracy takes the union of predicted and true labels, and keeps no clip ids.

    rows: the split's rows, with the index of the answer of every clip or labelled frame.
    """

    # Empty, so that scores keep the protocol's names (None would warn on the terminal).
    default_prefix = ""

    def __init__(self, rows: Sequence[Mapping[str, Any]], protocol: Protocol, metrics: Sequence[MetricSpec]) -> None:
        super().__init__()
        self.truth, self.frames = truth_of(rows), frames_of(rows)
        self.protocol = protocol
        self.metrics = metrics

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep (id, class probabilities) of every clip or window."""
        self.results += [scored(sample, self.frames) for sample in data_samples]

    def evaluate(self, size: int) -> dict[str, float]:
        """Scores by metric name, over the `size` samples of all processes, which took turns."""
        results = in_turn(gather_objects(self.results), size)
        self.results.clear()
        return self.compute_metrics(results)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Scores by metric name."""
        predictions = predictions_of(results, self.frames)
        names = self.protocol.answer_names
        true = {name: names[self.truth[name]] for name in predictions.ids}
        thresholds = choose_thresholds(predictions, true, self.protocol)
        given = answered(predictions, self.protocol, thresholds).predicted
        confusion = confusion_matrix([self.truth[name] for name in predictions.ids], given, len(names))
        return {metric.name: float(compute_of(metric)(confusion)) for metric in self.metrics}


def truth_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Class index by the id of each clip or labelled frame."""
    truth: dict[str, int] = {}
    for row in rows:
        if "frames" in row:
            video = row["clip_id"].rpartition("/")[0]
            truth |= {frame_id(video, n): k for n, k in zip(row["frames"], row["frame_labels"], strict=True)}
        else:
            truth[row["clip_id"]] = row["label"]
    return truth


def frames_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """The labelled frame numbers of each window; empty where rows are whole clips."""
    return {row["clip_id"]: row["frames"] for row in rows if "frames" in row}


def scored(sample: Mapping[str, Any], frames: Mapping[str, Sequence[int]]) -> tuple[str, np.ndarray]:
    """(id, class probabilities) of a predicted sample: (K,), or (N, K) for the N labelled frames of a window.

    Those of a window come frame by frame from a method that gives `frame_scores` (T, K); a labelled frame that it did
    not see has the scores of the nearest one that it saw. frames: see `frames_of`.
    """
    name = sample["clip_id"]
    if name not in frames or "frame_scores" not in sample:
        return name, sample["pred_score"].float().cpu().numpy()
    order = np.argsort(sample["frame_numbers"], kind="stable")
    seen = nearest(sample["frame_numbers"][order], np.asarray(frames[name]))
    return name, sample["frame_scores"].float().cpu().numpy()[order[seen]]


def predictions_of(scores: Sequence[tuple[str, np.ndarray]], frames: Mapping[str, Sequence[int]]) -> Predictions:
    """The predictions of clips, or of the labelled frames of all windows. frames: see `frames_of`."""
    if frames:
        return to_frames(dict(scores), frames)
    ids, probabilities = zip(*scores, strict=True)
    return Predictions(ids, np.stack(probabilities))


def in_turn(found: Sequence[Sequence[Any]], size: int) -> list[Any]:
    """What processes found that took turns at `size` samples, in their order; the last ones may be there twice."""
    return [each for turn in zip(*found, strict=True) for each in turn][:size]


class SeedEpochs(Hook):
    """Start every epoch's random stream from (seed, epoch): MMEngine does not restore it on resume.

    Only once the first batch has been read, because a loader that starts its workers draws from the stream as well, and
    one whose workers live on does so in its first epoch alone.
    """

    def __init__(self, seed: str) -> None:
        self.seed = seed

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed what the model and the batch mixers draw from."""
        if batch_idx == 0:
            seed_everything(derive_seed(self.seed, "epoch", runner.epoch))


class TellEpoch(Hook):
    """Before each epoch, tell every part of the model that has `set_epoch(epoch, epochs)`, for losses that follow it.

    `epoch` counts from 0, `epochs` is how many there will be.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell them."""
        for module in runner.model.modules():
            if hasattr(module, "set_epoch"):
                module.set_epoch(runner.epoch, runner.max_epochs)


class KeepCheckpoints(Hook):
    """After every epoch: `last.pth`, and `best.pth` when the selection metric improved (the earliest of equals wins).

    MMEngine's CheckpointHook deletes the old best before it writes the new one. Here `last.pth` is replaced in one
    rename and carries the history of epochs; `best.pth` is then linked to it in another, and metrics.jsonl written. A
    kill in between is mended on resume, because the history says all that is needed. Of processes that train together
    only the first one writes.

    origin: what every checkpoint says of itself to those who read it as a weight file.
    """

    priority = "VERY_LOW"

    def __init__(
        self,
        folder: Path,
        metrics_file: Path,
        watched: bool,
        select: str | None,
        report: Callable[[EpochRow], None],
        origin: Origin | None = None,
    ) -> None:
        self.folder = folder
        self.metrics_file = metrics_file
        self.watched = watched
        self.select = select
        self.report = report
        self.about = {ORIGIN: origin.metadata()} if origin else {}
        self.history: list[EpochRow] = []
        self._reduced = False
        self._losses: list[torch.Tensor] = []
        self._started = 0.0

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Leave out MMEngine's logs, which nothing reads, and what only its own reader would need.

        What is left is tensors in plain containers, so that no class must be allowed to read it.
        """
        del checkpoint["message_hub"]

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take up the history where the checkpoint left it."""
        self.history = list(checkpoint["meta"].get("history", []))
        self._reduced = "optimizer" not in checkpoint
        if rank():
            return
        if self.history and best_epoch(self.history, self.select) == self.history[-1]["epoch"]:
            link_best(self.folder)
        write_text(self.metrics_file, metrics_lines(self.history))

    def before_train(self, runner: Runner) -> None:
        """Refuse to go on from weights alone: the optimiser would begin anew, and nobody would know."""
        if self._reduced and runner.epoch < runner.max_epochs:
            raise IntegrityError(
                f"{self.folder / LAST}: holds the weights of a finished training, and nothing to go on with; delete "
                f"{self.folder.parent} to start over"
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the epoch's clock."""
        self._losses = []
        self._started = time.monotonic()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Keep the loss on the device; reading it here would stall the accelerator."""
        self._losses.append(outputs["loss"].detach())

    def after_train_epoch(self, runner: Runner) -> None:
        """Where no split is watched, an epoch ends with its training; MMEngine counts it only after this call."""
        if not self.watched:
            self._finish(runner, runner.epoch + 1, {})

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Else it ends with the watched split's scores."""
        self._finish(runner, runner.epoch, dict(metrics or {}))

    def _finish(self, runner: Runner, epoch: int, scores: dict[str, float]) -> None:
        loss = float(add_up(torch.stack(self._losses).mean()))
        if not math.isfinite(loss):
            raise UnitFailed(f"the training loss became {loss} in epoch {epoch}; a lower learning rate may help")
        row = {"epoch": epoch, "loss": loss, "val": scores, "seconds": round(time.monotonic() - self._started, 3)}
        self.history.append(row)
        if rank():
            return
        self._save(runner, epoch)
        if best_epoch(self.history, self.select) == epoch:
            link_best(self.folder)
        write_text(self.metrics_file, metrics_lines(self.history))
        self.report(row)

    def _save(self, runner: Runner, epoch: int) -> None:
        meta = {"epoch": epoch, "iter": runner.iter, "history": self.history, **self.about}
        with replacing(self.folder / LAST) as temporary:
            runner.save_checkpoint(str(temporary.parent), temporary.name, meta=meta)


class ReportSteps(Hook):
    """Calls back after every iteration, so that progress can be shown."""

    def __init__(self, step: Callable[[int, int, int], None]) -> None:
        self.step = step

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Report (epoch, iteration, iterations per epoch), counted from 1."""
        self.step(runner.epoch + 1, batch_idx + 1, len(runner.train_dataloader))


def link_best(folder: Path) -> None:
    """Make `best.pth` the checkpoint that `last.pth` is now, in one rename; a copy where there are no hard links."""
    temporary = folder / f".{BEST}.tmp"
    temporary.unlink(missing_ok=True)
    try:
        try:
            os.link(folder / LAST, temporary)
        except OSError:
            shutil.copyfile(folder / LAST, temporary)
        check_guards(folder / BEST)
        os.replace(temporary, folder / BEST)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def best_epoch(history: Sequence[EpochRow], select: str | None) -> int:
    """The selected epoch: the earliest with the highest `select` on val, or the last where `select` is None."""
    if select is None:
        return history[-1]["epoch"]
    return max(history, key=lambda row: (row["val"][select], -row["epoch"]))["epoch"]


def metrics_lines(history: Sequence[EpochRow]) -> str:
    """The text of metrics.jsonl."""
    return "".join(json.dumps(row) + "\n" for row in history)
