"""How often a 95 % interval holds the true score: frames of few videos, and clips.

    python timings/intervals.py [--draws 2000]

Videos are drawn as in a frame-wise test set: their lengths differ widely, each shows some classes only, and a model's
recall of a class differs from video to video. The true score is that of all videos there could be (300,000 are drawn).
Printed for each metric: the coverage and the mean half-width of the intervals that the benchmark publishes, of the
percentile bootstrap of whole videos, and of an interval that takes frames as independent; then how rank intervals do
on made-up leaderboards.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from benchmark.plugin_functions import ScoreConfusion
from benchmark.scoring.clipsets import ClipSet, spread_of_mean
from benchmark.scoring.intervals import interval
from benchmark.scoring.metrics import macro_f1, uar, war

METRICS: dict[str, ScoreConfusion] = {"UAR": uar, "WAR": war, "macro-F1": macro_f1}
# Aff-Wild2 has eight classes of which a few are rare; these shares and recalls are made up.
SHARES = np.array([0.38, 0.06, 0.04, 0.04, 0.17, 0.12, 0.07, 0.12])
RECALLS = np.array([0.6, 0.35, 0.25, 0.3, 0.6, 0.45, 0.4, 0.35])
POPULATION = 300_000


@dataclass(frozen=True)
class Design:
    """A kind of test set: number of videos, how many classes one shows, and how alike a model treats them.

    mixing: concentration of a video's class shares; the smaller, the fewer classes it shows. alike: concentration of a
    class's answers in one video around the model's; the larger, the more alike videos are.
    """

    name: str
    videos: int
    mixing: float
    alike: float


DESIGNS = (
    Design("70 videos of many classes", 70, 2.0, 3.0),
    Design("70 videos of few classes", 70, 0.5, 3.0),
    Design("70 videos, treated alike", 70, 1.0, 8.0),
    Design("25 videos of many classes", 25, 2.0, 3.0),
    Design("70 videos, rare classes in six", 70, 0.15, 3.0),
    Design("300 videos of very few classes", 300, 0.1, 3.0),
)


@dataclass(frozen=True)
class Coverage:
    """Share of draws whose interval held the truth, and the mean half-width, for each kind of interval."""

    published: tuple[float, float]
    percentile: tuple[float, float]
    frames: tuple[float, float]


def draw_videos(random: np.random.Generator, design: Design, videos: int) -> np.ndarray:
    """Confusions (V, 8, 8) of the frames of videos."""
    frames = np.minimum(random.lognormal(np.log(2500), 0.8, videos), 20_000)
    shares = random.dirichlet(design.mixing * SHARES, videos)
    confusions = np.zeros((videos, len(SHARES), len(SHARES)), dtype=np.int64)
    for true, recall in enumerate(RECALLS):
        others = np.delete(SHARES, true)
        answers = np.insert((1 - recall) * others / others.sum(), true, recall)
        drawn = random.dirichlet(design.alike * answers, videos)
        confusions[:, true] = (frames * shares[:, true])[:, None] * drawn
    return confusions[confusions.any(axis=(1, 2))]


def coverage(design: Design, draws: int, seed: int = 0, bootstrap: int = 0) -> dict[str, Coverage]:
    """Coverage by metric, over `draws` test sets; with `bootstrap` resamples also that of the percentile bootstrap."""
    random = np.random.default_rng(seed)
    chunk = 10_000
    everything = sum(draw_videos(random, design, chunk).sum(axis=0) for _ in range(POPULATION // chunk))
    truth = {name: float(compute(np.asarray(everything))) for name, compute in METRICS.items()}
    found: dict[str, list[list[tuple[bool, float]]]] = {name: [] for name in METRICS}
    for _ in range(draws):
        videos = draw_videos(random, design, design.videos)
        total = videos.sum(axis=0)
        clustered, loose = ClipSet(total[None], (1,), videos[None]), ClipSet(total[None], (1,))
        weights = random.multinomial(len(videos), np.full(len(videos), 1 / len(videos)), size=bootstrap)
        resampled = np.tensordot(weights, videos, 1)
        for name, compute in METRICS.items():
            score = float(compute(total))
            kinds = [interval(score, spread_of_mean(compute, [one])) for one in (clustered, loose)]
            drawn = tuple(np.percentile(compute(resampled), [2.5, 97.5])) if bootstrap else (0.0, 0.0)
            ends = (kinds[0], drawn, kinds[1])
            found[name].append([(low <= truth[name] <= high, (high - low) / 2) for low, high in ends])
    return {
        name: Coverage(*(tuple(np.mean([draw[kind] for draw in values], axis=0)) for kind in range(3)))
        for name, values in found.items()
    }


def clip_coverage(draws: int, seed: int = 0) -> dict[str, float]:
    """Coverage of the published intervals for five folds of clips, as rare as DFEW's, each class of fixed size."""
    random = np.random.default_rng(seed)
    shares = np.array([0.21, 0.16, 0.23, 0.19, 0.13, 0.012, 0.08])
    recalls = np.array([0.9, 0.75, 0.7, 0.75, 0.6, 0.12, 0.4])
    answers = np.array([np.insert((1 - r) * np.delete(shares, k) / np.delete(shares, k).sum(), k, r)
                        for k, r in enumerate(recalls)])  # fmt: skip
    clips = np.round(2340 * shares / shares.sum()).astype(int)
    truth = {name: float(compute(clips[:, None] * answers)) for name, compute in METRICS.items()}
    held = {name: 0 for name in METRICS}
    for _ in range(draws):
        folds = np.stack([random.multinomial(n, row, size=5) for n, row in zip(clips, answers, strict=True)], axis=1)
        folds = folds[:, None]
        sets = [ClipSet(fold, (number,)) for number, fold in enumerate(folds)]
        for name, compute in METRICS.items():
            low, high = interval(float(np.mean(compute(folds))), spread_of_mean(compute, sets))
            held[name] += low <= truth[name] <= high
    return {name: count / draws for name, count in held.items()}


def main() -> None:
    """Print coverages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    options = parser.parse_args()
    print("coverage in % (mean half-width in points)")
    print(f"{'':34}{'':10}{'published':>16}{'percentile':>16}{'frames':>16}")
    for design in DESIGNS:
        for name, found in coverage(design, options.draws, bootstrap=500).items():
            shown = "".join(
                f"{100 * held:9.1f} ({100 * half:4.1f})"
                for held, half in (found.published, found.percentile, found.frames)
            )
            print(f"{design.name:34}{name:10}{shown}")
    for name, held in clip_coverage(options.draws).items():
        print(f"{'5 folds of 2,340 clips':34}{name:10}{100 * held:9.1f}")


if __name__ == "__main__":
    main()
