"""A dataset of pictures with one colour for each class, drawn in a second, with the protocol that divides it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from benchmark.datasets.synthetic import MARKER
from benchmark.files import write_json

PROTOCOL = Path(__file__).with_name("plugin-check.yaml")
# Clips of each class in each split, frames of a clip, and their size.
SPLITS = {"train": 3, "val": 1, "test": 1}
FRAMES, SIZE = 10, 48
SEED = 0


def classes() -> list[str]:
    """Those of the protocol."""
    return yaml.safe_load(PROTOCOL.read_text(encoding="utf-8"))["classes"]


def write_clips(root: Path, poisoned: bool = False) -> Path:
    """Write the dataset to `root`; `poisoned`, every test clip is labelled as another class than it shows."""
    # Needs OpenCV, which takes a while to import.
    from benchmark.datasets.synthetic.writing import write_frames, write_table

    rng, rows = np.random.default_rng(SEED), []
    names = classes()
    colours = rng.integers(0, 196, (len(names), 3))
    number = 0
    for split, count in SPLITS.items():
        for label, name in enumerate(names):
            for _ in range(count):
                number += 1
                frames = (rng.integers(0, 60, (FRAMES, SIZE, SIZE, 3)) + colours[label]).astype(np.uint8)
                write_frames(root / f"frames/{number:03d}", frames, "{:05d}.png", number)
                other = names[(label + 1) % len(names)] if poisoned and split == "test" else name
                rows.append((f"clip-{number:03d}", f"frames/{number:03d}", other, split))
    write_table(root / "clips.csv", [("clip_id", "path", "label", "split"), *rows])
    write_json(root / MARKER, {"made by": "check-plugin"})
    return root


def write_protocol(path: Path, order: list[str]) -> Path:
    """Write the protocol with its classes in another order."""
    values = yaml.safe_load(PROTOCOL.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**values, "name": path.stem, "classes": order}), encoding="utf-8")
    return path
