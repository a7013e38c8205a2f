"""Several looks at a clip, as official evaluations take them; each different one is predicted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS

from benchmark.files import write_json
from benchmark.specs import Sampling, Views
from benchmark.training.loop import samples_of
from benchmark.units.clip_names import Names
from benchmark.video.frames import open_clip
from benchmark.video.sampling import view_frames

# One clip's class probabilities under one view.
Scored = tuple[str, np.ndarray]


@TRANSFORMS.register_module()
class ViewCrop:
    """Of frames whose shorter side is `crop_size`, the square that `results["view"]` says: number `k` of `of` in a row.

    The first is at the beginning of the longer side, the last at its end.
    """

    def __init__(self, crop_size: int) -> None:
        self.crop_size = crop_size

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace `imgs`, a list of frames (H, W, 3)."""
        height, width = results["imgs"][0].shape[:2]
        k, of = results["view"]["crop"]
        start = int(k * (max(height, width) - self.crop_size) / max(of - 1, 1))
        top, left = (start, 0) if height >= width else (0, start)
        size = self.crop_size
        results["imgs"] = [frame[top : top + size, left : left + size] for frame in results["imgs"]]
        results["img_shape"] = results["imgs"][0].shape[:2]
        return results


def viewed(
    loader: Mapping[str, Any], views: Views, sampling: Sampling, names: Names | None = None
) -> tuple[dict[str, Any], list[int]]:
    """The config of a loader over every different view of each clip, and how many of the views each of them is.

    names: what the clips' names stand for, where they are opaque.

    Views are the same where a clip is too short for other frames, and where nothing is left to crop.
    """
    dataset = dict(loader["dataset"])
    crops = views.crops if any(step["type"] == "CenterCrop" for step in dataset["pipeline"]) else 1
    rows, weights = [], []
    for row in samples_of(loader):
        path = names.path_of(row["clip_id"]) if names else row["path"]
        clip = open_clip(Path(dataset["pipeline"][0]["data_root"]) / path)
        runs = [tuple(map(int, run)) for run in view_frames(clip.count, sampling, views.segments)]
        height, width = clip.read([0])[0].shape[:2] if crops > 1 else (1, 1)
        places = range(crops) if height != width else [0]
        looks = Counter((run, place) for run in runs for place in places)
        for (run, place), times in looks.items():
            rows.append({**row, "view": {"frames": run, "crop": (place, len(places))}})
            weights.append(times)
    split = Path(dataset["ann_file"])
    dataset["ann_file"] = str(split.with_name(f"{split.stem}.views.json"))
    write_json(Path(dataset["ann_file"]), {"metainfo": {"split": split.stem}, "data_list": rows})
    dataset["pipeline"] = [
        {"type": "ViewCrop", "crop_size": step["crop_size"]} if step["type"] == "CenterCrop" else step
        for step in dataset["pipeline"]
    ]
    return {**loader, "dataset": dataset}, weights


def averaged(scores: Sequence[Scored], weights: Sequence[int]) -> list[Scored]:
    """The mean probabilities of each clip over its views, in the order of the clips."""
    sums: dict[str, np.ndarray] = {}
    counts: Counter[str] = Counter()
    for (name, probabilities), weight in zip(scores, weights, strict=True):
        sums[name] = sums.get(name, 0.0) + weight * probabilities
        counts[name] += weight
    return [(name, total / counts[name]) for name, total in sums.items()]
