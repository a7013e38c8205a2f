"""What rows are held against: trivial answers counted by scikit-learn, and annotators as their votes have them."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, recall_score

from benchmark.errors import IntegrityError
from benchmark.leaderboard import add, build, check, read_entries
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.references import ANNOTATORS, references, trivial_rows
from benchmark.records import protocol_of
from benchmark.scoring.annotators import ceiling_of
from tests.finished_run import RunMaker, labels_of

VOTES = np.random.default_rng(1).multinomial(10, [0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1], 50)
CEILING = ceiling_of(VOTES)


@pytest.fixture(scope="module")
def make_run(tmp_path_factory):
    return RunMaker(tmp_path_factory.mktemp)


def test_trivial_rows_are_those_of_scikit_learns_dummies(make_run):
    run = make_run()
    constant, guessing = trivial_rows(run.record)
    found = {"constant": [], "guessing": []}
    for unit in run.record.units:
        true = np.array(list(labels_of("test", unit.fold, protocol_of(run.record)).values()))
        nothing = np.zeros((len(true), 1))
        most = DummyClassifier(strategy="most_frequent").fit(nothing, true).predict(nothing)
        found["constant"].append((recall_score(true, most, average="macro"), accuracy_score(true, most)))
        shares = np.unique(true, return_counts=True)[1] / len(true)
        found["guessing"].append((1 / len(shares), (shares**2).sum()))
    for row, name in ((constant, "constant"), (guessing, "guessing")):
        uar, war = np.mean(found[name], axis=0)
        assert (row.metrics["uar"], row.metrics["war"]) == pytest.approx((uar, war))


def test_a_run_without_every_fold_gives_no_reference(make_run):
    run = make_run(folds=(1, 2))
    assert references([Entry(PurePosixPath("x"), run.record)], ()) == []


@pytest.fixture
def board(make_run, tmp_path):
    add(make_run(synthetic=True).folder, tmp_path)
    build(tmp_path, ceiling_of=lambda record: CEILING)
    return tmp_path


def test_annotators_stand_above_the_table(board):
    (entry,) = read_entries(board)
    page = (board / ("SYNTHETIC.md" if entry.record.marks.synthetic else "README.md")).read_text()
    (line,) = [line for line in page.splitlines() if line.startswith("| Annotators")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:3] == [f"{100 * CEILING.uar:.2f}", f"{100 * CEILING.war:.2f}"]
    assert page.index("| Annotators") < page.index("| Rank")


def test_whoever_has_no_votes_keeps_what_is_known_of_them(board):
    before = (board / ANNOTATORS).read_text()
    build(board)
    assert (board / ANNOTATORS).read_text() == before
    check(board)


def test_whoever_has_the_votes_sees_what_is_not_theirs(board):
    check(board, ceiling_of=lambda record: CEILING)
    with pytest.raises(IntegrityError, match="is not what the annotators' votes give"):
        check(board, ceiling_of=lambda record: ceiling_of(VOTES[:20]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uar": 0.9}, "uar is not the mean of recall"),
        ({"clips_sha256": "0" * 64}, "no record has these test clips"),
        ({"war": 1.5}, "war"),
        ({"rank": 1}, "rank"),
    ],
)
def test_a_changed_file_fails_the_check(board, change, message):
    value = json.loads((board / ANNOTATORS).read_text())
    value["protocols"][0].update(change)
    (board / ANNOTATORS).write_text(json.dumps(value))
    with pytest.raises(IntegrityError, match=message):
        check(board)
