"""`benchmark score`: a finished run scored again, with any metric and any grouping, from its predictions."""

from __future__ import annotations

import argparse
import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import add_json, note, print_json, print_table
from benchmark.registry import registry

if TYPE_CHECKING:
    from benchmark.finished.rescoring import FinishedSplit, Tally
    from benchmark.library.score import Scored, Tallies
    from benchmark.scoring.attributes import Gap
    from benchmark.specs import MetricSpec


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
    score.add_argument(
        "--by", action="append", default=[], metavar="ATTRIBUTE", help="also by scene, subject ... of the clips"
    )
    score.add_argument(
        "--faces-above",
        type=share,
        metavar="SHARE",
        help="also without the clips whose face was found in a smaller share of frames (of `data prepare`'s crops)",
    )
    score.add_argument("--split", choices=("test", "val"), default="test", help="default: test")
    add_json(score)
    score.set_defaults(function=score_run)


def share(text: str) -> float:
    """An argument's type: a number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be from 0 to 1")
    return value


def score_run(options: argparse.Namespace) -> None:
    """`benchmark score RUN`."""
    from benchmark.library.score import score
    from benchmark.records.swapped_classes import swapped_classes

    scored = score(
        options.run,
        metrics=options.metric,
        groupings=options.grouping,
        by=options.by,
        split=options.split,
        data_root=options.data_root,
        faces_above=options.faces_above,
    )
    if options.json:
        print_json(_document(scored))
    else:
        _print(scored)
    for line in scored.left_out:
        note(f"left out: {line}")
    record = scored.run.record
    warning = swapped_classes(record)
    if warning:
        note(warning)
    for reason in (*record.marks.unofficial, *record.marks.incomplete):
        note(f"note: {_plain(reason)}")


def _document(scored: Scored) -> dict[str, Any]:
    """Everything that was computed, as a JSON value."""
    run, record = scored.run, scored.run.record

    def scores(tallies: Tallies) -> dict[str, Any]:
        return {name: _scores(run, metric, tally) for name, (metric, tally) in tallies.items()}

    faces = scored.with_faces
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
        "metrics": scores(scored.metrics),
        "classes": {
            each.name: {
                "predictions": each.predictions,
                "precision": _number(each.precision),
                "recall": _number(each.recall),
                "low": _number(each.low),
                "high": _number(each.high),
                "f1": _number(each.f1),
            }
            for each in scored.classes
        },
        "groupings": {
            grouping.name: {
                "groups": grouping.groups,
                **{way: scores(tallies) for way, tallies in scored.grouped[grouping.name].items()},
            }
            for grouping in scored.groupings
        },
        "by": [_gap(gap) for gap in scored.gaps],
        "annotators": _annotators(scored),
        "agreement": [
            {"agreement": level, "predictions": clips, "war": _number(right)}
            for level, clips, right in scored.agreement
        ],
        "spread": {
            name: {part: _number(value) for part, value in dataclasses.asdict(parts).items()}
            for name, parts in scored.spread.items()
        },
        **(
            {
                "with_faces": {
                    "least": faces.least,
                    "predictions": faces.kept,
                    "of": faces.clips,
                    "metrics": scores(faces.metrics),
                }
            }
            if faces
            else {}
        ),
        "left_out": list(scored.left_out),
    }


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "attribute": gap.attribute,
        "metric": gap.metric,
        "gap": _number(gap.gap),
        "p": _number(gap.p),
        "worst": gap.worst.name,
        "groups": [
            {
                "name": group.name,
                "predictions": group.predictions,
                "value": _number(group.value),
                "rest": _number(group.rest),
                "p_holm": _number(group.p),
            }
            for group in gap.groups
        ],
    }


def _annotators(scored: Scored) -> dict[str, Any] | None:
    if scored.annotators is None:
        return None
    values = dataclasses.asdict(scored.annotators)
    recall = dict(zip(scored.run.protocol.classes, map(_number, values.pop("recall")), strict=True))
    return {**{name: _number(value) for name, value in values.items()}, "recall": recall}


def _scores(run: FinishedSplit, metric: MetricSpec, tally: Tally) -> dict[str, Any]:
    return {
        "title": metric.title,
        "higher_is_better": metric.higher_is_better,
        "mean": _number(tally.mean),
        "std": _number(tally.std),
        "pooled": _number(tally.pooled),
        "low": _number(tally.interval[0] if tally.interval else None),
        "high": _number(tally.interval[1] if tally.interval else None),
        "units": [
            {"seed": unit.seed, "fold": unit.fold, "value": _number(value)}
            for unit, value in zip(run.units, tally.values, strict=True)
        ],
    }


def _print(scored: Scored) -> None:
    run = scored.run
    record = run.record
    row = "+".join([record.method.name, *(used.name for used in record.augmentations)])
    print(f"{_plain(row)}, {record.label_mode} labels, under {record.protocol.name}, version {record.protocol.version}")
    print(f"{run.split} split: {len(run.units)} units, {run.confusions.sum():,} predictions")
    if record.marks.synthetic:
        print("SYNTHETIC DATA: these numbers say nothing about real faces")
    print()
    header = ["mean over units (95 % interval)", "std", "pooled", "better"]
    print_table([_cells(*pair) for pair in scored.metrics.values()], ["metric", *header])
    layout = registry().datasets.get(run.protocol.dataset)
    if layout is not None and layout.stated:
        print(f"what is called votes here are the shares that {run.protocol.dataset} states; nobody voted")
    _print_annotators(scored)
    _print_agreement(scored)
    _print_spread(scored)
    if faces := scored.with_faces:
        print()
        print(f"without clips that have a face in less than {faces.least:g} of their frames, {faces.kept:,} are left:")
        print_table([_cells(*pair) for pair in faces.metrics.values()], ["metric", *header])
    print()
    classes = [
        [
            _plain(each.name),
            each.predictions,
            _text(each.precision),
            _interval(each.recall, each.low, each.high),
            _text(each.f1),
        ]
        for each in scored.classes
    ]
    print_table(classes, ["class, pooled", "predictions", "precision", "recall (95 % interval)", "F1"])
    rows = [
        [_plain(name), way, *_cells(*pair)]
        for name, ways in scored.grouped.items()
        for way, tallies in ways.items()
        for pair in tallies.values()
    ]
    if rows:
        print()
        print_table(rows, ["grouping", "counted", "metric", *header])
    for gap in scored.gaps:
        _print_gap(gap)


def _print_annotators(scored: Scored) -> None:
    """What annotators reach, and the run's share of it."""
    ceiling = scored.annotators
    if ceiling is None:
        return
    print(f"\nannotators on these {ceiling.clips:,} clips: each against the plurality of the others")
    reached = {name: tally.mean for name, (_, tally) in scored.metrics.items() if name in ("war", "uar")}
    print_table(
        [
            [name.upper(), _text(value), _text(reached.get(name, math.nan) / value)]
            for name, value in (("war", ceiling.war), ("uar", ceiling.uar))
        ]
        + [
            ["least cross-entropy to votes (nats)", _text(ceiling.cross_entropy), "-"],
            ["Jensen-Shannon of two halves of the votes (bits)", _text(ceiling.js), "-"],
        ],
        ["", "annotators", "this run's share"],
    )


