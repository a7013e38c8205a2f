"""What a finished run's units answered on each set of clips that they share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.finished.rescoring import FinishedSplit
from benchmark.scoring.comparison import Answers


def answers_of(run: FinishedSplit, labels: Sequence[np.ndarray]) -> dict[str, Answers]:
    """The answers by the hash of their clips; clips are in the order of their ids. labels: see `labels_of`."""
    hashes = [unit.splits.of(run.split).sha256 for unit in run.units]
    found = {}
    for sha256 in dict.fromkeys(hashes):
        own = [number for number, other in enumerate(hashes) if other == sha256]
        orders = {number: np.argsort(run.predictions[number].ids) for number in own}
        clusters = run.predictions[own[0]].cluster_numbers
        found[sha256] = Answers(
            true=labels[own[0]][orders[own[0]]],
            predicted=np.stack([run.predictions[number].predicted[orders[number]] for number in own]),
            folds=tuple(run.units[number].fold for number in own),
            clusters=None if clusters is None else clusters[orders[own[0]]],
        )
    return found
