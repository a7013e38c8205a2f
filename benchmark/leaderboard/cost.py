"""The tab of costs: what a prediction and a training take, and which rows no cheaper one equals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.leaderboard.columns import summary_of
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.sections import Section
from benchmark.leaderboard.tab import NOTHING, Cell, Tab, TabTable, score_text
from benchmark.planning.sweep_plan import PASSES
from benchmark.records import Record
from benchmark.records.further import Latency
from benchmark.scoring.pareto import pareto_front

ABOUT = (
    "Parameters and GFLOPs (operations for one clip, in 10^9, a multiplication and an addition being two) are counted "
    "by the harness; `benchmark latency RECORD` counts them again on the installed method, and refuses a record that "
    "says otherwise. Training is computed from them: GFLOPs x train clips x copies of each x epochs, three times "
    "over, because a backward pass takes about two forward ones (Kaplan et al., Scaling Laws for Neural Language "
    "Models, 2020), in PFLOPs (10^15) for one unit; pre-training is not in it. Hours are those of all units, and they "
    "and the latencies are their publisher's word: nobody can recompute them without the device.",
    "Pareto: of the ranked rows none costs at most as much and has a higher score, or costs less and has the same. "
    "Each kind of cost has a front of its own, since none stands for all (Schwartz et al., Green AI, Communications "
    "of the ACM 2020; Dehghani et al., The Efficiency Misnomer, ICLR 2022). Intervals are not considered: a row that "
    "is not marked may be as good as one that is.",
    "Latency is the median time of predicting one clip, from decoded frames in memory to probabilities, after a "
    "warm-up (`benchmark latency RUN`; single stream and offline as in Reddi et al., MLPerf Inference Benchmark, ISCA "
    "2020). Times are compared within one device and precision only, each in a table of its own.",
    "Within a budget stands the best ranked row whose training takes at most so many operations: a method that wins "
    "with more computing may lose with less, and a score without its budget does not say which (Dodge et al., Show "
    "Your Work, EMNLP 2019).",
)


def training_pflops(record: Record) -> float | None:
    """Operations of training one unit, the mean over units, in 10^15; None where the model's are not known."""
    if record.method.gflops is None or not record.units:
        return None
    copies = (record.method.recipe or {}).get("copies", 1)
    seen = float(np.mean([unit.splits.train.clips * unit.epochs for unit in record.units]))
    return PASSES * record.method.gflops * seen * (copies if isinstance(copies, int) else 1) / 1e6


def budgets(costs: Sequence[float | None], scores: Sequence[float | None]) -> list[tuple[float, int]]:
    """The powers of ten from which on another position has the best score within the budget.

    Of equally good ones the cheapest.
    """
    known = [(c, s, k) for k, (c, s) in enumerate(zip(costs, scores, strict=True)) if c and s is not None]
    powers = sorted({math.ceil(math.log10(cost)) for cost, _, _ in known})
    found: list[tuple[float, int]] = []
    for budget in (10.0**power for power in powers):
        within = [one for one in known if one[0] <= budget]
        _, _, best = max(within, key=lambda one: (one[1], -one[0]))
        if not found or found[-1][1] != best:
            found.append((budget, best))
    return found


