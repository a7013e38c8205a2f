"""The demo: its rows, and its synthetic data, made when they are asked for."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmark.datasets.synthetic import MARKER
from benchmark.files import write_json
from benchmark.locks import exclusive
from benchmark.planning.request import Variant, find_protocol, parse_augmentation
from benchmark.plugin_functions import synthesize_dataset
from benchmark.protocol import Protocol
from benchmark.registry import registry
from benchmark.version import __version__
from benchmark.watcher import Watcher

# Another command that is making the same data is waited for.
PATIENCE = 600
MADE = {"made by": "--demo"}


@dataclass(frozen=True)
class Demo:
    """`demo.yaml` beside this file.

    rows: what `run` shows, as keywords of a row of a sweep file. videos: a dataset, and the folder in it whose videos
    are learned from without labels. images: a dataset of labelled images. clips, seed: of every synthetic dataset.
    """

    rows: Sequence[dict[str, Any]]
    videos: dict[str, str]
    images: dict[str, str]
    clips: int
    seed: int


@functools.cache
def demo() -> Demo:
    """What the demo shows."""
    return Demo(**yaml.safe_load((Path(__file__).parent / "demo.yaml").read_text(encoding="utf-8")))


def demo_variants(protocol: str) -> tuple[Variant, ...]:
    """The demo's rows, without those that learn from votes where the protocol's dataset has none."""
    votes = registry().find("datasets", find_protocol(protocol).dataset).votes
    variants = [
        Variant(row["method"], tuple(map(parse_augmentation, row.get("augment", ()))), row.get("labels", "hard"))
        for row in demo().rows
    ]
    return tuple(variant for variant in variants if votes or variant.labels == "hard")


def demo_root() -> Path:
    """The data root that the demo fills; its folders are called after the datasets."""
    # Needs OpenCV, which takes a while to import.
    from benchmark.datasets.synthetic.studio import GENERATOR
    from benchmark.video.cache import cache_folder

    return cache_folder() / f"demo-{demo().clips}-{demo().seed}-{__version__}-{GENERATOR}"


def demo_data(datasets: Iterable[str], watcher: Watcher) -> Path:
    """A data root with the synthetic stand-ins of these datasets, each made once and kept in the cache.

    The root and every dataset in it are marked here, whatever a plugin's dataset does.
    """
    root = demo_root()
    if not (root / MARKER).is_file():
        write_json(root / MARKER, MADE)
    for dataset in dict.fromkeys(datasets):
        layout = registry().find("datasets", dataset)
        with exclusive(root / f".{dataset}", patience=PATIENCE):
            if not (root / dataset / MARKER).is_file():
                with watcher.counting(f"synthesizing {dataset}") as report:
                    synthesize_dataset(layout, root / dataset, demo().clips, demo().seed, report)
                if not (root / dataset / MARKER).is_file():
                    write_json(root / dataset / MARKER, MADE)
    return root


def datasets_of(protocols: Iterable[Protocol]) -> list[str]:
    """The datasets that the protocols train and test on."""
    return [name for p in protocols for name in (p.dataset, p.test_on.dataset if p.test_on else p.dataset)]
