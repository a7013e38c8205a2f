"""Running one unit: every step that is still missing, each leaving its result on disk before the next begins."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.datasets.scored import scored_clusters, scored_ids, true_answers
from benchmark.datasets.splits import SPLITS, Fold, hash_ids
from benchmark.errors import IntegrityError, UnitFailed
from benchmark.failures import keep_trace, reason_of
from benchmark.fence import from_outside
from benchmark.files import hash_file, remove_leftovers, replacing, write_json
from benchmark.locks import Lost, exclusive
from benchmark.planning.data import list_files
from benchmark.registry import registry
from benchmark.running.machine import Machine
from benchmark.scoring.predictions import Predictions, read_predictions, write_predictions
from benchmark.scoring.scores import SplitScores, choose_thresholds, score_split
from benchmark.specs import Clip
from benchmark.units.clip_names import NAMES, hide, read_names, write_names
from benchmark.units.computing import check_computing
from benchmark.units.guard import check_trace, closed
from benchmark.units.history import Training, hash_clips, videos_of
from benchmark.units.presets import preset_of_unit
from benchmark.units.samples import TEST, TRAIN, WATCHED, limited, train_samples, unlabelled_samples, watched_samples
from benchmark.units.state import (
    CHECKPOINTS,
    LOG,
    SCORES,
    SPLIT_FILES,
    Selected,
    SplitFacts,
    UnitState,
    is_done,
    load_state,
    predictions_name,
    read_state,
    save_state,
)
from benchmark.units.unit import Unit
from benchmark.watcher import Watcher


def run_unit(
    unit: Unit, fold: Fold, machine: Machine, watcher: Watcher, attempts: int | None = None, patience: float = 5.0
) -> UnitState:
    """Bring the unit to `scored`, starting at its first unfinished step; raises when a step fails.

    attempts: how many there were when the unit was planned; if another worker has failed since, nothing is tried again.
    Raises Busy, or Lost, where the unit is another worker's after `patience` seconds.
    """
    folder = machine.runs / unit.folder
    state = load_state(folder, unit)
    if is_done(folder, state):
        watcher.finished_elsewhere(unit)
        return state
    with exclusive(folder, patience):
        state = load_state(folder, unit)
        if is_done(folder, state):  # by another process, while this one waited
            watcher.finished_elsewhere(unit)
            return state
        if state.status == "failed" and attempts is not None and state.attempts > attempts:
            raise UnitFailed(f"{state.error} (in another worker)")
        remove_leftovers(folder)
        state.attempts += 1
        state.error = None
        watcher.started(unit, state.epoch)
        try:
            fold = _prepare(state, unit, fold, machine, folder)
            if state.selected is None and unit.source is not None:
                _take_over(state, unit, machine, folder)
            elif state.selected is None:
                _train(state, unit, fold, machine, folder, watcher)
            if set(state.predictions) != set(unit.protocol.predicted_splits):
                _predict(state, unit, fold, machine, folder, watcher)
            scores = _score(state, unit, fold, folder)
        except BaseException as error:
            # What another process has taken is its to write.
            if from_outside(error) or isinstance(error, Lost):
                raise
            keep_trace(error, folder / LOG)
            state.status, state.error = "failed", reason_of(error)
            save_state(folder, state)
            raise
    watcher.scored(unit, scores["test"])
    return state


def note_failure(folder: Path, reason: str) -> None:
    """Write down why a unit failed whose process could not."""
    state = read_state(folder)
    if state is not None:
        state.status, state.error = "failed", reason
        save_state(folder, state)


def _prepare(state: UnitState, unit: Unit, fold: Fold, machine: Machine, folder: Path) -> Fold:
    """Write the split files: labels and targets for train, labels for the watched split, none for test.

    Clips have opaque names in them.
    """
    check_trace(folder)
    fold = limited(fold, unit.limit)
    state.splits = {
        name: SplitFacts(clips=len(ids), sha256=hash_ids(ids))
        for name in SPLITS
        if (ids := scored_ids(fold.split(name)))
    }
    if unit.protocol.frames.unreadable == "drop-train":
        state.dropped = _unreadable(fold.train, unit, machine)
    rows = {
        TRAIN: train_samples([clip for clip in fold.train if clip.id not in set(state.dropped)], unit),
        TEST: unlabelled_samples(fold.test, unit.protocol),
    }
    if unit.protocol.watched_split:
        rows[WATCHED] = watched_samples(fold.split(unit.protocol.watched_split), unit.protocol)
    hidden, names = hide(rows)
    write_names(folder / SPLIT_FILES, names)
    for name, data_list in hidden.items():
        write_json(folder / SPLIT_FILES / f"{name}.json", {"metainfo": {"split": name}, "data_list": data_list})
    return fold


def _closed_files(unit: Unit, machine: Machine, folder: Path) -> list[Path]:
    """What a plugin's code may not read: the lists of the unit's datasets, and what its clips' names stand for."""
    datasets = [(unit.protocol.dataset, machine.dataset_root)]
    if unit.protocol.test_on is not None:
        datasets.append((unit.protocol.test_on.dataset, machine.test_root))
    lists = [path for name, root in datasets for path in list_files(registry().find("datasets", name), root)]
    read_names(folder / SPLIT_FILES)  # before it is closed
    return [*lists, folder / SPLIT_FILES / NAMES]


