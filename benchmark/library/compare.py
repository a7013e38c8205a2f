"""`benchmark.compare`: whether finished runs differ beyond chance, and how optimistic selecting on test is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from string import ascii_uppercase

import numpy as np

from benchmark.errors import EnvironmentProblem, IntegrityError, UsageError
from benchmark.finished.comparing import Pair, as_twins, check_comparable, compare_pairs
from benchmark.finished.labels import root_for
from benchmark.finished.rescoring import FinishedSplit, labels_of, read_finished
from benchmark.planning.data import default_root
from benchmark.protocol import Protocol
from benchmark.registry import registry
from benchmark.scoring.computing import counts_answers
from benchmark.specs import MetricSpec

# Classes with fewer test clips than this are pointed out.
FEW = 10
# Runs are named by letters.
MOST = len(ascii_uppercase)


@dataclass(frozen=True)
class Comparison:
    """Runs compared clip by clip.

    optimism: whether these are a `test-oracle` run and its `val`-selected twin, whose difference is the optimism of
    selecting on test. notes: what a reader must know beside the numbers.
    """

    runs: tuple[FinishedSplit, ...]
    metrics: tuple[MetricSpec, ...]
    pairs: tuple[Pair, ...]
    optimism: bool
    notes: tuple[str, ...]


def compare(
    runs: Sequence[Path | str], *, metrics: Sequence[str] = (), data_root: Path | str | None = None
) -> Comparison:
    """Compare every two of some finished runs, or a `test-oracle` run with its `val`-selected twin.

    runs: records, or the folders that hold them. metrics: such as follow from a confusion; by default the ranking one
    and WAR, or all of the protocol's for twins. data_root: where the datasets lie, for the labels.

    Raises UsageError for runs that do not compare, EnvironmentProblem for missing data, IntegrityError for runs or data
    that contradict each other.
    """
    if not 2 <= len(runs) <= MOST:
        raise UsageError(f"compare takes 2 to {MOST} runs, not {len(runs)}")
    found = [read_finished(Path(path), "test") for path in runs]
    twins = as_twins(found)
    if twins is None:
        check_comparable(found)
    chosen = _metrics(metrics, found[0].protocol, every=twins is not None)
    labels = _labels(found, Path(data_root) if data_root else None)
    pairs = compare_pairs(found, labels, chosen, [twins] if twins else list(combinations(range(len(found)), 2)))
    return Comparison(tuple(found), tuple(chosen), tuple(pairs), twins is not None, tuple(_notes(found, pairs)))


def _metrics(names: Sequence[str], protocol: Protocol, every: bool) -> list[MetricSpec]:
    """What is compared; `every` metric of the protocol, if nothing was named, else the ranking one and WAR."""
    default = protocol.metrics if every else (protocol.ranking, "war")
    metrics = [registry().find("metrics", name) for name in dict.fromkeys(names or default)]
    for metric in metrics:
        if not counts_answers(metric, protocol):
            raise UsageError(
                f"--metric {metric.name}: does not follow from a confusion matrix, so its difference cannot be "
                "tested here; `benchmark score` computes it for each run"
            )
    return metrics


def _labels(runs: Sequence[FinishedSplit], data_root: Path | None) -> list[list[np.ndarray]]:
    """The true classes of every run's units."""
    root = root_for([run.record for run in runs], data_root)
    if root is None:
        raise EnvironmentProblem(
            f"runs are compared clip by clip, which needs the labels of {runs[0].protocol.dataset}: give the folder "
            "that the runs used with --data-root DIR (or BENCHMARK_DATA_ROOT)"
        )
    try:
        return [labels_of(run, root) for run in runs]
    except (EnvironmentProblem, IntegrityError) as error:
        # Nobody named the demo's data, so that they are others is no fault of theirs.
        if default_root(data_root) is not None:
            raise
        raise EnvironmentProblem(
            f"the demo's data in {root} are not what these runs were made on; give theirs with --data-root DIR"
        ) from error


def _notes(runs: Sequence[FinishedSplit], pairs: Sequence[Pair]) -> list[str]:
    """What a reader must know beside the numbers, as plain text."""
    notes = []
    # Fewest test clips of a class in one fold; classes without any have no recall and are left out of the scores.
    fewest = np.concatenate([run.confusions for run in runs]).sum(axis=2).min(axis=0)
    few = [name for name, clips in zip(runs[0].protocol.answer_names, fewest, strict=True) if 0 < clips < FEW]
    if few and runs[0].protocol.answers is None:  # what blends are ranked by is no mean over answers
        notes.append(
            f"{', '.join(map(repr, few))}: fewer than {FEW} test clips in a fold, which hardly vary when one is left "
            "out: intervals of UAR and macro-F1 may be too narrow and p values too small"
        )
    cluster = runs[0].protocol.clustered_by
    if cluster:
        notes.append(f"clips (or frames) of one {cluster} are not independent, and are left out together")
    crops = {run.record.data.crops.title if run.record.data.crops else "as shipped" for run in runs}
    if len(crops) > 1:
        notes.append(f"the runs saw different pictures of the clips; faces were cropped: {', '.join(sorted(crops))}")
    for pair in pairs:
        names = f"{ascii_uppercase[pair.first]} and {ascii_uppercase[pair.second]}"
        if pair.left_out:
            left_out = "; ".join(f"seed {seed}, fold {fold}" for seed, fold in pair.left_out)
            notes.append(f"{names}: left out, because only one of them has these test clips: {left_out}")
        if pair.mcnemar is None:
            why = "clips are not independent" if cluster else "several units predicted the same clips"
            notes.append(f"{names}: no McNemar's test, because {why}")
    return notes
