"""What a record's own page shows: the record, and what follows from it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml
from markupsafe import Markup

from benchmark.leaderboard.columns import marks, started_from, summary_of
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.interval_scale import Interval, fit, interval_of
from benchmark.protocol import Protocol
from benchmark.records import Record, Summary, class_clips, clip_sets, protocol_of
from benchmark.records.further_scores import COVERAGES
from benchmark.registry import registry
from benchmark.scoring.components import Components, components
from benchmark.scoring.metrics import FEW_CLIPS, per_class_f1, per_class_precision, per_class_recall
from benchmark.scoring.scores import metric_functions


def record_view(entry: Entry, titles: Mapping[str, str]) -> dict[str, Any]:
    """The values of the template `record.html`; drawing the two figures takes most of a second.

    titles: metric titles by name.
    """
    record, protocol = entry.record, protocol_of(entry.record)
    summaries = _summaries(record, protocol, titles)
    of_units = [interval_of(unit.scores.test.metrics[protocol.ranking]) for unit in record.units]
    return {
        "record": record,
        "protocol": protocol,
        "entry": entry,
        "marks": marks(record),
        "started_from": started_from,
        "titles": {name: titles.get(name, name) for name in protocol.metrics},
        "summaries": summaries,
        "scale": fit(interval for _, _, interval in summaries),
        "unit_intervals": of_units,
        "unit_scale": fit(of_units),
        "classes": _class_rows(record, protocol),
        "few": FEW_CLIPS,
        "figures": _figures(record, protocol),
        "spread": _spread(record, protocol, titles),
        "confidence": entry.further.confidence,
        "curve": _curve(entry),
        "definition": yaml.safe_dump(record.protocol.definition, sort_keys=False, width=100),
        "json": json.dumps(record.canonical(), indent=2),
    }


def _summaries(
    record: Record, protocol: Protocol, titles: Mapping[str, str]
) -> list[tuple[str, Summary, Interval | None]]:
    """Every aggregated score with its title: of the classes first, then of each grouping."""
    found = []
    for grouping in (None, *(grouping.name for grouping in protocol.groupings)):
        for metric in protocol.metrics:
            summary = summary_of(record, metric, grouping)
            if summary:
                title = titles.get(metric, metric)
                found.append((f"{grouping}: {title}" if grouping else title, summary, interval_of(summary)))
    return found


def _class_rows(record: Record, protocol: Protocol) -> list[dict[str, Any]]:
    """For each class what became of its test predictions, all units together; nothing without a unit."""
    if not record.units or record.aggregates is None:
        return []
    confusion = np.array([unit.scores.test.confusion for unit in record.units], dtype=np.int64).sum(axis=0)
    recall, precision, f1 = per_class_recall(confusion), per_class_precision(confusion), per_class_f1(confusion)
    clips = class_clips(record.units)
    missed = confusion - np.diag(confusion.diagonal())
    return [
        {
            "name": name,
            "predictions": int(confusion[k].sum()),
            "clips": clips[k],
            "few": clips[k] < FEW_CLIPS,
            "mean": record.aggregates.recall.get(name),
            "recall": _defined(recall[k]),
            "precision": _defined(precision[k]),
            "f1": _defined(f1[k]),
            "taken_for": protocol.answer_names[int(missed[k].argmax())] if missed[k].any() else None,
            "times": int(missed[k].max()),
        }
        for k, name in enumerate(protocol.answer_names)
    ]


def _spread(record: Record, protocol: Protocol, titles: Mapping[str, str]) -> list[tuple[str, Components]]:
    """What each metric's spread over units comes from; nothing for a single unit, which has none."""
    if len(record.units) < 2:
        return []
    tested = clip_sets(record.units)
    computes = metric_functions(protocol, list(registry().metrics.values()))
    return [(titles.get(name, name), components(compute, tested)) for name, compute in computes.items()]


def _curve(entry: Entry) -> Markup | None:
    """The risk-coverage curve as an SVG element; None without one."""
    from benchmark.plots import svg_text
    from benchmark.plots.coverage import coverage_figure
    from benchmark.plots.figures import heading

    found = entry.further.confidence
    if found is None:
        return None
    return Markup(svg_text(coverage_figure(COVERAGES, found.curve, heading(entry.record, "Risk and coverage on test"))))


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _figures(record: Record, protocol: Protocol) -> list[Markup]:
    """The confusion and the recall figure as SVG elements, whose words the plots have escaped."""
    from benchmark.plots import svg_text
    from benchmark.plots.figures import score_figures

    if not record.units:
        return []
    return [Markup(svg_text(figure)) for figure in score_figures(record, protocol).values()]
