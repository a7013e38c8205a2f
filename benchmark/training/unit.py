"""Training a unit and predicting with it: the only code that runs a model inside the benchmark.

Neither function is given a test label: the test split's file lists ids and paths only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from benchmark.errors import UnitFailed
from benchmark.files import hash_file, replacing, write_text
from benchmark.plugin_functions import make_recipe
from benchmark.registry import registry
from benchmark.scoring.predictions import Predictions
from benchmark.training.adapter import UnitRunner, close_logger, import_mmaction
from benchmark.training.computing import compute_in
from benchmark.training.config import build_config
from benchmark.training.devices import gaps_told
from benchmark.training.distributed import gather_objects, rank
from benchmark.units.clip_names import read_names
from benchmark.units.computing import Computing
from benchmark.units.history import InitialWeights, Training
from benchmark.units.initial_weights import MODEL
from benchmark.units.presets import preset_of_unit
from benchmark.units.state import CHECKPOINTS, CONFIG, METRICS, SPLIT_FILES
from benchmark.units.unit import Unit

# Plugins and the modules below subclass MMAction2's parts, whose import needs the adapter first.
import_mmaction()

from mmaction.registry import MODELS  # noqa: E402

from benchmark.training.checkpoints import LoadReport  # noqa: E402
from benchmark.training.corrupting import corrupt_loader  # noqa: E402
from benchmark.training.data import plain_clip_errors  # noqa: E402
from benchmark.training.device_transforms import leave_to_accelerator  # noqa: E402
from benchmark.training.hooks import (  # noqa: E402
    BEST,
    LAST,
    EpochRow,
    KeepCheckpoints,
    ReportSteps,
    SeedEpochs,
    TellEpoch,
    WatchedScores,
    best_epoch,
    frames_of,
    in_turn,
    predictions_of,
    scored,
    untold,
)
from benchmark.training.initial_weights import load_initial  # noqa: E402
from benchmark.training.loop import cut_of, initialise, make_runner, predicting, samples_of  # noqa: E402
from benchmark.training.memory import find_micro_batch, memory_told  # noqa: E402
from benchmark.training.operations import count_operations  # noqa: E402
from benchmark.training.reduction import reduce_checkpoints  # noqa: E402
from benchmark.training.shapes import shapes_told  # noqa: E402
from benchmark.training.shares import bare  # noqa: E402
from benchmark.training.statistics import FEWER_CLIPS, fewer_clips, statistics_hook  # noqa: E402
from benchmark.training.views import averaged, viewed  # noqa: E402
from benchmark.training.weights import ORIGIN, Origin, read_checkpoint, read_weight_file  # noqa: E402


@dataclass(frozen=True)
class Job:
    """A unit with the run-time choices of this machine.

    corruption: how test clips are spoiled before they are predicted, by name and severity.
    """

    unit: Unit
    folder: Path
    dataset_root: Path
    test_root: Path
    cache: Path
    workers: int
    init: Mapping[str, Path] = field(default_factory=dict)
    computing: Computing = field(default_factory=Computing)
    checkpointing: bool = False
    corruption: tuple[str, int] | None = None

    def config(self) -> Config:
        """The unit's MMEngine config; also makes sure that every type name in it is registered."""
        config = build_config(self.unit, self.folder, self.dataset_root, self.test_root, self.cache, self.workers)
        if self.corruption:
            corrupt_loader(config.test_dataloader, *self.corruption)
        leave_to_accelerator(config)
        init_default_scope("mmaction")
        return config


@dataclass(frozen=True)
class Trained:
    """What training leaves: the selected epoch, its value on the watched split, and how many epochs ran.

    statistics: the clips over which batch norms took their statistics, where the recipe has more; else None.
    """

    epoch: int
    value: float | None
    epochs: int
    checkpoint: Path
    statistics: int | None = None


@dataclass(frozen=True)
class Predicted:
    """What prediction leaves, by split, and the size of the model: its parameters, and GFLOPs for one clip.

    A multiplication and an addition are two operations, as torch counts them; many papers count them as one.
    """

    predictions: dict[str, Predictions]
    parameters: int
    gflops: float


def train(
    job: Job,
    on_step: Callable[[int, int, int], None] = untold,
    on_epoch: Callable[[EpochRow], None] = untold,
    history: Sequence[Training] = (),
    warn: Callable[[str], None] = untold,
) -> Trained:
    """Train on train, score the watched split after every epoch, keep the last and the best checkpoint; resumes.

    history: every training behind what this leaves, which its checkpoints then say. warn: of what is not as the recipe
    has it. In a group of processes all of them have to call it, and the first one writes.
    """
    unit, config = job.unit, job.config()
    select = None if unit.protocol.selection.policy == "last" else unit.protocol.selection.metric
    watched = unit.protocol.watched_split is not None
    checkpoints = job.folder / CHECKPOINTS
    checkpoints.mkdir(parents=True, exist_ok=True)
    if rank() == 0:
        write_text(job.folder / CONFIG, config.pretty_text)
    origin = Origin(
        unit.method,
        MODEL,
        unit.preset,
        unit.protocol.classes,
        dataset=unit.protocol.dataset,
        history=tuple(history),
        crops=unit.crops.model_dump_json() if unit.crops else "",
    )
    keeper = KeepCheckpoints(checkpoints, job.folder / METRICS, watched, select, on_epoch, origin)
    hooks = [SeedEpochs(unit.random_seed), TellEpoch(), keeper, ReportSteps(on_step)]
    cut, statistics = cut_of(config, job.computing.micro_batch), preset_of_unit(unit).statistics
    hooks += statistics_hook(statistics, cut)
    metrics = [registry().find("metrics", name) for name in unit.protocol.metrics]
    last = checkpoints / LAST
    watching = WatchedScores(samples_of(config.val_dataloader), unit.protocol, metrics) if watched else None
    runner = make_runner(config, job.folder, hooks, last, job.computing, watching, job.checkpointing)
    if config.train_cfg.max_epochs == 0:
        return _untrained(runner, job, checkpoints / (BEST if select else LAST), origin)
    fewer = fewer_clips(runner.model, statistics, cut)
    if fewer:
        warn(FEWER_CLIPS.format(unit.variant, fewer, statistics or cut.batch))
    try:
        if job.init and not last.is_file():
            _start_from(runner, job)
        with plain_clip_errors(), _shapes_told(unit):
            runner.train()
    finally:
        close_logger(runner)
    if rank() == 0:
        reduce_checkpoints(checkpoints)
    epoch = best_epoch(keeper.history, select)
    row = keeper.history[epoch - 1]
    value = row["val"].get(unit.protocol.selection.metric)
    return Trained(epoch, value, len(keeper.history), checkpoints / (BEST if select else LAST), fewer)


