"""Many clips cropped, in worker processes; what is done is kept, so that a long job can go on after a kill."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmark.errors import UsageError
from benchmark.faces.clip_crops import CROPS, HALF, ClipFaces, crop_clip, every_clip
from benchmark.faces.crops import CROPS_FILE, Crops, read_crops_file, write_crops_file
from benchmark.faces.loading import load_detector
from benchmark.faces.recipe import CropRecipe
from benchmark.files import remove_leftovers, write_text
from benchmark.locks import exclusive
from benchmark.processes import follow_parent, worker_pool
from benchmark.specs import ReportProgress
from benchmark.video.clip import UnreadableClip
from benchmark.video.decoders import every_decoder

TABLE = "faces.csv"
DIED = (
    "a worker process died while it looked for faces, for lack of memory or in the video decoder; nothing finished is "
    "lost: run the same command again, with a smaller --workers"
)


@dataclass(frozen=True)
class Prepared:
    """What was found in the clips that were asked for, by name, and why others could not be read."""

    clips: tuple[ClipFaces, ...]
    unreadable: tuple[str, ...]


def prepare_clips(
    clips: Mapping[str, Path], output: Path, recipe: CropRecipe, synthetic: bool, workers: int, report: ReportProgress
) -> Prepared:
    """Crop the faces of clips, by name, below `output`, see `clip_crops`; with `crops.json` and a table.

    Raises UsageError where `output` holds crops of another recipe or made by other software.
    """
    recipe.check()
    # Said before anything is written, and once.
    load_detector(recipe.detector)
    with exclusive(output):
        crops = Crops(
            recipe=recipe, hash=recipe.hash, made_with=_made_with(), synthetic=synthetic, complete=False, shares={}
        )
        _check_same(output / CROPS / CROPS_FILE, crops)
        write_crops_file(output / CROPS, crops)
        remove_leftovers(output)
        shutil.rmtree(output / HALF, ignore_errors=True)
        found, unreadable = _crop_all(clips, output, recipe, workers, report)
        shutil.rmtree(output / HALF, ignore_errors=True)
        # Also those of earlier commands.
        done = list(every_clip(output))
        write_text(output / TABLE, table(done))
        shares = {folder: clip.share(folder) for clip in done for folder in clip.folders}
        write_crops_file(output / CROPS, crops.model_copy(update={"complete": True, "shares": shares}))
    return Prepared(tuple(found[name] for name in clips if name in found), tuple(unreadable))


def table(clips: Sequence[ClipFaces]) -> str:
    """What was found, one line of CSV for each folder of crops."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["clip", "frames", "found", "share", "kept", "longest_gap", "passed_over"])
    for clip in clips:
        people = {person.clip: person for person in clip.people}
        for folder in clip.folders:
            person = people.get(folder)
            numbers = (person.found, person.kept, person.longest_gap) if person else (clip.best, 0, clip.frames)
            found, kept, gap = numbers
            writer.writerow([folder, clip.frames, found, clip.share(folder), kept, gap, clip.passed_over])
    return text.getvalue()


def _crop_all(
    clips: Mapping[str, Path], output: Path, recipe: CropRecipe, workers: int, report: ReportProgress
) -> tuple[dict[str, ClipFaces], list[str]]:
    found: dict[str, ClipFaces] = {}
    faults: dict[str, str] = {}

    def take(name: str, outcome: ClipFaces | str) -> None:
        if isinstance(outcome, str):
            faults[name] = outcome
        else:
            found[name] = outcome
        report(len(found) + len(faults), len(clips))

    workers = min(workers, len(clips))
    if workers <= 1:
        for name, path in clips.items():
            take(name, _crop(path, name, output, recipe))
    else:
        with worker_pool(workers, _start_worker, died=DIED) as pool:
            futures = {pool.submit(_crop, path, name, output, recipe): name for name, path in clips.items()}
            for future in as_completed(futures):
                take(futures[future], future.result())
    return found, [faults[name] for name in clips if name in faults]


def _start_worker() -> None:
    follow_parent()
    cv2.setNumThreads(1)


def _crop(path: Path, name: str, output: Path, recipe: CropRecipe) -> ClipFaces | str:
    """What was found in a clip, or why it could not be read."""
    try:
        return crop_clip(path, name, output, recipe)
    except UnreadableClip as error:
        return str(error)


def _made_with() -> dict[str, str]:
    return {"decoders": every_decoder(), "opencv": cv2.__version__, "numpy": np.__version__}


def _check_same(path: Path, wanted: Crops) -> None:
    if not path.is_file():
        return
    there = read_crops_file(path)
    for what, first, second in (
        ("by the recipe", there.recipe.title, wanted.recipe.title),
        ("with", there.made_with, wanted.made_with),
        ("of synthetic data:", there.synthetic, wanted.synthetic),
    ):
        if first != second:
            raise UsageError(
                f"{path.parent}: holds crops made {what} {first}, not {second}; nothing was changed: use another "
                f"--output, or delete {path.parent.parent}"
            )
