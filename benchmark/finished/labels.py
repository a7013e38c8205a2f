"""The labels of finished runs' clips, from the user's own copy of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmark.datasets.clips import read_unlabelled_clips
from benchmark.datasets.scored import scored_clusters, scored_ids, true_answers
from benchmark.datasets.splits import hash_ids
from benchmark.datasets.votes import vote_shares
from benchmark.errors import EnvironmentProblem, UsageError
from benchmark.planning.data import Data, default_root, load_data
from benchmark.planning.demo import demo_root
from benchmark.protocol import Protocol
from benchmark.records import Record, protocol_of
from benchmark.registry import registry
from benchmark.scoring.annotators import Ceiling, ceiling_of


def known_labels(record: Record, data_root: Path | None) -> dict[str, dict[str, str]] | None:
    """The true answers of a record's val and test, by split and clip id, from the user's own copy of its data.

    Where the protocol's clips are not independent, `clusters` holds what each of them belongs to.
    None if the data are not there, or are not those that the record was made from.
    """
    protocol = protocol_of(record)
    try:
        data = load_data(protocol, root_for([record], data_root), votes=False)
    except (EnvironmentProblem, UsageError):
        return None
    for unit in record.units:
        fold = data.folds.get(unit.fold)
        if fold is None or hash_ids(scored_ids(fold.test)) != unit.splits.test.sha256:
            return None
    known: dict[str, dict[str, str]] = {"val": {}, "test": {}}
    for fold in data.folds.values():
        for split in ("val", "test"):
            clips = fold.split(split)
            known[split].update(true_answers(clips, protocol))
            if protocol.clustered_by:
                known.setdefault("clusters", {}).update(scored_clusters(clips, protocol.clustered_by))
    return known


def known_ceiling(record: Record, data_root: Path | None) -> Ceiling | None:
    """What the annotators of a record's test clips reach, from the user's own copy of its data, see `ceiling_of`.

    None where there are no votes, nobody cast them, they are no numbers of annotators, or the data are not there or are
    not those that the record was made from.
    """
    protocol = protocol_of(record)
    layout = registry().find("datasets", protocol.dataset)
    if protocol.test_on is not None or not layout.votes or layout.stated:
        return None
    try:
        data = load_data(protocol, root_for([record], data_root), votes=True)
        votes: dict[str, list[float]] = {}
        for unit in record.units:
            fold = data.folds.get(unit.fold)
            if fold is None or hash_ids(scored_ids(fold.test)) != unit.splits.test.sha256:
                return None
            for clip in fold.test:
                votes[clip.id] = [(clip.votes or {}).get(name, 0.0) for name in protocol.classes]
        return ceiling_of(np.array(list(votes.values())))
    except (EnvironmentProblem, UsageError, ValueError):
        return None


def known_votes(record: Record, data_root: Path | None) -> dict[str, list[float]] | None:
    """The votes of a record's test clips and of the clips without a label, from the user's own copy; see `votes_in`.

    None where there are none, or where the data are not there.
    """
    protocol = protocol_of(record)
    if protocol.test_on is not None or not registry().find("datasets", protocol.dataset).votes:
        return None
    try:
        return votes_in(load_data(protocol, root_for([record], data_root), votes=True), protocol)
    except (EnvironmentProblem, UsageError):
        return None


def votes_in(data: Data, protocol: Protocol) -> dict[str, list[float]]:
    """The votes' shares among the protocol's classes, by clip id: of its test clips and of those without a label."""
    clips = [*read_unlabelled_clips(data.layout, data.root), *(clip for f in data.folds.values() for clip in f.test)]
    return {clip.id: shares for clip in clips if (shares := vote_shares(clip, protocol.classes))}


def root_for(records: Sequence[Record], data_root: Path | None) -> Path | None:
    """The data root of finished runs: `--data-root`, the environment's, or the demo's for synthetic runs; or None."""
    root = default_root(data_root)
    if root is None and all(record.data.synthetic for record in records) and demo_root().is_dir():
        return demo_root()
    return root


def ceiling_from(data_root: Path | None) -> Callable[[Record], Ceiling | None]:
    """Gives what the annotators of a record's test clips reach, see `known_ceiling`."""
    return lambda record: known_ceiling(record, data_root)


def votes_from(data_root: Path | None) -> Callable[[Record], dict[str, list[float]] | None]:
    """Gives the votes of a record's clips, see `known_votes`."""
    return lambda record: known_votes(record, data_root)


def labels_from(data_root: Path | None) -> Callable[[Record], dict[str, dict[str, str]] | None]:
    """Gives the labels of a record, see `known_labels`; read once for all records of the same clips."""
    known: dict[tuple[str, ...], dict[str, dict[str, str]] | None] = {}

    def of(record: Record) -> dict[str, dict[str, str]] | None:
        key = (record.protocol.hash, *(unit.splits.test.sha256 for unit in record.units))
        if key not in known:
            known[key] = known_labels(record, data_root)
        return known[key]

    return of
