"""Write made-up sung takes in RAVDESS's tree: six emotions, and nobody called 18."""

from __future__ import annotations

from pathlib import Path

from benchmark.datasets.synthetic.ravdess import ACTORS, EMOTIONS, write_takes
from benchmark.specs import ReportProgress


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write `clips` synthetic sung takes of RAVDESS to the folder `out`; as the spoken ones are written."""
    singers = [actor for actor in ACTORS if actor != 18]
    write_takes(out, "ravdess-song", "02", EMOTIONS[:6], singers, clips, seed, report, workers)
