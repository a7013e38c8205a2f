"""Write made-up clips in BlEmoRe's distributed tree: one emotion, or two in stated shares, shown by actors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations, cycle, islice
from pathlib import Path

from benchmark.datasets.synthetic.emotions import perform
from benchmark.datasets.synthetic.scenes import film
from benchmark.datasets.synthetic.studio import draw_length, generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_frames, write_prepared_mark, write_table, write_video
from benchmark.errors import UsageError
from benchmark.specs import ReportProgress

# The names on disk.
EMOTIONS = {"angry": "ang", "disgust": "disg", "fear": "fea", "happy": "hap", "sad": "sad"}
SHARES = ((50, 50), (30, 70), (70, 30))
FOLDS, ACTORS = 5, 15
HEADER = (
    *("filename", "video_id", "gender", "mix", "emotion_1", "version", "intensity_level", "situation"),
    *("emotion_2", "emotion_1_salience", "emotion_2_salience", "fold"),
)
_LEVELS = 4


@dataclass(frozen=True)
class ClipPlan:
    """All that a worker needs to make one clip.

    mixture: the share of each emotion, in percent, in the order of the list. level: the intensity, or the situation of
    a neutral clip.
    """

    number: int
    actor: int
    mixture: tuple[tuple[str, int], ...]
    level: int
    seed: int

    @property
    def id(self) -> str:
        """The clip's name: what it shows is part of it."""
        names = [EMOTIONS.get(name, "neu") for name, _ in self.mixture]
        if len(names) == 2:
            return f"A{self.actor}_mix_{'_'.join(names)}_{self.mixture[0][1]}_{self.mixture[1][1]}_ver{self.number}"
        return f"A{self.actor}_{names[0]}_{'sit' if names == ['neu'] else 'int'}{self.level}_ver{self.number}"

    @property
    def fold(self) -> int:
        """The official fold, counted from 0, that all clips of the actor are in."""
        return self.actor % FOLDS

    @property
    def row(self) -> tuple[object, ...]:
        """The clip's row in the list; numbers as data frames save columns with gaps."""
        blend, neutral = len(self.mixture) == 2, self.mixture[0][0] == "neutral"
        first, second = EMOTIONS.get(self.mixture[0][0], "neu"), EMOTIONS[self.mixture[1][0]] if blend else ""
        level = f"{self.level}.0"
        return (
            *(self.id, f"A{self.actor}", "fm"[self.actor % 2], int(blend), first, self.number),
            *("" if blend or neutral else level, level if neutral else ""),
            *(second, *((f"{share}.0" for _, share in self.mixture) if blend else ("", "")), self.fold),
        )


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic BlEmoRe with `clips` clips by fifteen actors to the folder `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, when
    there are not two clips for each actor, or when `seed` is negative.
    """
    if clips < 2 * ACTORS:
        raise UsageError(
            f"{clips} synthetic clips are too few: each of {ACTORS} actors needs 2. Ask for {2 * ACTORS} or more."
        )
    with new_tree(out, "blemore", clips, seed) as tree:
        rng = generator("blemore", seed, 0, 0)
        kinds = [_kinds(int(start)) for start in rng.integers(0, 60, ACTORS)]
        plans = [_plan(number, kinds[number % ACTORS], seed) for number in range(1, clips + 1)]
        make_all(partial(_make_clip, tree), plans, report, workers)
        rows = sorted((plan.row for plan in plans), key=lambda row: str(row[0]))
        write_prepared_mark(tree / "faces", [plan.id for plan in plans])
        write_table(tree / "train_metadata.csv", [HEADER, *rows])


def _plan(number: int, kinds: Iterator[tuple[tuple[str, int], ...]], seed: int) -> ClipPlan:
    """Clips go round the actors, whose numbers begin with 101; each shows its next kind."""
    return ClipPlan(number, 101 + number % ACTORS, next(kinds), number // ACTORS % _LEVELS + 1, seed)


def _kinds(start: int) -> Iterator[tuple[tuple[str, int], ...]]:
    """What an actor shows, in turn: about as many single emotions as blends, as in the original."""
    singles = [((name, 100),) for name in (*EMOTIONS, "neutral")]
    blends = [((one, own), (other, rest)) for own, rest in SHARES for one, other in combinations(EMOTIONS, 2)]
    both = [kind for pair in zip(islice(cycle(singles), len(blends)), blends, strict=True) for kind in pair]
    return islice(cycle(both), start, None)


def _make_clip(tree: Path, plan: ClipPlan) -> None:
    """Write one clip's video, of the whole scene, and its face crops."""
    rng = generator("blemore", plan.seed, plan.number)
    mixture = {name: share / 100 for name, share in plan.mixture}
    scenes, crops = film(perform(mixture, draw_length(plan.number, rng), rng), rng)
    write_video(tree / f"part_{plan.number % 2 + 1:02d}" / f"{plan.id}.mov", scenes, plan.number)
    write_frames(tree / "faces" / "crops" / plan.id, crops, clip=plan.number)
