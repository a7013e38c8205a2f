"""Running a pre-training: masked autoencoding of videos, or a classifier of single images."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from benchmark.files import hash_file, write_json, write_text
from benchmark.plugin_functions import make_recipe, rename_tensors
from benchmark.registry import registry
from benchmark.specs import MethodSpec, Preset
from benchmark.training.adapter import close_logger, import_mmaction
from benchmark.training.checkpoints import load_networks
from benchmark.training.config import (
    REGISTERING,
    Reading,
    apply_overrides,
    clip_loader,
    import_modules,
    model_config,
    packing,
    schedule_config,
)
from benchmark.training.distributed import along, lead, rank
from benchmark.training.registered import check_registered
from benchmark.training.weights import Origin, read_checkpoint, read_weight_file, write_weights
from benchmark.units.clip_names import NAMES, hide, read_names, write_names
from benchmark.units.computing import Computing
from benchmark.units.guard import closed
from benchmark.units.history import Training, hash_clips
from benchmark.units.presets import changed_preset
from benchmark.units.pretraining import ROWS, WEIGHTS, PretrainingState, PretrainingUnit, Source, save_state
from benchmark.units.state import CHECKPOINTS, CONFIG, METRICS

# The modules below subclass MMAction2's parts, whose import needs the adapter first.
import_mmaction()

from benchmark.training.data import plain_clip_errors  # noqa: E402
from benchmark.training.device_transforms import leave_to_accelerator  # noqa: E402
from benchmark.training.hooks import (  # noqa: E402
    LAST,
    EpochRow,
    KeepCheckpoints,
    ReportSteps,
    SeedEpochs,
    TellEpoch,
    untold,
)
from benchmark.training.loop import cut_of, initialise, make_runner  # noqa: E402
from benchmark.training.memory import find_micro_batch  # noqa: E402
from benchmark.training.reduction import reduce_checkpoints  # noqa: E402
from benchmark.training.shares import bare  # noqa: E402
from benchmark.training.statistics import FEWER_CLIPS, fewer_clips, statistics_hook  # noqa: E402


@dataclass(frozen=True)
class PretrainingJob:
    """A pre-training with the run-time choices of this machine."""

    unit: PretrainingUnit
    source: Source
    folder: Path
    cache: Path
    workers: int
    init: Mapping[str, Path]
    computing: Computing
    checkpointing: bool = False

    def config(self) -> Config:
        """The resolved MMEngine config; also makes sure that every type name in it is registered."""
        unit = self.unit
        pretraining = self.method.pretrainings[unit.pretraining]
        preset = self.preset
        recipe = make_recipe(pretraining.recipe, preset, len(unit.classes))
        reading = Reading(self.folder / ROWS, self.source.root, self.cache, self.workers, str(unit.seed))
        steps = [*recipe.train_transforms, *packing(recipe, train=bool(unit.classes))]
        imports = [*REGISTERING, *recipe.imports]
        config = Config(
            {
                "default_scope": "mmaction",
                "custom_imports": {"imports": imports},
                "model": model_config(recipe, preset, recipe.mixing),
                "train_dataloader": clip_loader(preset, reading, steps, train=True),
                "val_dataloader": None,
                **schedule_config(recipe, preset, str(unit.seed)),
            }
        )
        import_modules(imports)
        check_registered(config, unit.overrides)
        apply_overrides(config, unit.overrides)
        leave_to_accelerator(config)
        init_default_scope("mmaction")
        return config

    @property
    def preset(self) -> Preset:
        """The preset that it trains by."""
        presets = self.method.pretrainings[self.unit.pretraining].presets
        return changed_preset(presets[self.unit.preset], self.unit.overrides)

    @property
    def method(self) -> MethodSpec:
        """The method that is pre-trained."""
        return registry().find("methods", self.unit.method)


def pretrain(
    job: PretrainingJob,
    state: PretrainingState,
    on_step: Callable[[int, int, int], None],
    on_epoch: Callable[[EpochRow], None],
    warn: Callable[[str], None] = untold,
    find: bool = False,
) -> None:
    """Train, or go on training, and write the weights that the method starts from; `state` is kept on disk.

    warn: see `train` of a unit. find: whether a new one begins by finding the largest micro-batch that fits, instead of
    the job's.
    """
    hidden, names = hide({"train": job.source.samples})
    write_names(job.folder, names)
    write_json(job.folder / ROWS, {"metainfo": {"split": "train"}, "data_list": hidden["train"]})
    read_names(job.folder)  # before it is closed
    clock = time.monotonic()

    def finished(row: EpochRow) -> None:
        nonlocal clock
        now = time.monotonic()
        state.seconds, state.epoch = state.seconds + now - clock, row["epoch"]
        clock = now
        save_state(job.folder, state)
        on_epoch(row)

    files = [*job.source.lists, job.folder / NAMES]
    with closed(files, job.folder):
        if find and not state.epoch:
            lead(along, micro_batch_of, job, job.folder, files)
            state.computing = job.computing.model_copy(update={"micro_batch": micro_batch_of(job)})
            job = replace(job, computing=state.computing)
            save_state(job.folder, state)
        lead(along, learn, job, job.folder, files)
        learn(job, on_step, finished, warn)
        state.weights = _export(job, job.folder / CHECKPOINTS / LAST)
    save_state(job.folder, state)


def micro_batch_of(job: PretrainingJob) -> int:
    """The largest micro-batch that fits into the memory of every process; see `find_micro_batch`."""
    config = job.config()
    return find_micro_batch(config, job.computing, cut_of(config, None), job.checkpointing)


def learn(
    job: PretrainingJob,
    on_step: Callable[[int, int, int], None] = untold,
    on_epoch: Callable[[EpochRow], None] = untold,
    warn: Callable[[str], None] = untold,
) -> None:
    """Train, or go on training. In a group of processes all of them have to call it, and the first one writes."""
    config = job.config()
    if rank() == 0:
        write_text(job.folder / CONFIG, config.pretty_text)
    checkpoints = job.folder / CHECKPOINTS
    checkpoints.mkdir(parents=True, exist_ok=True)
    keeper = KeepCheckpoints(checkpoints, job.folder / METRICS, watched=False, select=None, report=on_epoch)
    hooks = [SeedEpochs(str(job.unit.seed)), TellEpoch(), keeper, ReportSteps(on_step)]
    cut, statistics = cut_of(config, job.computing.micro_batch), job.preset.statistics
    hooks += statistics_hook(statistics, cut)
    runner = make_runner(config, job.folder, hooks, checkpoints / LAST, job.computing, None, job.checkpointing)
    if fewer := fewer_clips(runner.model, statistics, cut):
        warn(FEWER_CLIPS.format(f"{job.unit.method} {job.unit.pretraining}", fewer, statistics or cut.batch))
    try:
        if job.init and not (checkpoints / LAST).is_file():
            initialise(runner)
            for network, report in load_networks(bare(runner.model), job.method, job.init).items():
                runner.logger.info(f"initial weights {network}={job.init[network]}: {report}")
        with plain_clip_errors():
            runner.train()
    finally:
        close_logger(runner)
    if rank() == 0:
        reduce_checkpoints(checkpoints)


def _export(job: PretrainingJob, checkpoint: Path) -> str:
    """Write the part of a checkpoint that the method starts from, under its own names; returns the file's SHA-256."""
    trained = read_checkpoint(checkpoint)["state_dict"]
    pretraining = job.method.pretrainings[job.unit.pretraining]
    origin = Origin(
        job.unit.method,
        pretraining.network,
        job.unit.preset,
        class_order=job.unit.classes,
        history=_history(job),
    )
    path = job.folder / WEIGHTS
    write_weights(path, rename_tensors(pretraining.export, trained), origin)
    return hash_file(path)


def _history(job: PretrainingJob) -> tuple[Training, ...]:
    """Every training behind its weights: those behind its initial weights, and its own."""
    before = [training for path in job.init.values() for training in read_weight_file(path).history]
    own = Training(
        kind="pre-training",
        method=job.unit.method,
        stage=job.unit.pretraining,
        datasets=job.source.datasets,
        clips=hash_clips(job.source.ids),
    )
    return (*before, own)
