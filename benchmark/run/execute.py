"""Running one unit: every step that is still missing, each leaving its result on disk before the next begins."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from benchmark.datasets.splits import SPLITS as SPLIT_NAMES
from benchmark.datasets.splits import Fold, hash_ids
from benchmark.errors import BenchmarkError, IntegrityError
from benchmark.files import hash_file, write_json
from benchmark.registry import registry
from benchmark.run.state import (
    CHECKPOINTS,
    SCORES,
    SPLITS,
    Selected,
    SplitFacts,
    UnitState,
    exclusive,
    is_done,
    load_state,
    predictions_name,
    save_state,
)
from benchmark.run.units import Unit
from benchmark.scoring.predictions import read_predictions, write_predictions
from benchmark.scoring.scores import SplitScores, score_split
from benchmark.specs import Clip


@dataclass(frozen=True)
class Machine:
    """Run-time choices: where data and results lie, and what computes. They never change a result's identity."""

    runs: Path
    dataset_root: Path
    cache: Path
    device: str = "auto"
    threads: int = 1
    workers: int = 0
    init: Path | None = None


class Watcher(Protocol):
    """Told what happens, to show it."""

    def started(self, unit: Unit, done: int) -> None:
        """The unit begins, or resumes after `done` epochs."""

    def step(self, unit: Unit, epoch: int, iteration: int, iterations: int) -> None:
        """One training iteration is over; all are counted from 1."""

    def epoch(self, unit: Unit, row: Mapping[str, Any]) -> None:
        """One epoch is over; the row goes to metrics.jsonl."""

    def predicting(self, unit: Unit, done: int, total: int) -> None:
        """Batches of val and test predicted so far."""

    def scored(self, unit: Unit, scores: SplitScores) -> None:
        """The unit is finished, with its test scores."""

    def failed(self, unit: Unit, reason: str) -> None:
        """The unit failed; the others go on."""


def run_unit(unit: Unit, fold: Fold, machine: Machine, watcher: Watcher) -> UnitState:
    """Bring the unit to `scored`, starting at its first unfinished step; raises when a step fails."""
    folder = machine.runs / unit.folder
    state = load_state(folder, unit)
    if is_done(folder, state):
        return state
    with exclusive(folder):
        state = load_state(folder, unit)
        if is_done(folder, state):  # by another process, while this one waited
            return state
        state.attempts += 1
        state.error = None
        watcher.started(unit, state.epoch)
        try:
            fold = _prepare(state, unit, fold, machine, folder)
            if state.selected is None:
                _train(state, unit, machine, folder, watcher)
            if set(state.predictions) != {"val", "test"}:
                _predict(state, unit, machine, folder, watcher)
            scores = _score(state, unit, fold, folder)
        except Exception as error:
            state.status, state.error = "failed", reason_of(error)
            save_state(folder, state)
            raise
    watcher.scored(unit, scores["test"])
    return state


def limited(fold: Fold, limit: int | None) -> Fold:
    """At most `limit` clips of each split, the same ones every time."""
    if limit is None:
        return fold
    chosen = {name: tuple(sorted(fold.split(name), key=lambda c: hash_ids([c.id]))[:limit]) for name in SPLIT_NAMES}
    return Fold(fold.number, **chosen)


def _prepare(state: UnitState, unit: Unit, fold: Fold, machine: Machine, folder: Path) -> Fold:
    """Write the split files: labels and targets for train, labels for val, neither for test."""
    fold = limited(fold, unit.limit)
    state.splits = {
        name: SplitFacts(clips=len(fold.split(name)), sha256=hash_ids(clip.id for clip in fold.split(name)))
        for name in SPLIT_NAMES
    }
    if unit.protocol.frames.unreadable == "drop-train":
        state.dropped = _unreadable(fold.train, unit, machine)
    train = [clip for clip in fold.train if clip.id not in set(state.dropped)]
    for name, clips in (("train", train), ("val", fold.val), ("test", fold.test)):
        rows = [_row(clip, unit, name) for clip in clips]
        write_json(folder / SPLITS / f"{name}.json", {"metainfo": {"split": name}, "data_list": rows})
    return fold


