"""The warning that classes seem to be swapped, in weights or in labels."""

from __future__ import annotations

import numpy as np

from benchmark.records.model import Record
from benchmark.records.verify import protocol_of
from benchmark.scoring.permutation import better_permutation


def swapped_classes(record: Record) -> str | None:
    """A warning if the run's val predictions would fit the labels far better with classes swapped.

    All units together are looked at, and only their val splits: what test says must not change what anyone does.
    """
    if protocol_of(record).answers:
        return None  # blends are mistaken for their neighbours, which no order of classes explains
    scores = [unit.scores.val for unit in record.units if unit.scores.val is not None]
    if not scores:
        return None
    confusion = np.array([one.confusion for one in scores], dtype=np.int64).sum(axis=0)
    clustered = all(one.clusters is not None for one in scores)
    clusters = np.concatenate([one.cluster_counts() for one in scores]) if clustered else None
    swap = better_permutation(confusion, clusters)
    if swap is None:
        return None
    classes = protocol_of(record).classes
    pairs = [
        f"'{classes[true]}' is mostly predicted as '{classes[predicted]}'"
        for true, predicted in zip(swap.classes, swap.predicted, strict=True)
    ]
    return (
        f"warning: {record.method.name}: classes seem to be swapped: on val, {'; '.join(pairs)}. The mean recall of "
        f"these {len(pairs)} classes is {swap.recall:.2f} and would be {swap.swapped:.2f} if they were "
        "swapped back. Perhaps the class order of the initial weights or of the data's labels is not the protocol's: "
        "official repositories order FERV39k and MAFW differently. Compare `benchmark weights inspect` and the "
        f"plugin's README with `benchmark show {record.protocol.name}`"
    )
