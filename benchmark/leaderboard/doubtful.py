"""The tab of clips without a label: what rows see where annotators did not agree."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.leaderboard.sections import Section
from benchmark.leaderboard.tab import NOTHING, Cell, Tab, TabTable
from benchmark.records.further import Agreement, MeanScore
from benchmark.registry import registry
from benchmark.scoring.metrics import FEW_CLIPS

ABOUT = (
    "Clips that annotators voted on without agreeing have no single label, are on no list, and were trained on by "
    "nobody, so that each fold's models may be asked about all of them (`benchmark unlabelled RUN`). Predictions are "
    "held against the shares of the votes: how far they are from them, and how often an annotator said one of the two "
    "most probable classes (↑: more is better, ↓: less). In brackets the 95 % interval for the choice of clips.",
    "Right by agreement: these clips and the labelled test clips together, by the share of the votes that the most "
    "voted class has; a prediction is right if it is that class, and shares it where it ties. Accuracy that falls "
    "with agreement is what disagreement itself allows, see the annotators' row of the results (Peterson et al., "
    "Human Uncertainty Makes Classification More Robust, ICCV 2019).",
    "Probabilities are published beside the result; `benchmark leaderboard check` recomputes every figure where the "
    "votes are, and without them that the clips are the same for all units, and none of them a test clip.",
)


def doubtful_tables(section: Section, titles: Mapping[str, str]) -> list[TabTable]:
    """Scores against votes, and right predictions by agreement."""
    asked = [(entry, entry.further.unlabelled) for entry in section.entries if entry.further.unlabelled]
    metrics = list(dict.fromkeys(name for _, found in asked for name in found.metrics))
    levels = sorted({one.agreement for _, found in asked for one in found.agreement})
    clips = {found.clips.clips for _, found in asked}
    about = f"{min(clips):,} clips." if len(clips) == 1 else ""
    by_level = [(entry, {one.agreement: _right(one) for one in found.agreement}) for entry, found in asked]
    if not asked:
        return []
    return [
        TabTable(
            "Against the votes",
            about,
            tuple(f"{titles.get(name, name)} {_better(name)}" for name in metrics),
            tuple((entry, tuple(Cell(_text(found.metrics.get(name))) for name in metrics)) for entry, found in asked),
        ),
        TabTable(
            "Right by agreement",
            "",
            tuple(f"{100 * level:.0f} % agree" for level in levels),
            tuple((entry, tuple(cells.get(level, Cell(NOTHING)) for level in levels)) for entry, cells in by_level),
        ),
    ]


def _better(name: str) -> str:
    metric = registry().metrics.get(name)
    return "↑" if metric and metric.higher_is_better else "↓"


def _right(found: Agreement) -> Cell:
    few = found.predictions < FEW_CLIPS
    text = f"{100 * found.right:.2f}" + (f" (n = {found.predictions})" if few else "")
    return Cell(text, None if few else found.right, few)


def _text(score: MeanScore | None) -> str:
    if score is None:
        return NOTHING
    return f"{score.mean:.4f}" + ("" if score.low is None else f" [{score.low:.4f}, {score.high:.4f}]")


DOUBTFUL = Tab(
    name="unlabelled",
    title="Clips without a label",
    about=ABOUT,
    empty="No result yet: `benchmark unlabelled RUN`, then `benchmark leaderboard add RUN`.",
    tables=doubtful_tables,
)