def cost_tables(section: Section, titles: Mapping[str, str]) -> list[TabTable]:
    """Size and training of every row, latencies by device, and the best row within each budget."""
    entries, ranking = section.entries, section.protocol.ranking
    title = titles.get(ranking, ranking)
    scores = [_score(entry, ranking) for entry in entries]
    training = [training_pflops(entry.record) for entry in entries]
    kinds: dict[str, list[float | None]] = {
        "GFLOPs": [entry.record.method.gflops for entry in entries],
        "parameters": [float(entry.record.method.parameters) for entry in entries],
        "training": training,
    }
    fronts = {kind: pareto_front(costs, scores) for kind, costs in kinds.items()}
    rows = [
        (
            entry,
            (
                Cell(score_text(summary_of(entry.record, ranking))),
                Cell(f"{entry.record.method.parameters / 1e6:.2f} M"),
                Cell(_number(entry.record.method.gflops)),
                Cell(_number(training[k])),
                Cell(_hours(entry.record)),
                Cell(_trained_on(entry.record)),
                Cell(", ".join(kind for kind, front in fronts.items() if k in front) or NOTHING),
            ),
        )
        for k, entry in enumerate(entries)
    ]
    header = (title, "Parameters", "GFLOPs a clip", "Training, PFLOPs", "Hours", "Trained on", "Pareto front of")
    within = budgets(training, scores)
    return [
        TabTable("Size and training", "", header, tuple(rows)),
        *_latency_tables(entries, ranking, title),
        TabTable(
            "Within a budget",
            "",
            (title, "Training, PFLOPs", "Pre-training, not counted"),
            tuple(
                (
                    entries[k],
                    (
                        Cell(score_text(summary_of(entries[k].record, ranking))),
                        Cell(_number(training[k])),
                        Cell(entries[k].record.method.pretraining if entries[k].record.init else "none"),
                    ),
                )
                for _, k in within
            ),
            before=("From PFLOPs", tuple(np.format_float_positional(budget, trim="-") for budget, _ in within)),
        ),
    ]


def _latency_tables(entries: Sequence[Entry], ranking: str, title: str) -> list[TabTable]:
    devices: dict[str, list[tuple[Entry, Latency]]] = {}
    for entry in entries:
        for latency in entry.further.latencies:
            devices.setdefault(latency.where, []).append((entry, latency))
    return [_latency_table(where, devices[where], ranking, title) for where in sorted(devices)]


def _latency_table(where: str, measured: Sequence[tuple[Entry, Latency]], ranking: str, title: str) -> TabTable:
    front = pareto_front([one.milliseconds for _, one in measured], [_score(entry, ranking) for entry, _ in measured])
    rows = [
        (
            entry,
            (
                Cell(score_text(summary_of(entry.record, ranking))),
                Cell(f"{_number(one.milliseconds)} [{_number(one.low)}, {_number(one.high)}]"),
                Cell(_number(one.clips_per_second)),
                Cell(str(one.batch)),
                Cell(one.torch),
                Cell("yes" if k in front else NOTHING),
            ),
        )
        for k, (entry, one) in enumerate(measured)
    ]
    header = (title, "Milliseconds a clip [quartiles]", "Clips a second", "in batches of", "torch", "Pareto front")
    return TabTable(f"Latency: {where}", "As stated by the publisher.", header, tuple(rows))


def _score(entry: Entry, ranking: str) -> float | None:
    """What counts for a front: the score of a row that may be ranked."""
    summary = summary_of(entry.record, ranking)
    return summary.mean if summary and entry.record.eligible else None


def _number(value: float | None) -> str:
    """Four digits, and never an exponent."""
    if not value:
        return NOTHING if value is None else "0"
    return f"{value:.{max(3 - math.floor(math.log10(value)), 0)}f}"


def _hours(record: Record) -> str:
    return _number(sum(unit.cost.train_seconds for unit in record.units) / 3600)


def _trained_on(record: Record) -> str:
    """Every device of the units; several processes of one are counted."""
    found = dict.fromkeys(_device(unit.cost.device, unit.cost.hardware) for unit in record.units)
    units = len(record.units)
    return f"{', '.join(found)}; {units} unit{'s' * (units != 1)}"


def _device(device: str, hardware: Mapping[str, str]) -> str:
    return hardware.get("processor", device) if device == "cpu" else device


def cost_figure(section: Section) -> str:
    """Score against GFLOPs of the rows that may be ranked; empty for fewer than two."""
    from benchmark.plots import svg_text
    from benchmark.plots.figures import side_by_side

    records = [entry.record for entry in section.entries if entry.record.eligible and entry.record.aggregates]
    if len(records) < 2:
        return ""
    figures, _ = side_by_side(records, section.protocol)
    return svg_text(figures["cost"]) if "cost" in figures else ""


COST = Tab(
    name="cost",
    title="Cost",
    about=ABOUT,
    empty="No row yet.",
    tables=cost_tables,
    figure=cost_figure,
)
