"""The tab of spoiled clips: what bad video does to each row (DFER-C)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmark.leaderboard.sections import Section
from benchmark.leaderboard.tab import NOTHING, Cell, Tab, TabTable
from benchmark.video.corruptions import CORRUPTIONS

ABOUT = (
    "The test clips again, spoiled in eight ways: JPEG, rescaling, motion blur, low light, occlusion, frozen and "
    "dropped frames, and a crop that trembles; nothing was trained again (`benchmark robustness RUN`). Scores are "
    "means over units, in percent. Corrupted is the mean over severities, then over corruptions; relative, that as a "
    "share of the clean score. After Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common "
    "Corruptions and Perturbations, ICLR 2019; the ways are those of videos of faces, and the severities our own.",
    "What each spoiled clip was taken for is published beside the result, and `benchmark leaderboard check` "
    "recomputes every score where the labels are; without them it checks that the clips are the record's, that the "
    "clean score is, and that no accuracy moved further than predictions did.",
)


def spoiled_tables(section: Section, titles: Mapping[str, str]) -> list[TabTable]:
    """One table for each choice of severities, by the ranking metric."""
    ranking = section.protocol.ranking
    title = titles.get(ranking, ranking)
    chosen = {entry.further.robustness.severities for entry in section.entries if entry.further.robustness}
    tables = []
    for severities in sorted(chosen, key=lambda severities: -len(severities)):
        rows = []
        for entry in section.entries:
            found = entry.further.robustness
            if found is None or found.severities != severities:
                continue
            one = found.metrics[ranking]
            means = [float(np.mean(one.by_corruption[name])) for name in CORRUPTIONS]
            relative = NOTHING if one.relative is None else f"{100 * one.relative:.2f}"
            lead = (Cell(_percent(one.clean)), Cell(_percent(one.corrupted)), Cell(relative))
            rows.append((entry, (*lead, *(Cell(_percent(value), value) for value in means))))
        which = "Severity" if len(severities) == 1 else "Severities"
        heading = f"{which} {', '.join(map(str, severities))}"
        names = tuple(name.replace("_", " ").replace("-", " ") for name in CORRUPTIONS)
        tables.append(TabTable(heading, "", (f"{title}, clean", "corrupted", "relative", *names), tuple(rows)))
    return tables


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


SPOILED = Tab(
    name="robustness",
    title="Spoiled clips",
    about=ABOUT,
    empty="No result yet: `benchmark robustness RUN`, then `benchmark leaderboard add RUN`.",
    tables=spoiled_tables,
)
