"""The tabs: what rows cost, and what they make of spoiled clips and of clips without a label."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
from finished_run import RunMaker, ranks_by_score
from further_results import ask_unlabelled, spoil, time

from benchmark.leaderboard import Entry
from benchmark.leaderboard.cost import COST, budgets, training_pflops
from benchmark.leaderboard.doubtful import DOUBTFUL
from benchmark.leaderboard.entry_files import place_of
from benchmark.leaderboard.html import render_tab_page, write_site
from benchmark.leaderboard.spoiled import SPOILED
from benchmark.leaderboard.tabs import TABS, render_tab, sections_of
from benchmark.records import MethodUse
from benchmark.records.further import Confidence, FurtherResults, MeanScore, read_further
from benchmark.scoring.pareto import pareto_front

TITLES = {"uar": "UAR", "war": "WAR", "macro_f1": "macro-F1", "kl": "KL"}


def method(title: str, gflops: float | None, parameters: int) -> MethodUse:
    return MethodUse(
        name="m",
        title=title,
        version="1",
        preset="paper",
        pretraining="none",
        parameters=parameters,
        gflops=gflops,
        official_evaluation="-",
        recipe={"copies": 2},
    )


@pytest.fixture(scope="module")
def entries(tmp_path_factory) -> list[Entry]:
    """Dear and good, cheap and worse, dear and bad, and one of synthetic data."""
    make = RunMaker(tmp_path_factory.mktemp)
    runs = [
        make(accuracy=0.9, method=method("Good", 100.0, 9_000_000)),
        make(accuracy=0.6, method=method("Cheap", 1.0, 1_000_000)),
        make(accuracy=0.3, method=method("Bad", 50.0, 20_000_000)),
        make(accuracy=0.8, method=method("Drawn", 2.0, 1_000_000), synthetic=True),
    ]
    time(runs[0], 40.0), time(runs[1], 4.0), time(runs[2], 90.0, "Another Device")
    spoil(runs[0]), spoil(runs[3])
    ask_unlabelled(runs[1])
    return [Entry(place_of(run.record), run.record, further=read_further(run.folder)) for run in runs]


def table(entries, tab, heading):
    (section,) = sections_of(entries, TITLES, ranks_by_score(entries))[False]
    (found,) = [one for one in tab.tables(section, TITLES) if one.heading == heading]
    return found


def column(found, title) -> dict[str, str]:
    place = found.header.index(title)
    return {entry.record.method.title: cells[place].text for entry, cells in found.rows}


def test_no_row_on_the_front_is_dominated_and_every_other_row_is():
    rng = np.random.default_rng(2)
    costs, scores = rng.integers(1, 8, 40).tolist(), rng.integers(1, 8, 40).tolist()
    dominated = {
        a
        for a, b in product(range(40), repeat=2)
        if costs[b] <= costs[a] and scores[b] >= scores[a] and (costs[b], scores[b]) != (costs[a], scores[a])
    }
    assert pareto_front(costs, scores) == set(range(40)) - dominated


def test_rows_without_a_cost_or_a_score_are_on_no_front():
    assert pareto_front([1.0, None, 0.5], [0.5, 0.9, None]) == {0}


def test_within_each_budget_stands_the_best_that_it_pays_for():
    costs, scores = [0.5, 3.0, 40.0, 300.0, None], [0.2, 0.9, 0.5, 0.95, 1.0]
    assert budgets(costs, scores) == [(1.0, 0), (10.0, 1), (1000.0, 3)]
    for budget, best in budgets(costs, scores):
        assert scores[best] == max(s for c, s in zip(costs, scores, strict=True) if c is not None and c <= budget)


def test_a_training_is_three_passes_over_every_copy_of_every_train_clip(entries):
    # 9 train clips, 3 epochs, 2 copies, 100 GFLOPs.
    assert training_pflops(entries[0].record) == pytest.approx(3 * 9 * 3 * 2 * 100e9 / 1e15)


def test_rows_say_on_which_fronts_they_are(entries):
    fronts = column(table(entries, COST, "Size and training"), "Pareto front of")
    assert fronts == {
        "Good": "GFLOPs, parameters, training",
        "Cheap": "GFLOPs, parameters, training",
        "Bad": "-",
    }


def test_times_of_different_devices_are_in_different_tables(entries):
    found = table(entries, COST, "Latency: A Device, fp32")
    assert list(column(found, "torch")) == ["Good", "Cheap"]
    assert column(found, "Pareto front") == {"Good": "yes", "Cheap": "yes"}
    other = table(entries, COST, "Latency: Another Device, fp32")
    assert column(other, "Milliseconds a clip [quartiles]") == {"Bad": "90.00 [81.82, 99.00]"}
    assert "stated by the publisher" in found.about


def test_spoiled_clips_show_the_scores_of_the_result(entries):
    found, result = table(entries, SPOILED, "Severity 3"), entries[0].further.robustness.metrics["uar"]
    assert column(found, "UAR, clean") == {"Good": f"{100 * result.clean:.2f}"}
    mean = np.mean([scores[0] for scores in result.by_corruption.values()])
    assert column(found, "corrupted") == {"Good": f"{100 * mean:.2f}"}
    assert column(found, "relative") == {"Good": f"{100 * mean / result.clean:.2f}"}


def test_clips_without_a_label_show_scores_and_agreement(entries):
    result = entries[1].further.unlabelled
    scores = column(table(entries, DOUBTFUL, "Against the votes"), "KL ↓")
    assert scores["Cheap"].startswith(f"{result.metrics['kl'].mean:.4f} [")
    agreement = table(entries, DOUBTFUL, "Right by agreement")
    for one in result.agreement:
        few = "" if one.predictions >= 30 else f" (n = {one.predictions})"
        assert column(agreement, f"{100 * one.agreement:.0f} % agree") == {"Cheap": f"{100 * one.right:.2f}{few}"}


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.name)
def test_synthetic_rows_stand_below_a_warning_on_every_page(entries, tab):
    ranks = ranks_by_score(entries)
    for page in (render_tab(tab, entries, TITLES, ranks), render_tab_page(tab, entries, TITLES, ranks)):
        assert render_tab(tab, entries[::-1], TITLES, ranks) == render_tab(tab, entries, TITLES, ranks)
        if "Drawn" in page:
            assert page.index("say nothing about real faces") < page.index("Drawn")
            assert max(page.find(name) for name in ("Good", "Cheap")) < page.index("say nothing about real faces")


def test_a_page_without_results_says_how_to_get_one(entries):
    ranks = ranks_by_score(entries)
    assert "benchmark robustness RUN" in render_tab(SPOILED, entries[1:2], TITLES, ranks)
    assert "benchmark unlabelled RUN" in render_tab_page(DOUBTFUL, entries[:1], TITLES, ranks)


def test_nobodys_name_becomes_markup_on_a_tab(tmp_path_factory):
    hostile = "<script>alert(1)</script> | [x](y)"
    run = RunMaker(tmp_path_factory.mktemp)(method=method(hostile, 1.0, 1))
    entry = Entry(place_of(run.record), run.record)
    assert "<script>alert" not in render_tab_page(COST, [entry], TITLES, ranks_by_score([entry]))
    line = next(
        line for line in render_tab(COST, [entry], TITLES, ranks_by_score([entry])).split("\n") if "alert" in line
    )
    assert not re.search(r"<script|(?<!\\)\| \[x\]\(", line)


# A record's own page.


def test_a_records_page_shows_its_confidence_and_what_its_units_differ_by(tmp_path_factory, tmp_path):
    run = RunMaker(tmp_path_factory.mktemp)(seeds=(0, 1, 2), folds=(1, 2))
    score = MeanScore(mean=0.1234, low=0.1111, high=0.1357)
    confidence = Confidence(metrics={"augrc": score, "risk_at_80": score}, curve=(0.25,) * 20)
    entry = Entry(place_of(run.record), run.record, further=FurtherResults(confidence=confidence))
    *_, page = write_site([entry], TITLES, tmp_path, ranks_by_score([entry]))
    text = page.read_text(encoding="utf-8")
    assert "<strong>12.34</strong>" in text and "[11.11, 13.57]" in text
    assert "Wrong among them" in text
    by_fold = [
        [unit.scores.test.metrics["war"].value for unit in run.record.units if unit.fold == fold] for fold in (1, 2)
    ]
    seeds = 100 * np.sqrt(np.mean([np.var(values, ddof=1) for values in by_fold]))
    row = re.search(r"What the units differ by.*?>WAR</th>(.*?)</tr>", text, re.S)
    assert row and f'<td class="number">{seeds:.2f}</td>' in row.group(1)
