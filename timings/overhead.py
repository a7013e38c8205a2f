"""What does the harness add to a bare training loop? Both train the same model by the same data, in turn.

    python timings/overhead.py [--method M] [--preset P] [--epochs 8] [--limit 64] [--device D] [--set KEY=VALUE ...]

After every epoch of a unit that the harness trains, the same number of steps is taken by a loop of a few lines: the
unit's own loader, a copy of its model, an optimiser built from the same config. Compared are the processor's seconds,
or on an accelerator those of the clock, that all steps of an epoch took (what reads clips is in both, validation and
checkpoints are in neither); the first epoch warms up, and medians count. The overhead in a step is in milliseconds
too: it does not grow with the model, so that its share of a paper model's step is far below that of a small one's.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tabulate import tabulate

import benchmark.training.unit
from benchmark.datasets.synthetic.dfew import synthesize
from benchmark.planning.request import Request, Variant, plan_run, resolve_protocol
from benchmark.running.machine import Machine
from benchmark.running.steps import run_unit
from benchmark.training.loop import make_runner
from benchmark.watcher import Watcher


class InTurn(Hook):
    """Times each epoch of the runner, and then as many steps of a bare loop."""

    priority = "LOWEST"

    def __init__(self) -> None:
        self.harness: list[float] = []
        self.bare: list[float] = []
        self.steps = 0

    def before_train(self, runner: Runner) -> None:
        """Copy what the bare loop trains: model and optimiser together, so that the one still updates the other."""
        model, self.optimiser = copy.deepcopy((runner.model, runner.optim_wrapper.optimizer))
        self.model = model.train()

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clock."""
        self._began = now()

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop it, and train as much without the harness."""
        self.harness.append(now() - self._began)
        self.steps = len(runner.train_dataloader)
        began = now()
        train(self.model, runner.train_dataloader, self.optimiser)
        self.bare.append(now() - began)


def now() -> float:
    """Seconds: of the processor, or of the clock once an accelerator has done what it was told."""
    if not torch.cuda.is_available():
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def train(model: Any, loader: Any, optimiser: torch.optim.Optimizer) -> None:
    """An epoch, as anybody would write it."""
    for batch in loader:
        prepared = model.data_preprocessor(batch, True)
        losses = model(prepared["inputs"], prepared["data_samples"], mode="loss")
        loss = sum(value for name, value in losses.items() if "loss" in name)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="former-dfer")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--limit", type=int, default=64)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settings = (f"epochs={options.epochs}", *options.settings)
    request = Request(
        "dfew-5fold",
        (Variant(options.method),),
        preset=options.preset,
        folds=(1,),
        settings=settings,
        limit=options.limit,
    )
    timer = InTurn()

    def timed_runner(config: Any, folder: Path, hooks: Sequence[Hook], *rest: Any, **more: Any) -> Any:
        return make_runner(config, folder, [*hooks, timer], *rest, **more)

    benchmark.training.unit.make_runner = timed_runner
    with tempfile.TemporaryDirectory() as folder:
        place, root = Path(folder), Path(folder) / "DFEW"
        synthesize(root, max(2 * options.limit, 60), 0, lambda done, total: None)
        [group] = plan_run(request, resolve_protocol(request), root)
        machine = Machine(place / "runs", group.data.root, group.data.test_root, place / "cache", device=options.device)
        run_unit(group.units[0], group.data.folds[1], machine, Watcher())
    harness, bare = (statistics.median(each[1:]) / timer.steps for each in (timer.harness, timer.bare))
    row = [f"{options.method} {options.preset}", 1000 * bare, 1000 * harness, 1000 * (harness - bare), harness / bare]
    headers = ["", "bare ms a step", "harness ms a step", "overhead ms", "ratio"]
    print(tabulate([row], headers, floatfmt=("", ".2f", ".2f", ".2f", ".3f"), tablefmt="github"))


if __name__ == "__main__":
    main()
