"""What a sweep's table shows: scores of finished units with intervals, and paired tests against the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmark.datasets.scored import true_answers
from benchmark.finished.comparing import Compared, compare_pairs
from benchmark.finished.rescoring import FinishedSplit, read_finished
from benchmark.planning.sweep_file import Sweep
from benchmark.planning.sweep_plan import PlannedRow
from benchmark.records import RECORD, Record, Summary, read_record
from benchmark.records.aggregates import aggregate
from benchmark.records.model import Aggregates
from benchmark.registry import registry
from benchmark.units.samples import limited


@dataclass(frozen=True)
class ScoredRow:
    """One row of the table.

    record: None where no unit of the row has ever finished. finished: how many of the row's units. aggregates: over
    these units alone, whatever else the record holds. differences: from the baseline, by metric, over the test clips
    that both share; empty for a baseline, and where nothing can be paired. paired: number of the row's units on these.
    """

    planned: PlannedRow
    record: Record | None
    finished: int
    aggregates: Aggregates | None
    differences: dict[str, Compared] = field(default_factory=dict)
    paired: int = 0

    def score(self, metric: str, grouping: str | None = None) -> Summary | None:
        """A metric of the classes or of a grouping; None where no unit is finished."""
        if self.aggregates is None:
            return None
        return (self.aggregates.metrics if grouping is None else self.aggregates.groupings[grouping])[metric]


def table_rows(sweep: Sweep, lines: Sequence[PlannedRow], runs: Path) -> list[ScoredRow]:
    """The table of a sweep whose records are written; p values are corrected over all rows that have a baseline."""
    metrics = [registry().find("metrics", name) for name in sweep.metrics]
    finished = [_finished(line, runs) for line in lines]
    rows = [_row(line, run, runs) for line, run in zip(lines, finished, strict=True)]
    position = {line: number for number, line in enumerate(n for n, run in enumerate(finished) if run)}
    paired = [
        number
        for number, line in enumerate(lines)
        if line.baseline is not None and _shared(finished[number], finished[line.baseline])
    ]
    if not paired:
        return rows
    known = [run for run in finished if run]
    pairs = compare_pairs(
        known,
        [_labels(run, lines[number]) for number, run in enumerate(finished) if run],
        metrics,
        [(position[number], position[lines[number].baseline or 0]) for number in paired],
    )
    for number, pair in zip(paired, pairs, strict=True):
        own = {(unit.seed, unit.fold) for unit in known[pair.first].units}
        rows[number] = replace(rows[number], differences=pair.metrics, paired=len(own.intersection(pair.units)))
    return rows


def _row(line: PlannedRow, run: FinishedSplit | None, runs: Path) -> ScoredRow:
    if run is None:
        path = runs / line.units[0].record_folder / RECORD
        return ScoredRow(line, read_record(path) if path.is_file() else None, 0, None)
    metrics = [registry().find("metrics", name) for name in line.protocol.metrics]
    return ScoredRow(line, run.record, len(run.units), aggregate(run.units, line.protocol, metrics))


def _finished(line: PlannedRow, runs: Path) -> FinishedSplit | None:
    """The line's own units of the record, verified; None if none is finished."""
    asked = {unit.identity for unit in line.units}
    path = runs / line.units[0].record_folder / RECORD
    if not path.is_file() or not any(unit.identity in asked for unit in read_record(path).units):
        return None
    run = read_finished(path, "test")
    kept = [number for number, unit in enumerate(run.units) if unit.identity in asked]
    return replace(
        run,
        record=run.record.model_copy(update={"units": [run.units[number] for number in kept]}),
        predictions=tuple(run.predictions[number] for number in kept),
        confusions=run.confusions[kept],
    )


def _shared(first: FinishedSplit | None, second: FinishedSplit | None) -> bool:
    """Whether both have units that were tested on the same clips."""
    if first is None or second is None:
        return False
    return not {u.splits.test.sha256 for u in first.units}.isdisjoint(u.splits.test.sha256 for u in second.units)


def _labels(run: FinishedSplit, line: PlannedRow) -> list[np.ndarray]:
    """For each unit the indices (N,) of true answers, in the order of its predictions; also of runs with `--limit`."""
    index = {name: position for position, name in enumerate(line.protocol.answer_names)}
    limit = line.units[0].limit
    labels = []
    for unit, predictions in zip(run.units, run.predictions, strict=True):
        known = true_answers(limited(line.data.folds[unit.fold], limit).test, line.protocol)
        labels.append(np.array([index[known[clip_id]] for clip_id in predictions.ids], dtype=np.int64))
    return labels
