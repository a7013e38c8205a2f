"""Weights & Biases: a run for each unit, continued under the same id; `WANDB_MODE=offline` keeps it on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.errors import EnvironmentProblem
from benchmark.trackers.curves import Curve, Curves, Tracked

# The name of W&B's project, unless WANDB_PROJECT gives another.
PROJECT = "dfer-benchmark"
# Modes in which nothing leaves the machine, so that nobody has to be logged in.
LOCAL = ("offline", "disabled", "dryrun")


def watcher(folder: Path) -> Curves:
    """The tracker; EnvironmentProblem where wandb is not installed, or would ask who you are."""
    try:
        import wandb
    except ImportError as error:
        raise EnvironmentProblem(
            f"--track wandb needs the package wandb: pip install 'dfer-benchmark[wandb]' ({error})"
        ) from error
    if os.environ.get("WANDB_MODE") not in LOCAL and not wandb.login(prompt=False):
        raise EnvironmentProblem(
            "--track wandb: nobody is logged in: run `wandb login`, or set WANDB_MODE=offline and `wandb sync` later"
        )
    return WeightsAndBiases(folder)


class WeightsAndBiases(Curves):
    """Tells W&B of each unit as a run of its own, of which several can be under way."""

    def begin(self, tracked: Tracked) -> Curve:
        """The unit's run, new or continued: its id is the unit's identity."""
        import wandb

        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=tracked.identity[:32],
            resume="allow",
            name=str(tracked.folder),
            group=str(tracked.row),
            tags=["synthetic"] if tracked.synthetic else [],
            config=tracked.config,
            dir=self.folder,
            reinit="create_new",
            settings=wandb.Settings(console="off", silent=True, disable_code=True),
        )
        return _Run(run)


class _Run(Curve):
    def __init__(self, run: Any) -> None:
        self._run = run

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        """W&B has what came before in a run that it continues, and takes no step twice."""
        if epoch >= self._run.starting_step:
            self._run.log(dict(values), step=epoch)

    def end(self, result: Mapping[str, float], failed: bool) -> None:
        """The result is the run's summary."""
        self._run.summary.update(dict(result))
        self._run.finish(exit_code=int(failed))
