"""What `benchmark compare` prints: markdown tables, and one plain sentence for each pair."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from benchmark.finished.comparing import Compared, Pair
from benchmark.finished.rescoring import FinishedSplit
from benchmark.leaderboard.columns import marks, name_columns
from benchmark.leaderboard.markdown import escape, percent, render_table
from benchmark.specs import MetricSpec

# A p from which on a difference is called chance.
LEVEL = 0.05
SYNTHETIC = "**Synthetic data: these numbers say nothing about real faces.**"
LEGEND = """\
Scores and differences are percent and points, means over folds and seeds on the test clips that both runs share. The
95 % interval and p (Student's t) come from leaving out each resampling unit of both runs at once: a clip, or all clips
that share what the protocol names. They cover the choice of test clips, and that of seeds where both runs have several
for every fold; a class with very few clips varies less under them than it would in truth."""
PAIRS = "Differences are the first run's minus the second's; Holm's correction is for the number of pairs."
CHOSEN = "Differences are test-oracle minus val-selected; the interval takes the epochs as given, whoever chose them."


def comparison_text(runs: Sequence[FinishedSplit], pairs: Sequence[Pair], metrics: Sequence[MetricSpec]) -> str:
    """The comparison of all pairs: sentences first, then the numbers behind them."""
    protocol = runs[0].protocol
    parts = [
        f"# Comparison under {escape(protocol.name)}, version {protocol.version}",
        *_head(runs),
        "\n".join(f"* {sentence(runs, pair, metrics[0], len(pairs))}" for pair in pairs),
        "## Differences",
        _differences(pairs, metrics),
        "## Clips that only one of the two has right",
        _discordant(pairs),
        "## Differences of recall",
        _recall(pairs, protocol.answer_names),
        f"{LEGEND}\n{PAIRS}",
    ]
    return "\n\n".join(parts)


def optimism_text(runs: Sequence[FinishedSplit], pair: Pair, metrics: Sequence[MetricSpec]) -> str:
    """A `test-oracle` run (the pair's first) beside its `val`-selected twin (the second)."""
    rows = [
        [
            escape(metric.title),
            percent(found.second),
            percent(found.first),
            *difference_cells(found),
            p_text(found.difference.p),
        ]
        for metric in metrics
        for found in [pair.metrics[metric.name]]
    ]
    header = ["Metric", "selected on val", "best epoch on test", "Difference", "95 % interval", "p"]
    ranking = next((m for m in metrics if m.name == runs[pair.second].protocol.ranking), metrics[0])
    parts = [
        f"# Optimism of choosing the epoch on test: {escape(runs[pair.second].protocol.name)}",
        *_head(runs),
        render_table(header, rows),
        _optimism_sentence(runs, pair.metrics[ranking.name], ranking),
        f"{LEGEND}\n{CHOSEN}",
    ]
    return "\n\n".join(parts)


def sentence(runs: Sequence[FinishedSplit], pair: Pair, metric: MetricSpec, pairs: int) -> str:
    """What the data say about two runs, in plain words."""
    found = pair.metrics[metric.name]
    value, low, high = _points(found)
    names = [f"{ascii_uppercase[k]} ({escape(runs[k].record.method.title)})" for k in (pair.first, pair.second)]
    p = p_text(found.holm)
    chance = f"p {p if p.startswith('<') else f'= {p}'}{' after Holm' if pairs > 1 else ''}"
    points = f"points of {escape(metric.title)}"
    if found.holm < LEVEL and value:
        if (value > 0) != metric.higher_is_better:
            names.reverse()
        if value < 0:
            low, high = -high, -low
        text = (
            f"{names[0]} is better than {names[1]} by {abs(value):.2f} {points} "
            f"(95 % interval {low:.2f} to {high:.2f}, {chance}): unlikely to be chance."
        )
    else:
        text = (
            f"The data do not separate {names[0]} and {names[1]}: the difference is {value:.2f} {points} "
            f"(95 % interval {low:.2f} to {high:.2f}, {chance})."
        )
    return text + _synthetic(runs)


def _optimism_sentence(runs: Sequence[FinishedSplit], found: Compared, metric: MetricSpec) -> str:
    value, low, high = _points(found)
    return (
        f"The {percent(found.first)} {escape(metric.title)} of the best epoch on test is what the literature's habit "
        f"would have reported; the epoch selected on val has {percent(found.second)}, a difference of {value:+.2f} "
        f"points (95 % interval {low:+.2f} to {high:+.2f}). The score of the best epoch on test is never ranked. Not "
        "all of the difference comes from looking at test: the same run also trains on the clips that the other holds "
        f"out for validation.{_synthetic(runs)}"
    )


def _head(runs: Sequence[FinishedSplit]) -> list[str]:
    """The runs behind the letters, and above them what kind of data they come from."""
    columns = name_columns()
    header = ["Run", *(column.title for column in columns), "Seeds x folds", "Marks", "Record"]
    rows = [
        [
            letter,
            *(column.cell(run.record) for column in columns),
            f"{len({unit.seed for unit in run.units})} x {len({unit.fold for unit in run.units})}",
            "; ".join(map(escape, marks(run.record))) or "-",
            escape(str(run.path)),
        ]
        for letter, run in zip(ascii_uppercase, runs, strict=False)
    ]
    table = render_table(header, rows)
    return [SYNTHETIC, table] if _synthetic(runs) else [table]


def _differences(pairs: Sequence[Pair], metrics: Sequence[MetricSpec]) -> str:
    rows = [
        [
            _names(pair),
            escape(metric.title),
            percent(found.first),
            percent(found.second),
            *difference_cells(found),
            p_text(found.difference.p),
            p_text(found.holm),
        ]
        for pair in pairs
        for metric in metrics
        for found in [pair.metrics[metric.name]]
    ]
    header = ["Pair", "Metric", "first", "second", "Difference", "95 % interval", "p", "p (Holm)"]
    return render_table(header, rows)


def _discordant(pairs: Sequence[Pair]) -> str:
    rows = []
    for pair in pairs:
        counts = ["-", "-"] if pair.discordant is None else [str(count) for count in pair.discordant]
        p = "-" if pair.mcnemar is None else p_text(pair.mcnemar)
        rows.append([_names(pair), str(len(pair.units)), str(pair.clips), *counts, p])
    return render_table(["Pair", "Units", "Clips", "only first", "only second", "McNemar's exact p"], rows)


def _recall(pairs: Sequence[Pair], classes: Sequence[str]) -> str:
    rows = [
        [_names(pair), *("-" if delta is None else f"{100 * delta:+.2f}" for delta in pair.recall.values())]
        for pair in pairs
    ]
    return render_table(["Pair", *map(escape, classes)], rows)


def _names(pair: Pair) -> str:
    return f"{ascii_uppercase[pair.first]} - {ascii_uppercase[pair.second]}"


def _points(found: Compared) -> tuple[float, float, float]:
    difference = found.difference
    return 100 * difference.value, 100 * difference.low, 100 * difference.high


def difference_cells(found: Compared) -> list[str]:
    """A difference and its interval, in points."""
    value, low, high = _points(found)
    return [f"{value:+.2f}", f"{low:+.2f} to {high:+.2f}"]


def p_text(p: float) -> str:
    """A p value with three decimals."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _synthetic(runs: Sequence[FinishedSplit]) -> str:
    return " (Synthetic data.)" if any(run.record.marks.synthetic for run in runs) else ""