def micro_batch_of(job: Job) -> int:
    """The largest micro-batch of the unit that fits into the memory of every process; see `find_micro_batch`."""
    config = job.config()
    return find_micro_batch(config, job.computing, cut_of(config, None), job.checkpointing)


def _shapes_told(unit: Unit) -> AbstractContextManager[None]:
    """Inside the block an error that comes of the shapes in the unit's model is told by them."""
    preset, classes = preset_of_unit(unit), len(unit.protocol.classes)
    return shapes_told(make_recipe(registry().find("methods", unit.method).recipe, preset, classes), preset, classes)


def _untrained(runner: UnitRunner, job: Job, checkpoint: Path, origin: Origin) -> Trained:
    """A checkpoint of the initial weights as they are, selected because there is no other."""
    try:
        _start_from(runner, job)
    finally:
        close_logger(runner)
    if rank() == 0:
        about = {"history": [], ORIGIN: origin.metadata()}
        with replacing(checkpoint) as temporary:
            torch.save({"state_dict": bare(runner.model).state_dict(), "meta": about}, temporary)
    return Trained(epoch=0, value=None, epochs=0, checkpoint=checkpoint)


def predict(
    job: Job, checkpoint: Path, splits: Sequence[str], on_step: Callable[[int, int], None] = untold
) -> Predicted:
    """Class probabilities of every clip (or labelled frame) of `splits` under the checkpoint.

    In a group of processes all of them have to call it, and each predicts its part.
    """
    config, names = job.config(), read_names(job.folder / SPLIT_FILES)
    model = MODELS.build(config.model)
    model.load_state_dict(read_checkpoint(checkpoint)["state_dict"])
    model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    configs = {split: config[f"{split}_dataloader"] for split in splits}
    preset, weights = preset_of_unit(job.unit), {}
    if job.unit.views and preset.views:
        for split, loader in configs.items():
            configs[split], weights[split] = viewed(loader, preset.views, preset.sampling, names)
    loaders = {split: Runner.build_dataloader(predicting(loader, job.computing)) for split, loader in configs.items()}
    total, done = sum(len(loader) for loader in loaders.values()), 0
    results: dict[str, Predictions] = {}
    operations = 0
    for split, loader in loaders.items():
        frames = frames_of(samples_of(config[f"{split}_dataloader"]))
        scores: list[tuple[str, np.ndarray]] = []
        told = memory_told(loader.batch_size), gaps_told(), _shapes_told(job.unit)
        with plain_clip_errors(), told[0], told[1], told[2], torch.inference_mode():
            for batch in loader:
                if done == 0:
                    # Before it is compiled, which hides operations from whoever counts them.
                    operations = count_operations(model, batch)
                    compute_in(model, job.computing)
                samples = model.test_step(batch)
                scores += [scored(sample.to_dict(), frames) for sample in samples]
                done += 1
                on_step(done, total)
        scores = in_turn(gather_objects(scores), len(loader.dataset))
        results[split] = predictions_of(averaged(scores, weights[split]) if weights else scores, frames)
        if names is not None:
            results[split] = replace(results[split], ids=tuple(map(names.id_of, results[split].ids)))
        finite = np.isfinite(results[split].probabilities).all(axis=1)
        if not finite.all():
            broken = results[split].ids[int(np.argmin(finite))]
            raise UnitFailed(f"the model's output for clip {broken} is not a number")
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Predicted(results, parameters, operations / 1e9)


def _start_from(runner: UnitRunner, job: Job) -> None:
    """Load initial weights, written to the log with everything that did not fit."""
    initialise(runner)
    for network, report in load_initial(bare(runner.model), job.unit, job.init).items():
        runner.logger.info(f"initial weights {network}={job.init[network]}: {report}")


def try_initial(job: Job) -> dict[str, tuple[LoadReport, InitialWeights]]:
    """What loading the unit's initial weights will report, and what they are, by network; nothing is trained."""
    found = {}
    for name, report in load_initial(MODELS.build(job.config().model), job.unit, job.init).items():
        file = read_weight_file(job.init[name])
        weights = InitialWeights(
            sha256=hash_file(file.path),
            method=file.origin.method if file.origin else "",
            network=file.origin.network if file.origin else "",
            filled=report.filled,
            classifier=bool(report.classifier),
            history=file.history,
        )
        found[name] = (report, weights)
    return found
