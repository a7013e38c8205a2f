"""What the READMEs of plugins say, to be held against the configuration; and the official codes' choice of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import benchmark_plugins
from benchmark.registry import registry
from benchmark.specs import Preset, load_object
from benchmark.units.presets import chosen_preset
from benchmark.units.recipe_text import recipe_facts
from benchmark.video.sampling import sample_frames

PLUGINS = Path(next(iter(benchmark_plugins.__path__)))
HEADER = "| item | paper | official code | here | why |"
FOLDERS = {
    **{name: name.replace("-", "_") for name in registry().methods},
    **dict.fromkeys(("c3d", "i3d", "r2plus1d", "r3d-18", "resnet18-lstm", "resnet18-gru"), "baselines"),
}
DATASETS = {
    "dfew": "DFEW",
    "ferv39k": "FERV39k",
    "ferv39k-plus": "FERV39k-Plus",
    "mafw": "MAFW",
    "afew": "AFEW",
    "affwild2": "Aff-Wild2",
}
# Which datasets the papers report a method on: its own, and the MIDAS paper for all but AEN and V-NAW.
PAPERS = {
    "former-dfer": ("dfew", "ferv39k", "ferv39k-plus", "afew"),
    "gca-ial": ("dfew", "ferv39k", "ferv39k-plus"),
    "m3dfel": ("dfew", "ferv39k", "ferv39k-plus"),
    "s2d": ("dfew", "ferv39k", "ferv39k-plus", "mafw"),
    "tsm": ("dfew", "ferv39k-plus"),
    "videomae": ("dfew", "ferv39k-plus"),
    "mae-dfer": ("dfew", "ferv39k", "ferv39k-plus", "mafw"),
    "aen": ("dfew", "ferv39k", "afew"),
    "v-naw": ("affwild2",),
}


def lines_under(readme: Path, heading: str) -> list[str]:
    """The lines of a section, with those of the sections below it."""
    lines = readme.read_text(encoding="utf-8").splitlines()
    start = lines.index(heading) + 1
    depth = len(heading.split()[0])
    ends = (n for n, line in enumerate(lines[start:], start) if line.startswith("#") and len(line.split()[0]) <= depth)
    return lines[start : next(ends, len(lines))]


def table(lines: list[str], header: str) -> list[list[str]]:
    """The cells of the first table with that header, without backticks."""
    start = lines.index(header) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")])
    return rows


def expected(method: str, stage: str | None = None) -> dict[str, str]:
    """What the column `here` has to say, by item: the recipe, and after each item what is different on a dataset."""
    spec = registry().methods[method]
    if stage is None:
        recipe, preset, classes = spec.recipe, spec.presets["paper"], 7
    else:
        pretraining = spec.pretrainings[stage]
        recipe, preset = pretraining.recipe, pretraining.presets["paper"]
        classes = 0 if pretraining.data == "videos" else 7

    def facts(on: Preset) -> dict[str, str]:
        found = recipe_facts(load_object(recipe)(on, classes), on)
        return {
            key: text.replace("`", "")
            for key, text in found.items()
            if not stage or key not in ("testing", "official views")
        }

    plain = facts(preset.on(""))
    special = {dataset: facts(preset.on(dataset)) for dataset in sorted(preset.datasets)}
    items = {}
    for item, text in plain.items():
        items[item] = text
        others = {on[item] for on in special.values()} - {text}
        for other in sorted(others):
            names = [dataset for dataset, on in special.items() if on[item] == other]
            items[f"{item} on {', '.join(names)}"] = other
    return items


def summary(method: str, dataset: str) -> str:
    """The recipe on a dataset in a line."""
    spec = registry().methods[method]
    preset = chosen_preset(spec, "paper", {}, dataset)
    recipe = load_object(spec.recipe)(preset, 7)
    head, sampling = recipe.model["cls_head"], preset.sampling
    rate = preset.scaled(recipe.optim_wrapper["optimizer"]["lr"])
    parts = [
        f"{sampling.clips} x {sampling.length}, stride {sampling.stride}, {preset.size} px",
        f"batch {preset.batch_size} at {rate:.4g}",
        f"{preset.epochs} epochs",
        *(["mixup or cutmix"] if recipe.mixing else []),
        *([f"smoothing {head['label_smooth_eps']:g}"] if head.get("label_smooth_eps") else []),
        *(["self-distillation"] if head.get("sdl") else []),
        *(["skipping and erasing"] if "SkipFrames" in str(recipe.train_transforms) else []),
    ]
    return "; ".join(parts)


def frames_here(method: str) -> str:
    """The frames of a clip of 25 of FERV39k that are seen in testing, as `benchmark show` prints them."""
    sampling = chosen_preset(registry().methods[method], "paper", {}, "ferv39k").sampling
    return _text(sample_frames(25, sampling, rng=None))


def _text(numbers: Iterator[int] | list[int] | np.ndarray) -> str:
    return " ".join(map(str, numbers))


def _segments_of_two(n: int) -> str:
    tick = (n - 1) / 8
    starts = [int(tick / 2 + tick * k) for k in range(8)]
    return _text([frame for start in starts for frame in (start, min(start + 1, n - 1))])


def _segments(count: int) -> Callable[[int], str]:
    return lambda n: _text([int(n / count / 2 + n / count * k) for k in range(count)])


def _two_windows(n: int) -> str:
    return f"{_text(list(range(16)))}; {_text(list(range(n - 16, n)))}"


# What the official codes see of `n` frames in testing, after their own formulas.
FRAMES: dict[str, Callable[[int], str]] = {
    "former-dfer": _segments_of_two,
    "gca-ial": _segments(16),
    "m3dfel": lambda n: f"{_text([int(n * i / 16) for i in range(16)])}, each plus a random 0 to 15",
    "s2d": _two_windows,
    "tsm": _segments(8),
    "videomae": lambda n: "no script for faces",
    "mae-dfer": _two_windows,
    "aen": _segments_of_two,
}
