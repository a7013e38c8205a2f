"""The MMEngine Runner that units and pre-trainings are trained by: it resumes from `last`, and leaves one log file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook

from benchmark.files import read_json
from benchmark.training.adapter import UnitRunner
from benchmark.training.computing import compute_in
from benchmark.training.optimizing import optimising
from benchmark.units.computing import Computing


def make_runner(
    config: Config,
    folder: Path,
    hooks: Sequence[Hook],
    last: Path,
    computing: Computing,
    watching: BaseMetric | None = None,
) -> UnitRunner:
    """A runner for the train (and, with `watching`, the val) loader of `config`, which works in `folder`.

    hooks: all there are but the schedule's; MMEngine's own checkpoints, logs and timers are left out, and so is its
    account of every loss, for which it waits for the device in each step. last: the checkpoint to resume from, if it is
    there.
    """
    runner = UnitRunner(
        model=config.model,
        work_dir=str(folder),
        train_dataloader=loader_config(_no_larger_than_its_split(config.train_dataloader)),
        val_dataloader=loader_config(config.val_dataloader) if watching else None,
        train_cfg=config.train_cfg,
        val_cfg={} if watching else None,
        val_evaluator=[watching] if watching else None,
        optim_wrapper=optimising(config.optim_wrapper, computing, torch.cuda.is_available()),
        param_scheduler=config.param_scheduler,
        default_hooks={"logger": None, "timer": None, "checkpoint": None, "runtime_info": None},
        custom_hooks=list(hooks),
        load_from=str(last) if last.is_file() else None,
        resume=last.is_file(),
        env_cfg=config.env_cfg,
        default_scope="mmaction",
        randomness=config.randomness,
        # MMEngine keeps loggers by name for ever; a name used twice would write to a closed one.
        experiment_name=f"{folder}-{time.monotonic_ns()}",
        visualizer={"type": "Visualizer", "vis_backends": []},
        # Without the config itself: MMEngine would format it anew for every checkpoint, and config.py holds it.
    )
    compute_in(runner.model, computing)
    return runner


def loader_config(loader: Mapping[str, Any]) -> dict[str, Any]:
    """A loader's config for the device: an accelerator copies from pinned memory while it computes."""
    return {**loader, "pin_memory": torch.cuda.is_available()}


def initialise(runner: UnitRunner) -> None:
    """Initialise the runner's model now: it does so lazily, and would overwrite weights that were loaded before."""
    runner._init_model_weights()
    runner._init_model_weights = lambda: None


def _no_larger_than_its_split(loader: Mapping[str, Any]) -> dict[str, Any]:
    """Training drops its last, incomplete batch; a split smaller than one batch is used as a whole instead."""
    inputs = len(samples_of(loader)) * loader["sampler"]["copies"]
    return {**loader, "batch_size": min(loader["batch_size"], inputs)}


def samples_of(loader: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of the split file that a loader reads."""
    return read_json(Path(loader["dataset"]["ann_file"]))["data_list"]
