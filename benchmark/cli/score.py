"""`benchmark score`: a finished run scored again, with any metric and any grouping, from its predictions."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmark.cli.output import add_json, note, print_json, print_table
from benchmark.cli.swapped_classes import warn_of_exchange
from benchmark.errors import BenchmarkError, IntegrityError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from benchmark.finished.rescoring import FinishedSplit, Tally
    from benchmark.protocol import Grouping
    from benchmark.specs import MetricSpec

# A metric and what it gives, by the metric's name.
Tallies: TypeAlias = "Mapping[str, tuple[MetricSpec, Tally]]"
# What a metric needs beside the predictions, by its `input`.
NEEDS = {"probabilities": "labels", "distributions": "annotators' votes"}
BY_CLASS, BY_SUM = "by class", "by summed probability"


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    score = commands.add_parser("score", help="score a finished run again, with any metric or grouping")
    score.add_argument(
        "run", type=Path, metavar="RUN|PREDICTIONS", help="a record.json, its folder, or one of its predictions files"
    )
    score.add_argument("--data-root", type=Path, metavar="DIR", help="where the datasets are, for labels and votes")
    score.add_argument("--metric", action="append", default=[], metavar="M", help="default: all that can be computed")
    score.add_argument(
        "--grouping",
        action="append",
        default=[],
        metavar="G",
        help="a grouping's name, or a YAML file with name, title and groups; default: the protocol's",
    )
    score.add_argument("--split", choices=("test", "val"), default="test", help="default: test")
    add_json(score)
    score.set_defaults(function=score_run)


def score_run(options: argparse.Namespace) -> None:
    """`benchmark score RUN`."""
    from benchmark.finished.rescoring import find_grouping, find_run
    from benchmark.registry import registry

    named = [registry().find("metrics", name) for name in dict.fromkeys(options.metric)]
    run = find_run(options.run, options.split)
    groupings = [find_grouping(text, run.protocol) for text in dict.fromkeys(options.grouping)]
    repeated = {grouping.name for grouping in groupings if [g.name for g in groupings].count(grouping.name) > 1}
    if repeated:
        raise UsageError(f"--grouping: two are called '{min(repeated)}'; give them different names")
    chosen = named or list(registry().metrics.values())
    by_confusion = [metric for metric in chosen if metric.input == "confusion"]
    if not groupings and by_confusion:
        groupings = list(run.protocol.groupings)
    targets, problems = _targets(run, chosen, bool(named), bool(groupings), options.data_root)
    scored = {metric.name: (metric, tally) for metric in chosen if (tally := _tally(run, metric, targets))}
    # A grouping that was asked for beside metrics without a confusion is scored as the protocol would.
    coarse_metrics = by_confusion or [registry().find("metrics", name) for name in run.protocol.metrics]
    coarse = {grouping.name: _grouped(run, grouping, coarse_metrics, targets) for grouping in groupings}
    left_out = [
        _left_out(
            [metric.name for metric in chosen if metric.input == kind]
            + [f"{name} {BY_SUM}" for name in coarse if kind == "probabilities"],
            kind,
            problem,
        )
        for kind, problem in problems.items()
    ]
    if options.json:
        print_json(_document(run, scored, groupings, coarse, left_out))
    else:
        _print(run, scored, coarse)
    for line in left_out:
        note(f"left out: {line}")
    warn_of_exchange(run.record)
    for reason in (*run.record.marks.unofficial, *run.record.marks.incomplete):
        note(f"note: {_plain(reason)}")


def _targets(
    run: FinishedSplit, metrics: Sequence[MetricSpec], named: bool, grouped: bool, data_root: Path | None
) -> tuple[dict[str, list[np.ndarray]], dict[str, BenchmarkError]]:
    """What the metrics compare predictions with, by their `input`, and why the rest is not there.

    What is asked for by name, or by a data root, must be there; what is not is left out.
    """
    from benchmark.finished.labels import root_for
    from benchmark.finished.rescoring import labels_of, vote_shares_of

    root = root_for([run.record], data_root)
    targets: dict[str, list[np.ndarray]] = {}
    problems: dict[str, BenchmarkError] = {}
    refused: list[tuple[BenchmarkError, str]] = []
    for kind, read in (("probabilities", labels_of), ("distributions", vote_shares_of)):
        needing = [metric.name for metric in metrics if metric.input == kind]
        if not needing and not (grouped and kind == "probabilities"):
            continue
        try:
            targets[kind] = read(run, root)
        except BenchmarkError as error:
            problems[kind] = error
            if named and needing:
                refused.append((error, _left_out(needing, kind, error)))
            elif data_root is not None and (kind == "probabilities" or isinstance(error, IntegrityError)):
                raise
    if refused:
        raise type(refused[0][0])("\n".join(message for _, message in refused))
    return targets, problems


def _left_out(names: Sequence[str], kind: str, problem: BenchmarkError) -> str:
    return f"{', '.join(names)}: needs {NEEDS[kind]}: {str(problem).partition(chr(10))[0]}"


def _tally(run: FinishedSplit, metric: MetricSpec, targets: Mapping[str, list[np.ndarray]]) -> Tally | None:
    from benchmark.finished.rescoring import tally_confusions, tally_predictions

    if metric.input == "confusion":
        return tally_confusions(metric, run.confusions)
    if metric.input in targets:
        return tally_predictions(metric, targets[metric.input], run.predictions)
    return None


def _grouped(
    run: FinishedSplit, grouping: Grouping, metrics: Sequence[MetricSpec], targets: Mapping[str, list[np.ndarray]]
) -> dict[str, Tallies]:
    """The metrics of a grouping's confusions, by the two ways of counting."""
    from benchmark.finished.rescoring import confusions_by_class, confusions_by_sum, tally_confusions

    confusions = {BY_CLASS: confusions_by_class(run, grouping)}
    if "probabilities" in targets:
        confusions[BY_SUM] = confusions_by_sum(run, targets["probabilities"], grouping)
    return {
        way: {metric.name: (metric, tally_confusions(metric, counts)) for metric in metrics}
        for way, counts in confusions.items()
    }