def _unreadable(clips: Sequence[Clip], unit: Unit, machine: Machine) -> list[str]:
    from benchmark.video.clip import UnreadableClip
    from benchmark.video.frames import open_clip

    dropped = []
    for clip in clips:
        try:
            reader = open_clip(machine.dataset_root / clip.frames[unit.protocol.frames.source])
            for index in range(reader.count):
                reader.read([index])
        except UnreadableClip:
            dropped.append(clip.id)
    return dropped


def _train(state: UnitState, unit: Unit, fold: Fold, machine: Machine, folder: Path, watcher: Watcher) -> None:
    from benchmark.training.devices import compute_by, hardware, use_device
    from benchmark.training.distributed import along, lead
    from benchmark.training.unit import micro_batch_of, train, try_initial

    if state.epoch:
        machine = _as_begun(machine, state)
        check_computing(folder, state.cost.computing, machine.computing)
    state.status = "training"
    state.cost.computing = machine.computing
    state.cost.device = use_device(machine.device)
    compute_by(machine.computing)
    state.cost.hardware = hardware()
    save_state(folder, state)
    clock = time.monotonic()

    def on_epoch(row: Mapping[str, Any]) -> None:
        nonlocal clock
        now = time.monotonic()
        state.test_looks += unit.protocol.watched_split == "test"
        state.cost.train_seconds += now - clock
        clock, state.epoch = now, row["epoch"]
        save_state(folder, state)
        watcher.epoch(unit, row)

    files = _closed_files(unit, machine, folder)
    with closed(files, folder):
        job = job_of(unit, machine, folder)
        if machine.find_micro_batch and not state.epoch:
            lead(along, micro_batch_of, job, folder / SPLIT_FILES, files)
            state.cost.computing = machine.computing.model_copy(update={"micro_batch": micro_batch_of(job)})
            job = replace(job, computing=state.cost.computing)
        if state.initial is None and machine.init:
            state.initial = {name: weights for name, (_, weights) in try_initial(job).items()}
        save_state(folder, state)
        lead(along, train, job, folder / SPLIT_FILES, files)
        trained = train(job, partial(watcher.step, unit), on_epoch, _history(state, unit, fold), watcher.note)
    state.cost.batch_statistics = trained.statistics
    state.selected = Selected(
        epoch=trained.epoch, epochs=trained.epochs, value=trained.value, sha256=hash_file(trained.checkpoint)
    )
    state.status = "selected"
    save_state(folder, state)


def _as_begun(machine: Machine, state: UnitState) -> Machine:
    """The machine with the micro-batch that was found for the unit, where one was to be found."""
    if not machine.find_micro_batch:
        return machine
    found = {"micro_batch": state.cost.computing.micro_batch}
    return replace(machine, computing=machine.computing.model_copy(update=found))


def _history(state: UnitState, unit: Unit, fold: Fold) -> list[Training]:
    """Every training behind the unit's checkpoints: those behind its initial weights, and its own."""
    before = [training for weights in (state.initial or {}).values() for training in weights.history]
    if preset_of_unit(unit).epochs == 0:
        return before
    watched = fold.split(unit.protocol.watched_split) if unit.protocol.watched_split else ()
    own = Training(
        kind="unit",
        method=unit.method,
        protocol=unit.protocol.name,
        protocol_hash=unit.protocol.hash,
        fold=unit.fold,
        datasets=(videos_of(unit.protocol.dataset),),
        clips=hash_clips(clip.id for clip in (*fold.train, *watched)),
    )
    return [*before, own]


