"""Can the loader feed the model? Clips per second that a core reads, and what of a clip's time goes where.

    python timings/loading.py [METHOD ...] [--clips 24] [--accelerator 100] [--cores 8]

Each `paper` preset's real training loader reads a synthetic DFEW (folders of 224 x 224 JPEGs, on a warm disk) in this
process, on one thread: decoding, RandAugment and erasing, everything else, in milliseconds of the processor per clip
(so that what else the machine does counts little). "drawn" is the
rate where the changes are left to the accelerator, as they are beside one. "cached" is decoding from a frame cache of
the network's size instead of JPEGs.

What the model eats is an assumption, not a measurement: an accelerator that sustains `--accelerator` TFLOP/s (100:
about a third of an A100's in bfloat16) takes that much divided by three times the forward pass's operations. A preset
"keeps up" if `--cores` cores read at least as fast, each as one does here.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from tabulate import tabulate

from benchmark.datasets.synthetic.dfew import synthesize
from benchmark.planning.request import Request, Variant, plan_run, resolve_protocol
from benchmark.registry import registry
from benchmark.running.machine import Machine
from benchmark.running.steps import _prepare
from benchmark.training.adapter import import_mmaction
from benchmark.training.config import build_config
from benchmark.training.device_transforms import leave_to_device
from benchmark.units.presets import preset_of_unit
from benchmark.units.state import UnitState
from benchmark.units.unit import Unit

import_mmaction()

from mmaction.registry import DATASETS, TRANSFORMS  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402

AUGMENTING = ("ClipRandAugment", "ClipErasing")


class Timed:
    """A step of a pipeline, with the seconds that it took."""

    def __init__(self, step: Any, name: str, seconds: dict[str, float]) -> None:
        self.step, self.name, self.seconds = step, name, seconds

    def __call__(self, results: Any) -> Any:
        """Take the step."""
        began = time.thread_time()
        results = self.step(results)
        self.seconds[self.name] += time.thread_time() - began
        return results


def milliseconds(config: Any, clips: int) -> dict[str, float]:
    """Per clip, of each step of the training pipeline, after a pass that warms the disk."""
    seconds: dict[str, float] = defaultdict(float)
    values = config.train_dataloader.dataset.to_dict()
    steps = [Timed(TRANSFORMS.build(dict(step)), step["type"], seconds) for step in values.pop("pipeline")]
    dataset = DATASETS.build({**values, "pipeline": []})
    dataset.pipeline.transforms = steps
    for epoch in range(2):
        seconds.clear()
        for index in itertools.islice(itertools.cycle(range(len(dataset))), clips):
            dataset[epoch, index, 0]
    return {name: 1000 * taken / clips for name, taken in seconds.items()}


def config_of(unit: Unit, data: Any, place: Path, drawn: bool = False) -> Any:
    """The unit's config; its split files are written. drawn: as beside an accelerator."""
    machine = Machine(place, data.root, data.test_root, place / "cache")
    folder = place / unit.folder
    _prepare(UnitState(identity=unit.identity, unit=unit), unit, data.folds[unit.fold], machine, folder)
    config = build_config(unit, folder, data.root, data.test_root, place / "cache", 0)
    if drawn:
        dataset = config.train_dataloader.dataset
        dataset.pipeline = leave_to_device(dataset.pipeline)
    init_default_scope("mmaction")
    return config


def row_of(method: str, root: Path, place: Path, clips: int, accelerator: float, cores: int) -> list[Any]:
    """One line of the table."""
    request = Request("dfew-5fold", (Variant(method),), preset="paper", folds=(1,))
    [group] = plan_run(request, resolve_protocol(request), root)
    [unit] = group.units
    preset = preset_of_unit(unit)
    taken = milliseconds(config_of(unit, group.data, place), clips)
    decoding, augmenting = taken["ReadFrames"], sum(taken.get(name, 0.0) for name in AUGMENTING)
    whole = sum(taken.values())
    drawn = sum(milliseconds(config_of(unit, group.data, place, drawn=True), clips).values())
    cached = unit.model_copy(update={"overrides": {"decode_size": preset.decode_size or preset.size}})
    from_cache = milliseconds(config_of(cached, group.data, place), clips)["ReadFrames"]
    eaten = accelerator * 1e12 / (3e9 * preset.gflops)
    fed = cores * 1000 / drawn
    verdict = "yes" if fed >= eaten else f"no: {eaten * drawn / 1000:.0f} cores would"
    rest = whole - decoding - augmenting
    return [method, decoding, from_cache, augmenting, rest, 1000 / whole, 1000 / drawn, fed, eaten, verdict]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", metavar="METHOD")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--accelerator", type=float, default=100, metavar="TFLOPS")
    parser.add_argument("--cores", type=int, default=8)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    wanted = options.methods or [name for name, spec in sorted(registry().methods.items()) if "paper" in spec.presets]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "DFEW"
        synthesize(root, 60, 0, lambda done, total: None)
        rows = []
        for method in wanted:
            rows.append(row_of(method, root, Path(folder), options.clips, options.accelerator, options.cores))
            print(*rows[-1], file=sys.stderr, flush=True)
    headers = [
        *("paper preset", "decode ms", "cached ms", "augment ms", "rest ms", "clips/s a core", "drawn"),
        *(f"{options.cores} cores", f"eaten at {options.accelerator:g} TFLOP/s", "keeps up"),
    ]
    print(tabulate(rows, headers, floatfmt=".1f", tablefmt="github"))


if __name__ == "__main__":
    main()
