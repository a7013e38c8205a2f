"""Rows that did without the pre-training of their papers: marked, ranked apart, not compared with printed figures."""

from __future__ import annotations

import re

import pytest
from finished_run import RunMaker

from benchmark.leaderboard import add, build, check, read_entries
from benchmark.leaderboard.changes import Changes
from benchmark.leaderboard.comparisons import read_comparisons
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.html import render_index
from benchmark.leaderboard.rendering import ranks_of
from benchmark.leaderboard.reported import load_reported, shipped_tables
from benchmark.leaderboard.review import _summary
from benchmark.leaderboard.rivals import rankings
from benchmark.leaderboard.sections import LACKING, sections
from benchmark.records import MethodUse
from benchmark.units.history import InitialWeights, Training

SHA = "0" * 64
# A file that brings no classifier, of videos that are of no dataset.
MASKED = Training(kind="pre-training", method="mae-dfer", stage="masked")

pytestmark = pytest.mark.usefixtures("made_up_lists")


@pytest.fixture(scope="module")
def make_run(tmp_path_factory):
    return RunMaker(tmp_path_factory.mktemp)


def row(
    make_run, name, *, declared="none (paper: VoxCeleb2)", started=False, filled=("model",), needs=(), accuracy=0.6
):
    method = MethodUse(
        name=name,
        title=name,
        version="1",
        preset="paper",
        pretraining=declared,
        parameters=1,
        gflops=1.0,
        official_evaluation="none",
        needs=list(needs),
    )
    weights = InitialWeights(sha256=SHA, method=name, filled=filled, classifier=False, history=(MASKED,))
    initial = {"init": {"model": SHA}, "initial": {"model": weights}} if started else {}
    return make_run(name=name, method=method, accuracy=accuracy, **initial)


@pytest.fixture
def board(make_run, tmp_path):
    """A row without its pre-training, which is the best, one with it, and one whose method declares none."""
    for run in (
        row(make_run, "without", accuracy=0.9),
        row(make_run, "with", started=True, accuracy=0.6),
        row(make_run, "plain", declared="none", accuracy=0.3),
    ):
        add(run.folder, tmp_path)
    build(tmp_path)
    return tmp_path


def test_what_a_row_lacks_follows_from_what_its_method_declares_and_what_it_started_from(make_run):
    assert row(make_run, "a").record.lacks == "pre-training"
    assert row(make_run, "a", started=True).record.lacks == ""
    assert row(make_run, "a", declared="none").record.lacks == ""


def test_a_network_that_a_method_needs_counts_by_what_was_filled_and_not_by_the_name_of_the_file(make_run):
    assert row(make_run, "a", needs=("guide",), started=True).record.lacks == "pre-training of guide"
    assert row(make_run, "a", needs=("guide",), started=True, filled=("guide", "model")).record.lacks == ""
    assert row(make_run, "a", needs=("guide",), declared="none").record.lacks == "pre-training of guide"


def test_such_rows_have_a_ranking_of_their_own(board):
    entries = check(board).entries
    names = [[entry.record.method.name for entry in rivals.entries] for rivals in rankings(entries)]
    assert sorted(map(sorted, names)) == [["plain", "with"], ["without"]]
    (section,) = sections(entries, {}, ranks_of(entries, read_comparisons(board)))
    assert [entry.record.method.name for _, entry in section.ranked] == ["with", "plain"]
    assert [(rank, entry.record.method.name) for rank, entry in section.lacking] == [("1", "without")]


def test_the_page_shows_them_in_a_table_of_their_own_with_their_mark(board):
    page = (board / "README.md").read_text()
    ranked, _, lacking = page.partition(f"### {LACKING}")
    assert not re.search(r"\| without +\|", ranked) and re.search(r"\| without +\|", lacking)
    assert "no pre-training" in lacking and "| no pre-training" not in ranked


def test_the_site_shows_the_same(board):
    entries = read_entries(board)
    page = render_index(entries, {}, ranks_of(entries, read_comparisons(board)))
    ranked, _, lacking = page.partition(f"<h4>{LACKING}</h4>")
    assert 'results without pre-trained weights"' in lacking
    assert len(re.findall(r"<tr[^>]*><td class=\"rank\"", ranked)) == 2
    assert len(re.findall(r"<tr[^>]*><td class=\"rank\"", lacking)) == 1


def test_a_leaderboard_of_such_rows_alone_does_not_say_that_nothing_is_ranked(make_run, tmp_path):
    add(row(make_run, "without").folder, tmp_path)
    build(tmp_path)
    assert "No ranked result yet" not in (tmp_path / "README.md").read_text()


def test_they_are_not_compared_with_what_their_paper_prints(make_run):
    """MIDAS's tables print a UAR of VideoMAE on DFEW."""
    tables = load_reported(shipped_tables())

    def cell(run):
        entry = Entry(run.folder, run.record)
        (section,) = sections([entry], {}, {str(entry.path): (1, 1)}, tables)
        (column,) = [column for column in section.columns["scores"] if column.title.endswith("against reported")]
        return column.cell(run.record)

    assert cell(row(make_run, "videomae")) == "-"
    assert re.match(r"[+-]\d", cell(row(make_run, "videomae", started=True)))


def test_the_summary_of_a_request_names_the_ranking_that_a_row_is_in(board):
    entries = check(board).entries
    added = {str(entry.path) for entry in entries}
    text = _summary(board, entries, Changes(base="main", data=(), generated=(), code=()), added)
    assert f", rank 1 of 1, {LACKING.lower()}:" in text and ", rank 1 of 2:" in text
    assert "starts from a file: model: file 00000000 (with, then pre-trained (masked))" in text
    assert "unusual: no pre-training" in text
    # Rows of two rankings are not compared.
    assert text.count(" minus ") == 2
