"""Write made-up clips in CREMA-D's tree: Flash videos of actors, votes by voice, face and both, and face crops."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmark.datasets.synthetic.emotions import perform
from benchmark.datasets.synthetic.labels import draw_votes
from benchmark.datasets.synthetic.scenes import film
from benchmark.datasets.synthetic.studio import check_number, draw_length, generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_frames, write_prepared_mark, write_table, write_video
from benchmark.specs import ReportProgress

# In the order of the columns of votes, whose names are the initials.
EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
SENTENCES = ("IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI")
# In the official lists, but without a usable video.
BROKEN = ("1064_IEO_DIS_MD", "1064_TIE_SAD_XX", "1076_MTI_NEU_XX", "1076_MTI_SAD_XX")
ACTORS = 91

_FEWEST_ACTORS = 2
# How clearly the emotion comes across, by voice, by face and by both.
_CLARITY = (0.45, 0.7, 0.75)
_RACES = ("Caucasian", "African American", "Asian", "Unknown")


@dataclass(frozen=True)
class _ClipPlan:
    """All that a worker needs to make one clip; `number` is its number in the official list."""

    number: int
    name: str
    seed: int


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic CREMA-D with `clips` clips that have a video to the folder `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, when
    there are too few clips for two actors in every emotion, or more than 82 for each of 91, or `seed` is negative.
    """
    takes = _takes()
    least, most = _FEWEST_ACTORS * len(EMOTIONS), ACTORS * len(takes) - len(BROKEN)
    check_number(clips, least, most)
    with new_tree(out, "crema-d", clips, seed) as tree:
        actors = range(1001, 1001 + min(ACTORS, clips // len(EMOTIONS)))
        plans = [_ClipPlan(number, name, seed) for number, name in enumerate(_names(actors, takes, clips), start=1)]
        filmed = [plan for plan in plans if plan.name not in BROKEN]
        make_all(partial(_make_clip, tree), filmed, report, workers)
        write_prepared_mark(tree / "faces", [plan.name for plan in filmed])
        _write_lists(tree, plans, actors, seed)


def _takes() -> list[str]:
    """An actor's 82 takes, such that the first six show every emotion."""
    plain = [f"{sentence}_{emotion}_XX" for sentence in SENTENCES[1:] for emotion in EMOTIONS]
    levels = [f"IEO_{emotion}_{level}" for level in ("LO", "MD", "HI") for emotion in EMOTIONS if emotion != "NEU"]
    return [*plain, "IEO_NEU_XX", *levels]


def _names(actors: Sequence[int], takes: Sequence[str], clips: int) -> list[str]:
    """The clips' names, actor by actor: so many that `clips` of them have a video."""
    dealt = (f"{actor}_{take}" for take in takes for actor in actors)
    names: list[str] = []
    while clips:
        names.append(next(dealt))
        clips -= names[-1] not in BROKEN
    return sorted(names)


def _make_clip(tree: Path, plan: _ClipPlan) -> None:
    rng = generator("crema-d", plan.seed, plan.number)
    emotion = EMOTIONS[plan.name.split("_")[2]]
    scenes, crops = film(perform({emotion: 1.0}, draw_length(plan.number, rng), rng), rng)
    write_video(tree / "VideoFlash" / f"{plan.name}.flv", scenes, plan.number)
    write_frames(tree / "faces/crops" / plan.name, crops, clip=plan.number)


def _write_lists(tree: Path, plans: Sequence[_ClipPlan], actors: Sequence[int], seed: int) -> None:
    rng = generator("crema-d", seed, 0, 0)
    write_table(tree / "SentenceFilenames.csv", [("Stimulus_Number", "Filename"), *((p.number, p.name) for p in plans)])
    people = [
        (
            actor,
            int(rng.integers(20, 75)),
            ("Male", "Female")[actor % 2],
            str(rng.choice(_RACES)),
            ("Not Hispanic", "Hispanic")[int(rng.uniform() < 0.15)],
        )
        for actor in actors
    ]
    write_table(tree / "VideoDemographics.csv", [("ActorID", "Age", "Sex", "Race", "Ethnicity"), *people])
    header = ("", *(emotion[0] for emotion in EMOTIONS), "fileName", "numResponses", "agreement", "emoVote")
    rows = [
        _vote_row(100_000 * shown + plan.number, plan.name, clarity, rng)
        for (shown, clarity), plan in itertools.product(enumerate(_CLARITY, start=1), plans)
    ]
    write_table(tree / "processedResults/tabulatedVotes.csv", [header, *rows])


def _vote_row(number: int, name: str, clarity: float, rng: np.random.Generator) -> tuple[object, ...]:
    """One line of the table of votes; several emotions that tie are joined by a colon."""
    label = EMOTIONS[name.split("_")[2]]
    other = str(rng.choice([emotion for emotion in EMOTIONS.values() if emotion != label]))
    voters = int(rng.integers(7, 13))
    votes = draw_votes({label: clarity, other: 1 - clarity}, rng, tuple(EMOTIONS.values()), voters)
    most = max(votes.values())
    winners = ":".join(key[0] for key, emotion in EMOTIONS.items() if votes[emotion] == most)
    return (number, *votes.values(), name, voters, most / voters, winners)
