"""The columns of a leaderboard's tables: each a title, and what it shows of a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.leaderboard.markdown import escape, percent
from benchmark.leaderboard.reported import ReportedTable, reported_for
from benchmark.protocol import Protocol
from benchmark.records import Record, Summary, protocol_of
from benchmark.records.names import augmentation_name, method_name

# A remark that names more would be longer than its table.
MOST_NAMED = 12


@dataclass(frozen=True)
class Column:
    """A column: its title and the cell of a record, both as escaped markdown."""

    title: str
    cell: Callable[[Record], str]


def name_columns() -> list[Column]:
    """What was run."""
    return [
        Column("Method", lambda record: escape(method_name(record))),
        Column("Augmentations", _augmentations),
        Column("Labels", lambda record: record.label_mode),
    ]


def score_columns(
    protocol: Protocol, titles: Mapping[str, str], reported: Sequence[ReportedTable] = ()
) -> list[Column]:
    """The ranking metric with its interval and its pooled value, the other metrics, the groupings.

    titles: metric titles by name; names stand in for missing ones. reported: tables of the literature; if there are
    any, a column shows how far the ranking metric is from what they print for the same row.
    """
    title = {name: escape(titles.get(name, name)) for name in protocol.metrics}
    ranking = protocol.ranking
    others = [name for name in protocol.metrics if name != ranking]
    return [
        Column(title[ranking], lambda record: _with_interval(summary_of(record, ranking))),
        Column(f"{title[ranking]} pooled", lambda record: _pooled(summary_of(record, ranking))),
        *(_metric_column(title[name], name) for name in others),
        *(_grouping_column(title, grouping.name) for grouping in protocol.groupings),
        *(
            [Column(f"{title[ranking]} against reported", lambda record: _distance(record, protocol, reported))]
            if reported
            else []
        ),
    ]


def _distance(record: Record, protocol: Protocol, reported: Sequence[ReportedTable]) -> str:
    """This run minus each printed value, in points."""
    summary = summary_of(record, protocol.ranking)
    used = (record.method.name, record.method.preset, record.label_mode, record.augmentations)
    if summary is None or record.overrides.recipe or record.overrides.protocol or record.lacks or record.marks.seen:
        return "-"
    texts = (
        f"{100 * (summary.mean - quoted.value):+.2f} ({'; '.join(filter(None, [quoted.source, quoted.doubt]))})"
        for quoted in reported_for(reported, protocol, *used)
    )
    return "; ".join(map(escape, texts)) or "-"


def _metric_column(title: str, metric: str) -> Column:
    return Column(title, lambda record: _mean(summary_of(record, metric)))


def _grouping_column(titles: Mapping[str, str], grouping: str) -> Column:
    """All metrics of a grouping in one cell."""
    return Column(
        f"{escape(grouping)}: {' / '.join(titles.values())}",
        lambda record: " / ".join(_mean(summary_of(record, metric, grouping)) for metric in titles),
    )


def recall_columns(protocol: Protocol) -> list[Column]:
    """The recall of each class; of blends nothing, of which the record's page has all."""
    return [_recall_column(name) for name in shown_classes(protocol)]


def shown_classes(protocol: Protocol) -> tuple[str, ...]:
    """The classes whose recall a table shows: none where answers are blends, which are too many."""
    return () if protocol.answers else protocol.classes


def _recall_column(name: str) -> Column:
    return Column(
        escape(name), lambda record: percent(record.aggregates.recall.get(name) if record.aggregates else None)
    )


def cost_columns() -> list[Column]:
    """What the model is and builds on."""
    return [
        Column("Parameters", lambda record: f"{record.method.parameters / 1e6:.2f} M"),
        Column("GFLOPs", lambda record: "-" if record.method.gflops is None else f"{record.method.gflops:.2f}"),
        Column("Pre-training", _pretraining),
    ]


