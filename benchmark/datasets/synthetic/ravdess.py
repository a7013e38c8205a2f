"""Write made-up takes in RAVDESS's tree: actors' folders of videos with and without sound, and face crops."""

from __future__ import annotations

import itertools
import shutil
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmark.datasets.synthetic.emotions import perform
from benchmark.datasets.synthetic.scenes import film
from benchmark.datasets.synthetic.studio import check_number, draw_length, generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_frames, write_prepared_mark, write_video
from benchmark.specs import ReportProgress

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
ACTORS = tuple(range(1, 25))

# A protocol needs more, one for each side of a fold.
_FEWEST_ACTORS = 2
_SOUND_EVERY = 4


@dataclass(frozen=True)
class _ClipPlan:
    """All that a worker needs to make one take; `name` is its name behind the modality."""

    number: int
    name: str
    seed: int


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write `clips` synthetic spoken takes of RAVDESS to the folder `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, when
    there are too few clips for two actors in every emotion, or more than there are real ones, or `seed` is negative.
    """
    write_takes(out, "ravdess", "01", EMOTIONS, ACTORS, clips, seed, report, workers)


def write_takes(
    out: Path,
    dataset: str,
    channel: str,
    emotions: Sequence[str],
    actors: Sequence[int],
    clips: int,
    seed: int,
    report: ReportProgress,
    workers: int | None,
) -> None:
    """Write a channel of RAVDESS: as many actors as can show every emotion, each in nearly the same number of takes."""
    takes = _takes(channel, emotions)
    least, most = _FEWEST_ACTORS * len(emotions), len(actors) * len(takes)
    check_number(clips, least, most)
    with new_tree(out, dataset, clips, seed) as tree:
        chosen = actors[: clips // len(emotions)]
        names = [
            f"{take}-{actor:02d}"
            for position, actor in enumerate(chosen)
            for take in takes[: clips // len(chosen) + (position < clips % len(chosen))]
        ]
        plans = [_ClipPlan(number, name, seed) for number, name in enumerate(names, start=1)]
        make_all(partial(_make_clip, tree, dataset, emotions), plans, report, workers)
        write_prepared_mark(tree / "faces", [f"02-{name}" for name in names])


def _takes(channel: str, emotions: Sequence[str]) -> list[str]:
    """The numbers from channel to repetition of an actor's takes, such that the first ones show every emotion."""
    rounds: list[list[str]] = [[] for _ in range(8)]
    for emotion, name in enumerate(emotions, start=1):
        intensities = (1,) if name == "neutral" else (1, 2) if emotion % 2 else (2, 1)
        own = itertools.product((1, 2), (1, 2), intensities)
        for place, (statement, repetition, intensity) in zip(rounds, own, strict=False):
            place.append(f"{channel}-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}")
    return [take for place in rounds for take in place]


def _make_clip(tree: Path, dataset: str, emotions: Sequence[str], plan: _ClipPlan) -> None:
    """Write one take's two videos, its face crops and, of some, its sound."""
    rng = generator(dataset, plan.seed, plan.number)
    label = emotions[int(plan.name.split("-")[1]) - 1]
    scenes, crops = film(perform({label: 1.0}, draw_length(plan.number, rng), rng), rng)
    folder = tree / f"Actor_{plan.name[-2:]}"
    write_video(folder / f"02-{plan.name}.mp4", scenes, plan.number)
    shutil.copyfile(folder / f"02-{plan.name}.mp4", folder / f"01-{plan.name}.mp4")
    write_frames(tree / "faces/crops" / f"02-{plan.name}", crops, clip=plan.number)
    if plan.number % _SOUND_EVERY == 0:
        with wave.open(str(folder / f"03-{plan.name}.wav"), "wb") as sound:
            sound.setparams((1, 2, 48_000, 0, "NONE", ""))
            sound.writeframes(bytes(960))