def _take_over(state: UnitState, unit: Unit, machine: Machine, folder: Path) -> None:
    """What a unit that only tests has from the one that was trained: selected checkpoint and val predictions."""
    source_folder = _source_folder(unit, machine)
    source = read_state(source_folder)
    if source is None or source.status != "scored" or source.selected is None:
        raise UnitFailed(f"its model was not trained: see {source_folder}")
    if source.identity != unit.source:
        raise IntegrityError(f"{source_folder}: is not the unit whose checkpoint is to be tested; run it again")
    check_computing(source_folder, source.cost.computing, _as_begun(machine, source).computing)
    if "val" in source.predictions:
        val = predictions_name("val")
        with replacing(folder / val) as temporary:
            shutil.copyfile(source_folder / val, temporary)
        if hash_file(folder / val) != source.predictions["val"]:
            raise IntegrityError(
                f"{source_folder / val}: is not what was scored; delete {source_folder} to run it again"
            )
        state.predictions["val"] = source.predictions["val"]
    state.selected, state.epoch, state.cost.device = source.selected, source.epoch, source.cost.device
    state.cost.computing = source.cost.computing if machine.find_micro_batch else machine.computing
    state.initial = source.initial
    state.status = "selected"
    save_state(folder, state)


def _source_folder(unit: Unit, machine: Machine) -> Path:
    """Where the unit's training took place: its own folder, or that of the unit whose checkpoint it tests."""
    return machine.runs / (unit.source_folder or unit.folder)


def _predict(state: UnitState, unit: Unit, fold: Fold, machine: Machine, folder: Path, watcher: Watcher) -> None:
    from benchmark.training.devices import compute_by, use_device
    from benchmark.training.distributed import along, lead
    from benchmark.training.hooks import BEST, LAST
    from benchmark.training.unit import predict

    assert state.selected is not None
    machine = _as_begun(machine, state)
    check_computing(folder, state.cost.computing, machine.computing)
    trained_in = _source_folder(unit, machine)
    checkpoint = trained_in / CHECKPOINTS / (LAST if unit.protocol.selection.policy == "last" else BEST)
    if not checkpoint.is_file() or hash_file(checkpoint) != state.selected.sha256:
        raise IntegrityError(
            f"{checkpoint}: is missing or not the one selected; delete {trained_in} to run the unit again"
        )
    use_device(machine.device)
    compute_by(machine.computing)
    clock = time.monotonic()
    missing = [split for split in unit.protocol.predicted_splits if split not in state.predictions]
    job = job_of(unit, machine, folder)
    files = _closed_files(unit, machine, folder)
    with closed(files, folder):
        lead(along, partial(predict, checkpoint=checkpoint, splits=missing), job, folder / SPLIT_FILES, files)
        predicted = predict(job, checkpoint, missing, partial(watcher.predicting, unit))
    state.parameters, state.gflops = predicted.parameters, round(predicted.gflops, 6)
    for split, values in predicted.predictions.items():
        path = folder / predictions_name(split)
        write_predictions(path, _with_clusters(values, fold.split(split), unit), unit.protocol.classes)
        state.predictions[split] = hash_file(path)
    state.cost.predict_seconds += time.monotonic() - clock
    state.status = "predicted"
    save_state(folder, state)


def _with_clusters(predictions: Predictions, clips: Sequence[Clip], unit: Unit) -> Predictions:
    """The predictions, with what each clip belongs to where the protocol's clips are not independent."""
    if unit.protocol.clustered_by is None:
        return predictions
    clusters = scored_clusters(clips, unit.protocol.clustered_by)
    return replace(predictions, clusters=tuple(clusters[clip_id] for clip_id in predictions.ids))


def _score(state: UnitState, unit: Unit, fold: Fold, folder: Path) -> dict[str, SplitScores]:
    """Join predictions with labels: the only place where test labels are used, and each use is counted."""
    metrics = [registry().find("metrics", name) for name in unit.protocol.metrics]
    state.test_looks += 1
    save_state(folder, state)
    scores = {}
    thresholds = None
    for split in unit.protocol.predicted_splits:
        predictions = read_predictions(folder / predictions_name(split), unit.protocol.classes)
        true = true_answers(fold.split(split), unit.protocol)
        if split == "val":
            thresholds = choose_thresholds(predictions, true, unit.protocol)
        scores[split] = score_split(predictions, true, unit.protocol, metrics, thresholds)
    write_json(folder / SCORES, {split: value.model_dump(mode="json") for split, value in scores.items()})
    state.status = "scored"
    save_state(folder, state)
    return scores


def job_of(unit: Unit, machine: Machine, folder: Path, corruption: tuple[str, int] | None = None) -> Any:
    """The unit with what of this machine's choices training needs: a `Job`, whose module imports torch.

    corruption: how test clips are spoiled before they are predicted, by name and severity; no unit's own are.
    """
    from benchmark.training.unit import Job

    places = (folder, machine.dataset_root, machine.test_root, machine.cache)
    chosen = (machine.workers, machine.init, machine.computing, machine.checkpointing)
    return Job(unit, *places, *chosen, corruption)
