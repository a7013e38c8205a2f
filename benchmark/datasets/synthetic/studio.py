"""What every synthetic dataset needs: a tree that appears only when it is whole, and clips made by many processes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from benchmark.datasets.synthetic import MARKER
from benchmark.errors import UsageError
from benchmark.files import sync
from benchmark.processes import follow_parent, worker_pool
from benchmark.resources import cores
from benchmark.specs import ReportProgress

GENERATOR = 2  # raise it whenever the same seed starts to give other bytes, in any of the datasets in this package

DIED = "a worker process died while it made clips, perhaps for lack of memory: run the same command again"

Plan = TypeVar("Plan")
Made = TypeVar("Made")

_SHORT_EVERY = 25  # one clip in so many has fewer frames than the 16 that most methods ask for


@contextlib.contextmanager
def new_tree(out: Path, dataset: str, clips: int, seed: int, version: int = GENERATOR) -> Iterator[Path]:
    """Yield a folder to fill; when the block ends well, mark it as synthetic and rename it to `out`.

    Raises UsageError when `out` is not an absent or empty folder, or `seed` is negative.
    """
    if seed < 0:
        raise UsageError(f"The seed of a synthetic dataset cannot be negative, but is {seed}. Use 0 or more.")
    out = Path(out).absolute()
    _refuse_occupied(out)
    _remove_abandoned(out)
    unfinished = out.with_name(f".{out.name}.unfinished-{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        marker = {"dataset": dataset, "generator": version, "seed": seed, "clips": clips}
        with (unfinished / MARKER).open("w", encoding="utf-8") as file:
            file.write(json.dumps(marker) + "\n")
            file.flush()
            sync(file.fileno())
        _refuse_occupied(out)
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def check_number(clips: int, least: int, most: int) -> None:
    """UsageError for a number of clips with which actors cannot be given every emotion, or more than the real ones."""
    if clips < least:
        raise UsageError(
            f"{clips} synthetic clips are too few for two actors in all emotions. Ask for {least} or more."
        )
    if clips > most:
        raise UsageError(f"{clips} synthetic clips are more than the real dataset has. Ask for {most} or fewer.")


def make_all(
    make: Callable[[Plan], Made], plans: Sequence[Plan], report: ReportProgress, workers: int | None
) -> list[Made]:
    """Make all clips, in any order, on `workers` processes (by default one per CPU); what `make` returned, in the
    order of `plans`.

    `make` must be picklable and draw only from generators of its own, see `generator`.
    """
    workers = min(workers or cores(), len(plans))
    made: dict[int, Made] = {}
    if workers == 1:
        for number, plan in enumerate(plans):
            made[number] = make(plan)
            report(len(made), len(plans))
    else:
        with worker_pool(workers, _start_worker, died=DIED) as pool:
            numbers = {pool.submit(make, plan): number for number, plan in enumerate(plans)}
            for future in as_completed(numbers):
                made[numbers[future]] = future.result()
                report(len(made), len(plans))
    return [made[number] for number in range(len(plans))]


def _start_worker() -> None:
    follow_parent()
    cv2.setNumThreads(1)


def generator(dataset: str, *key: int) -> np.random.Generator:
    """A random generator of its own for every dataset and key, so that no two datasets share a clip.

    Clips count from 1, so (seed, 0, ...) is free for the plan. DFEW's name is empty, because it came first and its
    bytes must stay what they were.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([*key, *dataset.encode()])))


def draw_length(clip: int, rng: np.random.Generator) -> int:
    """A clip's number of frames: 16 to about 50, but 11 to 15 in a few clips (which, says the number `clip`)."""
    return int(rng.integers(11, 16)) if clip % _SHORT_EVERY == 0 else 16 + int(rng.gamma(2.0, 4.2))


def _remove_abandoned(out: Path) -> None:
    """Delete what a killed process left half done beside `out`."""
    for path in out.parent.glob(f".{out.name}.unfinished-*"):
        try:
            os.kill(int(path.name.rpartition("-")[2]), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
        except PermissionError:
            continue


def _refuse_occupied(out: Path) -> None:
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} exists and is not an empty folder. Choose another target or move it away first.")