def run_columns() -> list[Column]:
    """How much was run, when, and what to know about it."""
    return [
        Column("Seeds x folds", _seeds_and_folds),
        Column("Interval covers", _covered),
        Column("Date", lambda record: record.created.date().isoformat()),
        Column("Marks", lambda record: "; ".join(map(escape, marks(record))) or "-"),
    ]


def marks(record: Record) -> list[str]:
    """What a reader should know beside the scores, as plain text."""
    collapsed = record.aggregates.collapsed if record.aggregates else []
    looks = max((unit.test_looks for unit in record.units), default=0)
    dropped = sum(len(unit.dropped) for unit in record.units)
    kept = sum(bool(unit.kept) for unit in record.units)
    notes = {
        "synthetic": record.marks.synthetic,
        "unofficial": record.marks.unofficial,
        "incomplete": record.marks.incomplete,
        "test clips perhaps seen before": record.marks.seen,
        f"no {record.lacks}": record.lacks,
        "best epoch chosen on test": _policy(record) == "test-oracle",
        "last epoch": _policy(record) == "last",
        f"collapsed: {_listed(collapsed)}": collapsed,
        f"recipe changed: {', '.join(sorted(record.overrides.recipe))}": record.overrides.recipe,
        f"{looks} test looks": looks > 1,
        f"{dropped} train clips dropped": dropped,
        f"{kept} units kept from older code": kept,
        "uncommitted code": record.code.dirty or _uncommitted_plugin(record),
    }
    return [note for note, holds in notes.items() if holds]


def _listed(names: Sequence[str]) -> str:
    """Names, but of the many answers that blends are only how many."""
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} answers"


def _uncommitted_plugin(record: Record) -> bool:
    plugins = [record.method.plugin, *(used.plugin for used in record.augmentations)]
    return any(plugin is not None and plugin.dirty for plugin in plugins)


def _policy(record: Record) -> str:
    return protocol_of(record).selection.policy


def summary_of(record: Record, metric: str, grouping: str | None = None) -> Summary | None:
    """A metric's aggregate, of the classes or of a grouping; None if the record has none."""
    if record.aggregates is None:
        return None
    found = record.aggregates.metrics if grouping is None else record.aggregates.groupings.get(grouping, {})
    return found.get(metric)


def _augmentations(record: Record) -> str:
    return " + ".join(escape(augmentation_name(used)) for used in record.augmentations) or "none"


def _pretraining(record: Record) -> str:
    if not record.init:
        return escape(record.method.pretraining or "none")
    return escape("; ".join(f"{name}: {started_from(record, name)}" for name in sorted(record.init)))


def started_from(record: Record, network: str) -> str:
    """What a network of a record started from, in words, as far as its file said."""
    file = f"file {(record.init or {})[network][:8]}"
    weights = (record.initial or {}).get(network)
    if weights is None:
        return file
    whose = [weights.method or "not made here", *(training.title for training in weights.history)]
    return f"{file} ({', then '.join(whose)}{'; with its classifier' if weights.classifier else ''})"


def _seeds_and_folds(record: Record) -> str:
    return f"{len({unit.seed for unit in record.units})} x {len({unit.fold for unit in record.units})}"


def _covered(record: Record) -> str:
    """What the intervals allow for: the choice of test clips, or of whole clusters of them, and that of seeds."""
    cluster = protocol_of(record).clustered_by
    clips = f"clips by {escape(cluster)}" if cluster else "clips"
    several = record.units and all(count > 1 for count in Counter(unit.fold for unit in record.units).values())
    return f"{clips} and seeds" if several else clips


def _mean(summary: Summary | None) -> str:
    return percent(summary.mean if summary else None)


def _pooled(summary: Summary | None) -> str:
    return percent(summary.pooled if summary else None)


def _with_interval(summary: Summary | None) -> str:
    if summary is None:
        return percent(None)
    spread = "" if summary.std is None else f" ± {percent(summary.std)}"
    return f"{percent(summary.mean)} [{percent(summary.low)}, {percent(summary.high)}]{spread}"
