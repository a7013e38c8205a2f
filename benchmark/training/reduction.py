"""Checkpoints of finished trainings, without what only going on would need."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmark.files import replacing
from benchmark.training.hooks import BEST, LAST, link_best
from benchmark.training.torchfile import read_torch

# What of a checkpoint says what the model is; the rest is of its optimiser and schedule.
KEPT = ("state_dict", "meta")


def reduce_checkpoints(folder: Path) -> None:
    """Reduce `last.pth` and, where it is there, `best.pth` to weights, history and origin.

    A kill in between is mended by doing it again, and so is one before the selected checkpoint's hash is written down.
    """
    last, best = folder / LAST, folder / BEST
    linked = best.exists() and best.samefile(last)
    reduce_checkpoint(last)
    if linked:
        link_best(folder)
    elif best.exists():
        reduce_checkpoint(best)


def reduce_checkpoint(path: Path) -> None:
    """Reduce one checkpoint of our own, in one rename; one that is reduced is left as it is."""
    content = read_torch(path)
    if content.keys() <= set(KEPT):
        return
    # Through an open file: torch would write the temporary name into one that it opens by itself.
    with replacing(path) as temporary, open(temporary, "wb") as file:
        torch.save({key: content[key] for key in KEPT}, file)
