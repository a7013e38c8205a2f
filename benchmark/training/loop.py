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
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop

from benchmark.files import read_json
from benchmark.training.adapter import UnitRunner, data_parallel
from benchmark.training.computing import compute_in
from benchmark.training.devices import gaps_told
from benchmark.training.distributed import processes, rank
from benchmark.training.memory import free_memory, memory_told
from benchmark.training.optimizing import optimising
from benchmark.training.recomputing import recompute_layers
from benchmark.training.shares import Cut, Step, bare
from benchmark.units.computing import Computing


def make_runner(
    config: Config,
    folder: Path,
    hooks: Sequence[Hook],
    last: Path,
    computing: Computing,
    watching: BaseMetric | None = None,
    checkpointing: bool = False,
) -> UnitRunner:
    """A runner for the train (and, with `watching`, the val) loader of `config`, which works in `folder`.

    hooks: all there are but the schedule's; MMEngine's own checkpoints, logs and timers are left out, and so is its
    account of every loss, for which it waits for the device in each step. last: the checkpoint to resume from, if it is
    there. checkpointing: whether the layers' activations are computed again instead of being kept.
    """
    cut = cut_of(config, computing.micro_batch)
    parallel = data_parallel() if cut.processes > 1 else {}
    if torch.cuda.is_available():
        # The unit before has left its model.
        free_memory()
    runner = UnitRunner(
        model=config.model,
        work_dir=str(folder),
        train_dataloader=loader_config(_own_share(config.train_dataloader, cut)),
        val_dataloader=predicting(config.val_dataloader, computing) if watching else None,
        # What comes of `by_epoch` in a runner that has loops of its own.
        train_cfg={
            "type": "BatchLoop",
            "step": Step(cut, str(config.randomness.seed)),
            **{key: value for key, value in config.train_cfg.items() if key != "by_epoch"},
        },
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
        **parallel,
    )
    compute_in(bare(runner.model), computing)
    if checkpointing:
        recompute_layers(bare(runner.model))
    return runner


def loader_config(loader: Mapping[str, Any]) -> dict[str, Any]:
    """A loader's config for the device: an accelerator copies from pinned memory while it computes."""
    return {**loader, "pin_memory": torch.cuda.is_available()}


@LOOPS.register_module()
class BatchLoop(EpochBasedTrainLoop):
    """MMEngine's loop over epochs, whose steps are `benchmark.training.shares`'s."""

    def __init__(self, runner: Any, dataloader: Any, step: Step, **options: Any) -> None:
        super().__init__(runner, dataloader, **options)
        self.step = step

    def run(self) -> Any:
        """All epochs, with their validation."""
        with memory_told(self.step.cut.most), gaps_told():
            return super().run()

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """One step."""
        runner = self.runner
        runner.call_hook("before_train_iter", batch_idx=idx, data_batch=data_batch)
        outputs = self.step(runner.model, data_batch, runner.optim_wrapper, self._epoch, idx)
        runner.call_hook("after_train_iter", batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1


def initialise(runner: UnitRunner) -> None:
    """Initialise the runner's model now: it does so lazily, and would overwrite weights that were loaded before."""
    runner._init_model_weights()
    runner._init_model_weights = lambda: None


def cut_of(config: Config, micro_batch: int | None) -> Cut:
    """How this process's group cuts a batch of the train loader.

    Training drops its last, incomplete batch; a split smaller than one batch is used as a whole instead.
    """
    loader = config.train_dataloader
    inputs = len(samples_of(loader)) * loader["sampler"]["copies"]
    return Cut.of(min(loader["batch_size"], inputs), micro_batch, rank(), processes())


def _own_share(loader: Mapping[str, Any], cut: Cut) -> dict[str, Any]:
    """The train loader, reading this process's clips of each batch."""
    own = {**loader, "batch_size": cut.share.stop - cut.share.start}
    if cut.processes > 1:
        own["sampler"] = {**loader["sampler"], "share": (cut.batch, cut.share.start, cut.share.stop)}
    return own


def predicting(loader: Mapping[str, Any], computing: Computing) -> dict[str, Any]:
    """The config of a loader of clips that are only predicted: no more at a time than are learned from at a time."""
    most = computing.micro_batch or loader["batch_size"]
    return loader_config({**loader, "batch_size": min(loader["batch_size"], most)})


def samples_of(loader: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of the split file that a loader reads."""
    return read_json(Path(loader["dataset"]["ann_file"]))["data_list"]
