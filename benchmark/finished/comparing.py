"""Finished runs compared clip by clip: what they share, and whether their scores differ beyond chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from benchmark.errors import UsageError
from benchmark.finished.answers import answers_of
from benchmark.finished.rescoring import FinishedSplit
from benchmark.plugin_functions import ScoreConfusion
from benchmark.protocol import Protocol
from benchmark.records import Record
from benchmark.scoring.comparison import (
    Answers,
    Difference,
    difference,
    discordant,
    holm,
    mcnemar,
    moved_by_clips,
    paired_spread,
)
from benchmark.scoring.computing import compute_of
from benchmark.scoring.intervals import Spread
from benchmark.scoring.metrics import per_class_recall
from benchmark.specs import MetricSpec

# What a protocol and the one that shows the optimism of selecting on test have in common.
TWIN_KEYS = ("dataset", "test_on", "classes", "folds", "frames", "windows")
# What is not evaluation: two protocols that differ in nothing else still have different names.
NAMES = ("name", "version", "title", "citation")


@dataclass(frozen=True)
class Compared:
    """One metric of two runs: their means over the shared clips, the difference, and its p after Holm's correction.

    The correction is for the number of pairs that were compared, for each metric on its own.
    """

    first: float
    second: float
    difference: Difference
    holm: float


@dataclass(frozen=True)
class Pair:
    """Two runs compared; `first` and `second` are their positions, differences are first minus second.

    units, left_out: (seed, fold) of both runs' units that were tested on clips which the other was tested on too, and
    of those that were not. clips: number of different test clips (or frames). seeds: whether the intervals cover the
    choice of seeds too, of which both runs have several then. discordant: how many clips only the first, and only the
    second, has right, and `mcnemar` the exact p; both None where a clip was predicted by several units or clips are not
    independent. recall: per class the mean difference over sets of clips, None for a class without test clips.
    """

    first: int
    second: int
    units: tuple[tuple[int, int], ...]
    left_out: tuple[tuple[int, int], ...]
    clips: int
    seeds: bool
    metrics: dict[str, Compared]
    discordant: tuple[int, int] | None
    mcnemar: float | None
    recall: dict[str, float | None]


def check_comparable(runs: Sequence[FinishedSplit]) -> None:
    """UsageError, which says how they differ, unless every two runs have one protocol and the same test clips."""
    for first, second in combinations(runs, 2):
        if first.protocol.hash != second.protocol.hash:
            raise UsageError(
                f"{first.path} and {second.path}: only runs under the same protocol can be compared; "
                f"{_differing(first.protocol, second.protocol)}"
            )
        _check_clips(first, second)


def as_twins(runs: Sequence[FinishedSplit]) -> tuple[int, int] | None:
    """Positions of the `test-oracle` run and of the `val`-selected one, if that is what two runs differ in, else None.

    Such twins have the same data, classes, folds and test clips. UsageError if they are not the same method, trained
    in the same way: then the difference would not be that of the selection.
    """
    policies = [run.protocol.selection.policy for run in runs]
    if sorted(policies) != ["test-oracle", "val"]:
        return None
    first, second = runs
    if any(getattr(first.protocol, key) != getattr(second.protocol, key) for key in TWIN_KEYS):
        return None
    _check_clips(first, second)
    changed = [name for name, value in _row(first.record).items() if value != _row(second.record)[name]]
    if changed:
        raise UsageError(
            f"{first.path} and {second.path}: selection on val and on test is compared for one method, trained in the "
            f"same way; these differ in {', '.join(changed)}"
        )
    oracle = policies.index("test-oracle")
    return oracle, 1 - oracle


def compare_pairs(
    runs: Sequence[FinishedSplit],
    labels: Sequence[Sequence[np.ndarray]],
    metrics: Sequence[MetricSpec],
    pairs: Sequence[tuple[int, int]],
) -> list[Pair]:
    """Compare the pairs of comparable runs that are named by position.

    labels: for each run the true classes (N,) of each of its units, in the order of its predictions.
    metrics: such as follow from a confusion.

    Runs are paired over the test clips that both were tested on, whatever the seeds: the score of a set of clips is the
    mean over a run's units. What the protocol says is not independent is left out together.
    """
    computes = {metric.name: compute_of(metric) for metric in metrics}
    answers = [answers_of(run, own) for run, own in zip(runs, labels, strict=True)]
    prepared = []
    for pair in pairs:
        shared = [sha256 for sha256 in answers[pair[0]] if sha256 in answers[pair[1]]]
        first, second = ([answers[position][sha256] for sha256 in shared] for position in pair)
        prepared.append((shared, first, second, _moved(runs[pair[0]].protocol, first, second, computes)))
    found = [{name: difference(*moved) for name, moved in metrics_of.items()} for *_, metrics_of in prepared]
    adjusted = {name: holm([one[name].p for one in found]) for name in computes}
    return [
        _pair(
            runs,
            pair,
            prepared[number][:3],
            {
                name: Compared(*prepared[number][3][name][:2], found[number][name], adjusted[name][number])
                for name in computes
            },
        )
        for number, pair in enumerate(pairs)
    ]


def _moved(
    protocol: Protocol, first: Sequence[Answers], second: Sequence[Answers], computes: Mapping[str, ScoreConfusion]
) -> dict[str, tuple[float, float, Spread]]:
    """Each metric of both runs, and the spread of its difference."""
    moved = {}
    for name, compute in computes.items():
        one, other = (moved_by_clips(answers, compute, len(protocol.answer_names)) for answers in (first, second))
        moved[name] = (one.value, other.value, paired_spread(one, other))
    return moved


def _pair(
    runs: Sequence[FinishedSplit],
    pair: tuple[int, int],
    shared: tuple[Sequence[str], Sequence[Answers], Sequence[Answers]],
    metrics: dict[str, Compared],
) -> Pair:
    hashes, first, second = shared
    keys = [(unit.splits.test.sha256, unit.seed, unit.fold) for position in pair for unit in runs[position].units]
    protocol = runs[pair[0]].protocol
    once = all(len(one.folds) == 1 and one.clusters is None for one in (*first, *second))
    counts = [
        discordant(one.true, one.predicted[0], other.predicted[0]) for one, other in zip(first, second, strict=True)
    ]
    only = (sum(count[0] for count in counts), sum(count[1] for count in counts)) if once else None
    recalls = [
        np.stack([per_class_recall(one.tested(len(protocol.answer_names)).confusions).mean(axis=0) for one in answers])
        for answers in (first, second)
    ]
    recall = recalls[0] - recalls[1]
    several = [all(one.folds.count(fold) > 1 for one in answers for fold in one.folds) for answers in (first, second)]
    return Pair(
        first=pair[0],
        second=pair[1],
        units=tuple(sorted({key[1:] for key in keys if key[0] in hashes})),
        left_out=tuple(sorted({key[1:] for key in keys if key[0] not in hashes})),
        clips=sum(len(one.true) for one in first),
        seeds=all(several),
        metrics=metrics,
        discordant=only,
        mcnemar=None if only is None else mcnemar(*only),
        recall={name: _mean_defined(recall[:, k]) for k, name in enumerate(protocol.answer_names)},
    )


def _check_clips(first: FinishedSplit, second: FinishedSplit) -> None:
    own, other = ({unit.fold: unit.splits.test for unit in run.units} for run in (first, second))
    shared = sorted(own.keys() & other.keys())
    if not shared:
        raise UsageError(f"{first.path} and {second.path}: have no fold in common, so nothing can be paired")
    for fold in shared:
        if own[fold].sha256 != other[fold].sha256:
            raise UsageError(
                f"{first.path} and {second.path}: were tested on different clips in fold {fold} "
                f"({own[fold].clips} and {other[fold].clips}), so they cannot be compared clip by clip; both must be "
                "run on the same data"
            )


def _differing(first: Protocol, second: Protocol) -> str:
    one, two = first.canonical(), second.canonical()
    keys = [key for key in {**one, **two} if one.get(key) != two.get(key)]
    named = [f"{protocol.name} version {protocol.version}" for protocol in (first, second)]
    return f"{named[0]} and {named[1]} differ in {', '.join([k for k in keys if k not in NAMES] or keys)}"


def _row(record: Record) -> dict[str, object]:
    return {
        "method": (record.method.name, record.method.version),
        "preset": record.method.preset,
        "augmentations": record.augmentations,
        "labels": record.label_mode,
        "recipe": record.overrides.recipe,
        "initial weights": record.init,
    }


def _mean_defined(values: np.ndarray) -> float | None:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else None
