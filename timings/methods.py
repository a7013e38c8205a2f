"""How long does a clip take? Each method's paper model against its official implementation, on two CPU threads.

    python timings/methods.py [METHOD ...]

A training step (forward, cross-entropy or the pre-training's own loss, backward; no optimiser) of a batch of two, in
train mode: median of three steps after one to warm up, each model in a process of its own. The official column is the
baseline: seconds that the official code took for the same step on two cores of an AMD EPYC server (float32, torch
2.13). It was taken on that machine, not in this run: on another one compare the ratios of methods with each other.
Inference is a forward pass in eval mode. Peak is the process's largest resident memory, Python and torch included.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import resource
import statistics
import sys
import time
from typing import Any

from tabulate import tabulate

from benchmark.registry import registry
from benchmark.specs import Sampling, load_object

THREADS, BATCH, CLASSES = 2, 2, 7
MASKED = "masked"
# Seconds per clip of the official training step, by method, pre-training or none, and changes of the paper preset.
OFFICIAL: tuple[tuple[str, str, dict[str, Any], float], ...] = (
    ("former-dfer", "", {}, 0.4564),
    ("gca-ial", "", {}, 0.2808),
    ("m3dfel", "", {}, 1.3374),
    ("s2d", "", {}, 10.7578),
    ("tsm", "", {}, 0.6876),
    ("videomae", "", {}, 12.3316),
    ("videomae", "", {"size": 160}, 3.2135),
    ("videomae", MASKED, {}, 1.5189),
    ("mae-dfer", "", {}, 2.599),
    ("mae-dfer", MASKED, {}, 0.8282),
    ("aen", "", {}, 0.337),
    ("v-naw", "", {"sampling": Sampling(clips=16)}, 4.4573),
)


def measure(method: str, stage: str, changes: dict[str, Any]) -> tuple[float, float, float]:
    """Seconds per clip of a training step and of inference, and the peak of memory in GiB."""
    import torch
    from mmaction.structures import ActionDataSample

    from benchmark.training.model import build_recipe

    torch.set_num_threads(THREADS)
    spec = registry().methods[method]
    source = spec.pretrainings[stage] if stage else spec
    preset = dataclasses.replace(source.presets["paper"], **changes)
    recipe = load_object(source.recipe)(preset, 0 if stage else CLASSES)
    model = build_recipe(recipe, preset)
    frames, size = preset.sampling.frames, preset.size
    flat = recipe.format_shape == "NCHW"
    inputs = torch.rand(BATCH, *((frames, 3, size, size) if flat else (1, 3, frames, size, size)))
    labels = torch.arange(BATCH) % CLASSES
    samples = [ActionDataSample().set_gt_label(int(label)) for label in labels]

    def train() -> None:
        if stage:
            loss = model.parse_losses(model(inputs, samples, mode="loss"))[0]
        else:
            scores = model(inputs, mode="tensor", stage="head")
            scores, expected = scores.flatten(0, -2), labels.repeat_interleave(scores[0].numel() // CLASSES)
            loss = torch.nn.functional.cross_entropy(scores, expected)
        loss.backward()
        model.zero_grad()

    def predict() -> None:
        with torch.inference_mode():
            model(inputs, mode="tensor", stage="head")

    model.train()
    training = _median(train)
    model.eval()
    inference = float("nan") if stage else _median(predict)
    return training / BATCH, inference / BATCH, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _median(work: Any, times: int = 3) -> float:
    work()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main(wanted: list[str]) -> None:
    """Measure and print."""
    rows = []
    context = multiprocessing.get_context("spawn")
    for method, stage, changes, official in OFFICIAL:
        if wanted and method not in wanted:
            continue
        print(f"{method} {stage} {changes or ''}", file=sys.stderr, flush=True)
        with context.Pool(1) as pool:
            training, inference, peak = pool.apply(measure, (method, stage, changes))
        name = " ".join(filter(None, [method, stage, *(f"{key}={value}" for key, value in changes.items())]))
        rows.append([name, official, training, official / training, inference, peak])
    print(
        tabulate(rows, ["", "official s/clip", "ours s/clip", "ratio", "inference s/clip", "peak GiB"], floatfmt=".3f")
    )


if __name__ == "__main__":
    main(sys.argv[1:])
