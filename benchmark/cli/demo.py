"""The demo's data, made when a command asks for `--demo`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmark.cli.progress import counting
from benchmark.datasets.synthetic import MARKER
from benchmark.files import write_json
from benchmark.locks import exclusive
from benchmark.planning.demo import CLIPS, SEED, demo_root
from benchmark.registry import registry
from benchmark.specs import load_object

MADE = {"made by": "--demo"}


def demo_data(datasets: Iterable[str]) -> Path:
    """A data root with the synthetic stand-ins of these datasets, each made once and kept in the cache.

    The root and every dataset in it are marked here, whatever a plugin's dataset does.
    """
    root = demo_root()
    if not (root / MARKER).is_file():
        write_json(root / MARKER, MADE)
    for dataset in datasets:
        layout = registry().find("datasets", dataset)
        # Two commands at once: the second one waits for the first one's clips.
        with exclusive(root / f".{dataset}", patience=600):
            if not (root / dataset / MARKER).is_file():
                with counting(f"synthesizing {dataset}") as report:
                    load_object(layout.synthesize)(root / dataset, CLIPS, SEED, report)
                if not (root / dataset / MARKER).is_file():
                    write_json(root / dataset / MARKER, MADE)
    return root
