"""Finished runs compared clip by clip: what they share, and whether their scores differ beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from benchmark.errors import UsageError
from benchmark.protocol import Protocol
from benchmark.records import Record, UnitRecord
from benchmark.run.rescoring import FinishedSplit
from benchmark.scoring.comparison import (
    Difference,
    confusions_of,
    discordant,
    holm,
    joint_confusion,
    mcnemar,
    paired_differences,
)
from benchmark.scoring.computing import compute_of
from benchmark.scoring.metrics import per_class_recall
from benchmark.specs import MetricSpec

# What a protocol and the one that shows the optimism of selecting on test have in common.
TWIN_KEYS = ("dataset", "test_on", "classes", "folds", "frames", "windows")
# What is not evaluation: two protocols that differ in nothing else still have different names.
NAMES = ("name", "version", "title", "citation")


@dataclass(frozen=True)
class Compared:
    """One metric of two runs: their means over the shared units, the difference, and its p after Holm's correction.

    The correction is for the number of pairs that were compared, for each metric on its own.
    """

    first: float
    second: float
    difference: Difference
    holm: float


@dataclass(frozen=True)
class Pair:
    """Two runs compared; `first` and `second` are their positions, differences are first minus second.

    units, left_out: (seed, fold) that both have, and that only one has. clips: number of different test clips (or
    frames). discordant: how many of them only the first, and only the second, has right, and `mcnemar` the exact p;
    both None where a clip was predicted by several units. recall: per class the mean difference over units, None for a
    class without test clips.
    """

    first: int
    second: int
    units: tuple[tuple[int, int], ...]
    left_out: tuple[tuple[int, int], ...]
    clips: int
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

    Seed and fold are paired with the same seed and fold of the other run: units that only one of them has are left
    out. Units with the same test clips (other seeds; under a cross-dataset protocol, other folds) are one set of clips.
    """
    joints = [_joints(runs[first], runs[second], labels[first]) for first, second in pairs]
    computes = {metric.name: compute_of(metric) for metric in metrics}
    differences = [paired_differences(sets, computes) for sets in joints]
    adjusted = {name: holm([found[name].p for found in differences]) for name in computes}
    compared = []
    for number, (pair, sets) in enumerate(zip(pairs, joints, strict=True)):
        first, second = confusions_of(np.concatenate(sets))
        found = {
            name: Compared(
                first=float(compute(first).mean()),
                second=float(compute(second).mean()),
                difference=differences[number][name],
                holm=adjusted[name][number],
            )
            for name, compute in computes.items()
        }
        compared.append(_pair(runs, pair, sets, found))
    return compared


def _pair(
    runs: Sequence[FinishedSplit], pair: tuple[int, int], sets: Sequence[np.ndarray], metrics: dict[str, Compared]
) -> Pair:
    own, other = (_units(runs[position]).keys() for position in pair)
    first, second = confusions_of(np.concatenate(sets))
    recall = per_class_recall(first) - per_class_recall(second)
    # A clip that several units predicted would be counted several times.
    once = sum(units[0] for units in sets) if all(len(units) == 1 for units in sets) else None
    return Pair(
        first=pair[0],
        second=pair[1],
        units=tuple(sorted(own & other)),
        left_out=tuple(sorted(own ^ other)),
        clips=sum(int(units[0].sum()) for units in sets),
        metrics=metrics,
        discordant=None if once is None else discordant(once),
        mcnemar=None if once is None else mcnemar(once),
        recall={name: _mean_defined(recall[:, k]) for k, name in enumerate(runs[pair[0]].protocol.classes)},
    )


def _units(run: FinishedSplit) -> dict[tuple[int, int], tuple[int, UnitRecord]]:
    """Position and record of each unit, by (seed, fold)."""
    return {(unit.seed, unit.fold): (position, unit) for position, unit in enumerate(run.units)}


def _check_clips(first: FinishedSplit, second: FinishedSplit) -> None:
    own, other = _units(first), _units(second)
    shared = sorted(own.keys() & other.keys())
    if not shared:
        raise UsageError(f"{first.path} and {second.path}: have no seed and fold in common, so nothing can be paired")
    for key in shared:
        splits = [units[key][1].splits.test for units in (own, other)]
        if splits[0].sha256 != splits[1].sha256:
            raise UsageError(
                f"{first.path} and {second.path}: were tested on different clips in seed {key[0]}, fold {key[1]} "
                f"({splits[0].clips} and {splits[1].clips}), so they cannot be compared clip by clip; both must be run "
                "on the same data"
            )


def _joints(first: FinishedSplit, second: FinishedSplit, labels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """For each set of test clips the joint confusions (U, K, K, K) of the shared units that were tested on it."""
    own, other = _units(first), _units(second)
    sets: dict[str, list[np.ndarray]] = {}
    for key in sorted(own.keys() & other.keys()):
        position, unit = own[key]
        one, two = first.predictions[position], second.predictions[other[key][0]]
        row = {clip_id: index for index, clip_id in enumerate(two.ids)}
        aligned = two.predicted[[row[clip_id] for clip_id in one.ids]]
        joint = joint_confusion(labels[position], one.predicted, aligned, len(first.protocol.classes))
        sets.setdefault(unit.splits.test.sha256, []).append(joint)
    return [np.stack(joints) for joints in sets.values()]


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
