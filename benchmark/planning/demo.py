"""The demo's synthetic data: which, and where they lie."""

from __future__ import annotations

from pathlib import Path

from benchmark import __version__

CLIPS = 420
SEED = 0


def demo_root() -> Path:
    """The data root that `benchmark run --demo` fills; its folders are called after the datasets."""
    # Needs OpenCV, which takes a while to import.
    from benchmark.datasets.synthetic.studio import GENERATOR
    from benchmark.video.cache import cache_folder

    return cache_folder() / f"demo-{CLIPS}-{SEED}-{__version__}-{GENERATOR}"