def _row(clip: Clip, unit: Unit, split: str) -> dict[str, Any]:
    classes = unit.protocol.classes
    row: dict[str, Any] = {"clip_id": clip.id, "path": clip.frames[unit.protocol.frames.source]}
    if split != "test":
        row["label"] = classes.index(clip.label)
    if split == "train":
        votes: Mapping[str, float] = clip.votes or {} if unit.labels == "soft" else {clip.label: 1.0}
        total = sum(votes.get(name, 0.0) for name in classes)
        if not total:
            raise IntegrityError(
                f"clip {clip.id}: no vote for any of {list(classes)}; --labels hard does not need votes"
            )
        row["target"] = [votes.get(name, 0.0) / total for name in classes]
    return row


def _unreadable(clips: Sequence[Clip], unit: Unit, machine: Machine) -> list[str]:
    from benchmark.video.frames import UnreadableClip, open_clip

    dropped = []
    for clip in clips:
        try:
            reader = open_clip(machine.dataset_root / clip.frames[unit.protocol.frames.source])
            reader.read(range(reader.count))
        except UnreadableClip:
            dropped.append(clip.id)
    return dropped


def _train(state: UnitState, unit: Unit, machine: Machine, folder: Path, watcher: Watcher) -> None:
    from benchmark.training.unit import train, use_device

    state.status = "training"
    state.cost.device = use_device(machine.device, machine.threads)
    save_state(folder, state)
    clock = time.monotonic()

    def on_epoch(row: Mapping[str, Any]) -> None:
        nonlocal clock
        now = time.monotonic()
        state.cost.train_seconds += now - clock
        clock, state.epoch = now, row["epoch"]
        save_state(folder, state)
        watcher.epoch(unit, row)

    trained = train(_job(unit, machine, folder), partial(watcher.step, unit), on_epoch)
    state.selected = Selected(
        epoch=trained.epoch, epochs=trained.epochs, value=trained.value, sha256=hash_file(trained.checkpoint)
    )
    state.status = "selected"
    save_state(folder, state)


def _predict(state: UnitState, unit: Unit, machine: Machine, folder: Path, watcher: Watcher) -> None:
    from benchmark.training.hooks import BEST, LAST
    from benchmark.training.unit import predict, use_device

    assert state.selected is not None
    checkpoint = folder / CHECKPOINTS / (BEST if unit.protocol.selection.policy == "val" else LAST)
    if not checkpoint.is_file() or hash_file(checkpoint) != state.selected.sha256:
        raise IntegrityError(f"{checkpoint}: is missing or not the one selected; delete {folder} to run the unit again")
    use_device(machine.device, machine.threads)
    clock = time.monotonic()
    predictions, state.parameters = predict(_job(unit, machine, folder), checkpoint, partial(watcher.predicting, unit))
    for split, values in predictions.items():
        path = folder / predictions_name(split)
        write_predictions(path, values, unit.protocol.classes)
        state.predictions[split] = hash_file(path)
    state.cost.predict_seconds += time.monotonic() - clock
    state.status = "predicted"
    save_state(folder, state)


def _score(state: UnitState, unit: Unit, fold: Fold, folder: Path) -> dict[str, SplitScores]:
    """Join predictions with labels: the only place where test labels are used, and each use is counted."""
    metrics = [registry().find("metrics", name) for name in unit.protocol.metrics]
    state.test_looks += 1
    save_state(folder, state)
    scores = {}
    for split in ("val", "test"):
        predictions = read_predictions(folder / predictions_name(split), unit.protocol.classes)
        labels = {clip.id: clip.label for clip in fold.split(split)}
        scores[split] = score_split(predictions, labels, unit.protocol, metrics)
    write_json(folder / SCORES, {split: value.model_dump(mode="json") for split, value in scores.items()})
    state.status = "scored"
    save_state(folder, state)
    return scores


def _job(unit: Unit, machine: Machine, folder: Path) -> Any:
    from benchmark.training.unit import Job

    return Job(unit, folder, machine.dataset_root, machine.cache, machine.workers, machine.init)


def reason_of(error: Exception) -> str:
    """What to tell about a failed unit: the message of an expected failure, else the error's name as well."""
    if isinstance(error, BenchmarkError):
        return str(error)
    return f"{type(error).__name__}: {error}"
