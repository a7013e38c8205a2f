"""What does mixing add to a training step? Each batch mixer's time beside a step of MAE-DFER's paper model, on the CPU.

    python timings/mixing.py [--batch 4]

The baseline, in the same run, is the step without mixing: forward, loss, backward and AdamW, on two threads. Steps and
mixings alternate, five times each after one to warm up; medians are printed. "midas, by hand" is the formula as one
would write it first: two scaled copies of the batch and their sum.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import statistics
import time
from collections.abc import Callable

import torch
from mmaction.structures import ActionDataSample
from tabulate import tabulate

from benchmark.registry import registry
from benchmark.specs import load_object
from benchmark.training.adapter import import_mmaction
from benchmark.training.model import build_recipe

import_mmaction()

from mmaction.registry import MODELS  # noqa: E402

METHOD, CLASSES, THREADS, TIMES = "mae-dfer", 7, 2, 5


def by_hand(clips: torch.Tensor, lam: float = 0.3) -> torch.Tensor:
    """MIDAS's equation 2 as it stands."""
    return lam * clips + (1 - lam) * clips[torch.randperm(len(clips))]


def mixers(labels: torch.Tensor) -> dict[str, Callable[[torch.Tensor], object]]:
    """What mixes a batch of clips with these labels, by name."""
    works: dict[str, Callable[[torch.Tensor], object]] = {"midas, by hand": by_hand}
    for name, spec in sorted(registry().augmentations.items()):
        if "batch" in spec.touches:
            for module in spec.imports:
                importlib.import_module(module)
            blending = MODELS.build(load_object(spec.build)(num_classes=CLASSES, **spec.options))
            works[name] = functools.partial(blend, blending, labels)
    return works


def blend(blending: Callable[..., object], labels: torch.Tensor, clips: torch.Tensor) -> object:
    """The clips as the plugin mixes them."""
    return blending(clips, samples(labels))


def samples(labels: torch.Tensor) -> list[ActionDataSample]:
    """Annotated clips, as the loader makes them."""
    return [ActionDataSample(metainfo={"clip_id": str(n)}).set_gt_label(label) for n, label in enumerate(labels)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4)
    batch = parser.parse_args().batch
    torch.set_num_threads(THREADS)
    spec = registry().methods[METHOD]
    preset = spec.presets["paper"]
    recipe = load_object(spec.recipe)(preset, CLASSES)
    model = build_recipe(recipe, preset).train()
    optimizer = torch.optim.AdamW(model.parameters())
    labels = torch.eye(CLASSES)[torch.arange(batch) % CLASSES]
    clips = torch.rand(batch, 1, 3, preset.sampling.frames, preset.size, preset.size)

    def step() -> None:
        model.parse_losses(model(clips, samples(labels), mode="loss"))[0].backward()
        optimizer.step()
        optimizer.zero_grad()

    works = {"training step": step} | {name: lambda mix=mix: mix(clips) for name, mix in mixers(labels).items()}
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(1 + TIMES):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    rows = [[name, 1000 * took, took / medians["training step"]] for name, took in medians.items()]
    print(tabulate(rows, ["", "ms", "share of the step"], floatfmt=("", ".2f", ".2%")))


if __name__ == "__main__":
    main()
