"""Which places a row may have, and that the published comparisons follow from the records."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
from finished_run import DFEW, RunMaker

from benchmark.errors import IntegrityError
from benchmark.leaderboard import add, build, check, read_entries
from benchmark.leaderboard.comparisons import COMPARISONS, read_comparisons
from benchmark.leaderboard.pairing import compare_rivals
from benchmark.leaderboard.rivals import rankings
from benchmark.scoring.intervals import jackknife
from benchmark.scoring.metrics import confusion_matrix, uar
from benchmark.scoring.predictions import read_predictions

pytestmark = pytest.mark.usefixtures("made_up_lists")


@pytest.fixture(scope="module")
def make_run(tmp_path_factory):
    return RunMaker(tmp_path_factory.mktemp)


@pytest.fixture
def board(make_run, tmp_path):
    """Three runs: two that differ by little, and one that is far behind."""
    folder = tmp_path / "leaderboard"
    runs = [make_run(name=name, title=name, accuracy=a) for name, a in (("one", 0.7), ("two", 0.69), ("three", 0.2))]

    def labels_of(record):
        return runs[0].by_split

    return folder, runs, labels_of


def publish(board, with_labels: bool):
    folder, runs, labels_of = board
    for run in runs:
        add(run.path, folder, labels_of if with_labels else None)
    build(folder, labels_of if with_labels else None)
    return folder


def ranks(folder) -> dict[str, str]:
    lines = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[1].split(" ")[0]: row[0] for row in cells if row[0][0].isdigit()}


def stored(folder) -> list:
    """The three rows of the only ranking."""
    return json.loads((folder / COMPARISONS).read_text())["rankings"][0]["rows"]


def change(folder, edit):
    content = json.loads((folder / COMPARISONS).read_text())
    edit(content["rankings"][0]["rows"])
    (folder / COMPARISONS).write_text(json.dumps(content))


@pytest.mark.parametrize("with_labels", [True, False])
def test_rows_that_cannot_be_told_apart_may_have_each_others_places(board, with_labels):
    folder = publish(board, with_labels)
    found = ranks(folder)
    assert found["one"] == found["two"] == "1-2"
    assert found["three"] == "3"
    assert check(folder).entries


def test_the_error_of_a_difference_is_that_of_leaving_each_clip_out_of_both_rows(board):
    folder = publish(board, True)
    (rivals,) = rankings(check(folder).entries)
    first, second = rivals.entries[0], rivals.entries[1]
    size, variance = len(DFEW.classes), 0.0
    for one, other in zip(first.record.units, second.record.units, strict=True):
        files = [
            read_predictions(folder / e.path / u.predictions.test.path, DFEW.classes)
            for e, u in ((first, one), (second, other))
        ]
        true = np.array([DFEW.classes.index(clip_id.split("-")[1]) for clip_id in files[0].ids])
        differences = []
        for clip in range(len(true)):
            rest = np.arange(len(true)) != clip
            scores = [float(uar(confusion_matrix(true[rest], file.predicted[rest], size))) for file in files]
            differences.append(scores[0] - scores[1])
        moved = np.array(differences)
        for k in range(size):
            own = moved[true == k]
            variance += (len(own) - 1) / len(own) * ((own - own.mean()) ** 2).sum() / 5**2
    assert stored(folder)[1]["errors"][0] == pytest.approx(variance**0.5, abs=1e-8)


def test_without_labels_nothing_is_paired_and_labels_that_come_later_pair_it(board):
    folder = publish(board, False)
    assert all(error is None for row in stored(folder) for error in row["errors"])
    build(folder, board[2])
    assert all(error is not None for row in stored(folder) for error in row["errors"])
    assert check(folder, board[2]).with_labels


def test_a_row_that_comes_without_labels_leaves_the_others_paired(board, make_run):
    folder = publish(board, True)
    before = {row["entry"]: row["errors"] for row in stored(folder)}
    add(make_run(name="four", title="four", accuracy=0.5).path, folder)
    build(folder)
    (comparisons,) = read_comparisons(folder)
    assert len(comparisons.entries) == 4
    assert set(comparisons.pairs()) == set(combinations(sorted(before), 2))
    assert check(folder).entries


def test_rows_with_other_seeds_are_paired_over_their_clips(make_run, tmp_path):
    runs = [make_run(name="one", accuracy=0.6), make_run(name="one", accuracy=0.6, seeds=(1, 2))]
    for run in runs:
        add(run.path, tmp_path, lambda record: runs[0].by_split)
    build(tmp_path, lambda record: runs[0].by_split)
    assert stored(tmp_path)[1]["errors"][0] is not None
    assert check(tmp_path, lambda record: runs[0].by_split).entries


def test_pairing_narrows_what_is_not_known_where_runs_agree_on_clips(make_run, tmp_path):
    """The same predictions under two titles: over the same clips nothing differs, over independent ones much could."""
    runs = [make_run(name="same", title=title) for title in ("A", "B")]
    for run in runs:
        add(run.path, tmp_path)
    (rivals,) = rankings(built_unchecked(tmp_path))
    paired = compare_rivals(tmp_path, rivals, lambda record: runs[0].by_split)
    assert paired.rows[1].errors == (0.0,)


def built_unchecked(folder):
    build(folder)
    return read_entries(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: rows[1]["errors"].__setitem__(0, 0.3), r"error is 0\.3, but the two records allow"),
        (lambda rows: rows[1]["freedoms"].__setitem__(0, 1e6), "more than the records have clips"),
        (lambda rows: rows[1]["errors"].__setitem__(0, None), "must lie in 0..1 and have its degrees of freedom"),
        (lambda rows: rows[1]["errors"].pop(), "expected 1 errors and freedoms"),
        (lambda rows: rows[1].update(entry="records/other"), "not about the rows"),
        (lambda rows: rows.pop(), "not about the rows"),
    ],
)
def test_a_changed_comparison_fails_the_check(board, edit, message):
    folder = publish(board, True)
    change(folder, edit)
    with pytest.raises(IntegrityError, match=message):
        check(folder)


def test_an_error_that_only_labels_can_refute_is_refuted_with_labels(board):
    folder = publish(board, True)
    error = stored(folder)[1]["errors"][0]
    change(folder, lambda rows: rows[1]["errors"].__setitem__(0, round(0.999 * error, 9)))
    with pytest.raises(IntegrityError, match="recomputed"):
        check(folder, board[2])


def test_jackknife_is_what_the_errors_rest_on():
    """The mean of numbers: its jackknife variance is s^2 / n."""
    values = np.random.default_rng(0).random(30)
    left_out = (values.sum() - values) / 29
    assert jackknife(values.mean(), left_out).variance == pytest.approx(values.var(ddof=1) / 30)