def _document(
    run: FinishedSplit,
    scored: Tallies,
    groupings: Sequence[Grouping],
    coarse: Mapping[str, Mapping[str, Tallies]],
    left_out: Sequence[str],
) -> dict[str, Any]:
    """Everything that was computed, as a JSON value."""
    from benchmark.finished.rescoring import class_scores

    def scores(tallies: Tallies) -> dict[str, Any]:
        return {name: _scores(run, metric, tally) for name, (metric, tally) in tallies.items()}

    record = run.record
    return {
        "record": str(run.path),
        "protocol": {"name": record.protocol.name, "version": record.protocol.version, "hash": record.protocol.hash},
        "method": record.method.name,
        "augmentations": [used.model_dump(mode="json") for used in record.augmentations],
        "label_mode": record.label_mode,
        "split": run.split,
        "predictions": int(run.confusions.sum()),
        "synthetic": record.marks.synthetic,
        "unofficial": record.marks.unofficial,
        "incomplete": record.marks.incomplete,
        "metrics": scores(scored),
        "classes": {
            each.name: {
                "predictions": each.predictions,
                "precision": _number(each.precision),
                "recall": _number(each.recall),
                "low": _number(each.low),
                "high": _number(each.high),
                "f1": _number(each.f1),
            }
            for each in class_scores(run)
        },
        "groupings": {
            grouping.name: {
                "groups": grouping.groups,
                **{way: scores(tallies) for way, tallies in coarse[grouping.name].items()},
            }
            for grouping in groupings
        },
        "left_out": left_out,
    }


def _scores(run: FinishedSplit, metric: MetricSpec, tally: Tally) -> dict[str, Any]:
    return {
        "title": metric.title,
        "higher_is_better": metric.higher_is_better,
        "mean": _number(tally.mean),
        "std": _number(tally.std),
        "pooled": _number(tally.pooled),
        "units": [
            {"seed": unit.seed, "fold": unit.fold, "value": _number(value)}
            for unit, value in zip(run.units, tally.values, strict=True)
        ],
    }


def _print(
    run: FinishedSplit,
    scored: Tallies,
    coarse: Mapping[str, Mapping[str, Tallies]],
) -> None:
    from benchmark.finished.rescoring import class_scores

    record = run.record
    row = "+".join([record.method.name, *(used.name for used in record.augmentations)])
    print(f"{_plain(row)}, {record.label_mode} labels, under {record.protocol.name}, version {record.protocol.version}")
    print(f"{run.split} split: {len(run.units)} units, {run.confusions.sum():,} predictions")
    if record.marks.synthetic:
        print("SYNTHETIC DATA: these numbers say nothing about real faces")
    print()
    header = ["mean over units", "std", "pooled", "better"]
    print_table([_cells(*pair) for pair in scored.values()], ["metric", *header])
    print()
    classes = [
        [
            _plain(each.name),
            each.predictions,
            _text(each.precision),
            _interval(each.recall, each.low, each.high),
            _text(each.f1),
        ]
        for each in class_scores(run)
    ]
    print_table(classes, ["class, pooled", "predictions", "precision", "recall (95 % interval)", "F1"])
    rows = [
        [_plain(name), way, *_cells(*pair)]
        for name, ways in coarse.items()
        for way, tallies in ways.items()
        for pair in tallies.values()
    ]
    if rows:
        print()
        print_table(rows, ["grouping", "counted", "metric", *header])


def _cells(metric: MetricSpec, tally: Tally) -> list[str]:
    better = "higher" if metric.higher_is_better else "lower"
    return [_plain(metric.title), _text(tally.mean), _text(tally.std), _text(tally.pooled), better]


def _interval(value: float, low: float, high: float) -> str:
    return _text(value) if math.isnan(value) else f"{_text(value)} ({_text(low)} to {_text(high)})"


def _text(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.4f}"


def _number(value: float | None) -> float | None:
    """A score as records store it; None where it is not defined."""
    from benchmark.scoring.scores import rounded

    return rounded(value) if value is not None and math.isfinite(value) else None


def _plain(text: str) -> str:
    """Text from plugins and records without what could move a terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in text)