def _print_agreement(scored: Scored) -> None:
    if scored.agreement:
        print("\nright predictions by how many annotators agree")
        rows = [[f"up to {100 * level:.0f} %", clips, _text(right)] for level, clips, right in scored.agreement]
        print_table(rows, ["votes for one class", "predictions", "WAR"])


def _print_spread(scored: Scored) -> None:
    """What the spread over units comes from, where there is more than one."""
    if len(scored.run.units) < 2 or not scored.spread:
        return
    print("\nstandard deviation of one unit's score, by what it comes from")
    rows = [[name, _text(parts.folds), _text(parts.seeds), _text(parts.clips)] for name, parts in scored.spread.items()]
    print_table(rows, ["metric", "folds", "seeds", "choice of test clips"])


def _print_gap(gap: Gap) -> None:
    print(
        f"\n{gap.metric} by {_plain(gap.attribute)}: worst {_plain(gap.worst.name)}, gap {gap.gap:.4f}, p {gap.p:.4f}"
    )
    rows = [
        [_plain(group.name), group.predictions, _text(group.value), _text(group.rest), _text(group.p)]
        for group in sorted(gap.groups, key=lambda group: group.value)
    ]
    print_table(rows, [_plain(gap.attribute), "predictions", gap.metric, "all others", "p (Holm)"])


def _cells(metric: MetricSpec, tally: Tally) -> list[str]:
    better = "higher" if metric.higher_is_better else "lower"
    low, high = tally.interval or (math.nan, math.nan)
    mean = _interval(tally.mean, low, high) if tally.interval else _text(tally.mean)
    return [_plain(metric.title), mean, _text(tally.std), _text(tally.pooled), better]


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
