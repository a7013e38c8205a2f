"""Training in 16 bits follows training in float32, and its classifiers, losses and probabilities stay in float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from benchmark.planning.request import Request, Variant
from benchmark.registry import registry
from benchmark.running.steps import _prepare, job_of
from benchmark.training.hooks import SeedEpochs, TellEpoch
from benchmark.training.loop import make_runner
from benchmark.units.computing import Computing
from benchmark.units.state import UnitState
from tests.small_runs import planned

STEPS, BATCH = 4, 8
METHODS = sorted(registry().methods)


class Losses(Hook):
    """The loss of each step."""

    def __init__(self):
        self.all = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        assert outputs["loss"].dtype == torch.float32
        self.all.append(outputs["loss"].item())


def job_for(method, root, place, epochs):
    """The job of a small unit of four steps an epoch, with its split files written."""
    request = Request(
        "dfew-5fold",
        (Variant(method),),
        preset="small",
        folds=(1,),
        settings=(f"epochs={epochs}", f"batch_size={BATCH}"),
        limit=STEPS * BATCH,
    )
    group, machine = planned(request, root, place)
    [unit] = group.units
    folder = machine.runs / unit.folder
    _prepare(UnitState.model_construct(), unit, group.data.folds[1], machine, folder)
    return job_of(unit, machine, folder)


def epoch_losses(method, precision, epochs, root, place):
    """The mean loss of every epoch."""
    job, seen = job_for(method, root, place, epochs), Losses()
    hooks = [SeedEpochs("0/1"), TellEpoch(), seen]
    make_runner(job.config(), job.folder, hooks, place / "none.pth", Computing(precision=precision)).train()
    return np.array(seen.all).reshape(epochs, STEPS).mean(axis=1)
