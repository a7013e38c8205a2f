"""Which neighbours share a rank, and that the published comparisons follow from the records."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from finished_run import RunMaker

from benchmark.errors import IntegrityError
from benchmark.leaderboard import add, build, check
from benchmark.leaderboard.ties import COMPARISONS, compare_entries, read_comparisons

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
    return {row[1].split(" ")[0]: row[0] for row in cells if row[0].isdigit()}


@pytest.mark.parametrize("with_labels", [True, False])
def test_neighbours_that_cannot_be_separated_share_a_rank(board, with_labels):
    folder = publish(board, with_labels)
    found = ranks(folder)
    assert found["one"] == found["two"] == "1"
    assert found["three"] == "3"
    assert check(folder).entries


def test_with_labels_the_comparison_is_over_the_same_clips(board):
    folder = publish(board, True)
    comparisons = read_comparisons(folder)
    assert len(comparisons) == 2
    for comparison in comparisons.values():
        assert {unit.fold for unit in comparison.units} == {1, 2, 3, 4, 5}
        assert sum(cell[3] for unit in comparison.units for cell in unit.counts) == 5 * 42


def test_pairing_gives_the_narrower_interval_where_runs_agree_on_clips(make_run, tmp_path):
    """The same predictions twice: over the same clips nothing differs, over independent ones much could."""
    run = make_run(name="same")
    first, second = (add(run.path, tmp_path / name) for name in ("a", "b"))
    paired = compare_entries(tmp_path / "a", first, first, run.by_split)
    independent = compare_entries(tmp_path / "b", second, second, None)
    assert (paired.value, paired.low, paired.high, paired.p) == (0, 0, 0, 1)
    assert independent.low < -0.02 < 0.02 < independent.high
    assert np.isclose(independent.value, 0)


def test_units_that_were_tested_on_other_clips_are_not_paired(make_run, tmp_path):
    run = make_run(name="same")
    first = add(run.path, tmp_path)
    units = list(first.record.units)
    other = units[0].splits.test.model_copy(update={"sha256": "0" * 64})
    units[0] = units[0].model_copy(update={"splits": units[0].splits.model_copy(update={"test": other})})
    second = dataclasses.replace(first, record=first.record.model_copy(update={"units": units}))
    compared = compare_entries(tmp_path, first, second, run.by_split)
    assert {unit.fold for unit in compared.units} == {2, 3, 4, 5}


def test_labels_that_come_later_replace_the_comparison_over_independent_clips(board):
    folder = publish(board, False)
    assert not any(comparison.units for comparison in read_comparisons(folder).values())
    build(folder, board[2])
    assert all(comparison.units for comparison in read_comparisons(folder).values())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.update(p=0.001), r"p is 0\.001, recomputed"),
        (
            lambda c: c["units"][0]["counts"][0].__setitem__(3, c["units"][0]["counts"][0][3] + 1),
            "contradict a confusion",
        ),
        (lambda c: c["units"].pop(), "not of the units that both records have"),
        (lambda c: c["units"][0]["counts"][0].__setitem__(1, 99), "no such class"),
        (lambda c: c.update(first="records/other"), "not about the neighbours"),
    ],
)
def test_a_changed_comparison_fails_the_check(board, edit, message):
    folder = publish(board, True)
    path = folder / COMPARISONS
    content = json.loads(path.read_text())
    edit(content["comparisons"][0])
    path.write_text(json.dumps(content))
    with pytest.raises(IntegrityError, match=message):
        check(folder)


def test_counts_that_only_labels_can_refute_are_refuted_with_labels(board):
    """Two cells exchanged so that all margins stay: arithmetic cannot see it."""
    folder = publish(board, True)
    path = folder / COMPARISONS
    content = json.loads(path.read_text())
    counts = content["comparisons"][0]["units"][0]["counts"]
    cells = {tuple(cell[:3]): cell for cell in counts}
    t, i, j, k, m = next((t, i, j, k, m) for (t, i, j) in cells for (u, k, m) in cells if u == t and k != i and m != j)
    for key, change in (((t, i, j), -1), ((t, k, m), -1), ((t, i, m), 1), ((t, k, j), 1)):
        cell = cells.setdefault(key, [*key, 0])
        cell[3] += change
    content["comparisons"][0]["units"][0]["counts"] = sorted(cell for cell in cells.values() if cell[3])
    path.write_text(json.dumps(content))
    with pytest.raises(IntegrityError, match="not those of the predictions and labels|recomputed"):
        check(folder, board[2])
    with pytest.raises(IntegrityError, match="not those of the predictions and labels"):
        check(folder, board[2])
