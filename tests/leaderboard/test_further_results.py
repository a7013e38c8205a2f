"""Further results on a leaderboard: published beside the record, recomputed by everybody who can, never changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from finished_run import RunMaker
from further_results import ask_unlabelled, spoil, time

from benchmark.cli.main import main
from benchmark.errors import IntegrityError
from benchmark.files import hash_file
from benchmark.leaderboard import add, build, check, publish_further, review
from benchmark.leaderboard.further import place_of_further
from benchmark.records import protocol_of
from benchmark.scoring.predicted_classes import PredictedClasses, read_predicted_classes, write_predicted_classes
from benchmark.scoring.predictions import read_predictions, unpacked


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with all kinds of further results, and the votes behind one."""
    run = RunMaker(tmp_path_factory.mktemp)(synthetic=True)
    spoil(run)
    _, votes = ask_unlabelled(run)
    time(run)
    return run, votes


@pytest.fixture(scope="module")
def published(made, tmp_path_factory):
    run, votes = made
    board = tmp_path_factory.mktemp("published") / "board"
    entry = add(run.folder, board)
    added, left_out = publish_further(run.folder, board, entry, run.labels, votes)
    assert sorted(added) == ["confidence.json", "latency-a-device-fp32.json", "robustness.json", "unlabelled.json"]
    assert not left_out
    build(board)
    return board, board / place_of_further(entry.path)


@pytest.fixture
def board(published, tmp_path):
    """A copy of the leaderboard, and where its only entry's further results lie."""
    board, place = published
    shutil.copytree(board, tmp_path / "board")
    return tmp_path / "board", tmp_path / "board" / place.relative_to(board)


def checked(board: Path, made, labels: bool = True, votes: bool = False) -> None:
    run, known = made
    check(board, (lambda record: run.by_split) if labels else None, votes_of=(lambda record: known) if votes else None)


def edit(path: Path, change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_what_scikit_learn_computes_is_accepted_with_labels_and_without(board, made):
    checked(board[0], made)
    checked(board[0], made, labels=False)


def test_a_score_that_does_not_follow_is_refused_where_labels_are(board, made):
    edit(board[1] / "robustness.json", lambda c: c["metrics"]["uar"]["by_corruption"].update(jpeg=[0.1234]))
    with pytest.raises(IntegrityError, match=r"metrics\.uar\.jpeg is 0\.1234, recomputed"):
        checked(board[0], made)


def test_without_labels_an_accuracy_differs_from_the_clean_one_by_no_more_than_predictions(board, made):
    edit(board[1] / "robustness.json", lambda c: c["metrics"]["war"]["by_corruption"].update(jpeg=[0.02]))
    with pytest.raises(IntegrityError, match="jpeg differs by more than predictions changed"):
        checked(board[0], made, labels=False)


def test_a_clean_score_is_the_records(board, made):
    edit(board[1] / "robustness.json", lambda c: c["metrics"]["uar"].update(clean=0.9))
    with pytest.raises(IntegrityError, match=r"metrics\.uar\.clean is 0\.9, recomputed"):
        checked(board[0], made, labels=False)


def test_predictions_of_other_clips_are_refused(board, made):
    classes = protocol_of(made[0].record).classes

    def forge(content):
        unit = content["units"][0]
        path = board[1] / unit["predictions"]["path"]
        ways = read_ways(path)
        found = read_predicted_classes(path, classes, ways)
        write_predicted_classes(path, classes, PredictedClasses(found.ids[1:], ways, found.predicted[1:]))
        unit["predictions"]["sha256"] = hash_file(path)

    edit(board[1] / "robustness.json", forge)
    with pytest.raises(IntegrityError, match="is not of the unit's test clips"):
        checked(board[0], made, labels=False)


def read_ways(path: Path) -> tuple[str, ...]:
    return tuple(unpacked(path).split("\n")[0].split(",")[1:])


def test_a_changed_file_of_predictions_is_refused(board, made):
    file = next(board[1].glob("seed-*/fold-*/further/unlabelled.csv.gz"))
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(IntegrityError, match="its SHA-256 is"):
        checked(board[0], made, labels=False)


def test_scores_against_votes_are_recomputed_where_votes_are(board, made):
    edit(board[1] / "unlabelled.json", lambda c: c["metrics"]["kl"].update(mean=c["metrics"]["kl"]["low"]))
    build(board[0])
    checked(board[0], made, labels=False)
    with pytest.raises(IntegrityError, match=r"metrics\.kl\.mean is 0\.\d+, recomputed"):
        checked(board[0], made, votes=True)


def test_a_latency_is_of_a_unit_of_the_record(board, made):
    edit(board[1] / "latency-a-device-fp32.json", lambda c: c.update(identity="another"))
    with pytest.raises(IntegrityError, match="identity: is of no unit of the record"):
        checked(board[0], made, labels=False)


def test_what_confidence_is_worth_is_computed_where_labels_are(board, made):
    run, _ = made
    protocol = protocol_of(run.record)
    errors, areas = [], []
    for unit in run.record.units:
        own = read_predictions(run.folder / unit.predictions.test.path, protocol.classes)
        wrong = own.predicted != [protocol.classes.index(run.labels[name]) for name in own.ids]
        # All predictions of the made-up runs are equally sure: which are accepted is chance.
        errors.append(wrong.mean())
        areas.append(wrong.mean() / 2)
    found = json.loads((board[1] / "confidence.json").read_text())
    assert found["metrics"]["risk_at_80"]["mean"] == pytest.approx(np.mean(errors), abs=5e-5)
    assert found["metrics"]["augrc"]["mean"] == pytest.approx(np.mean(areas), abs=5e-5)
    assert found["curve"] == pytest.approx([np.mean(errors)] * 20, abs=5e-5)


def test_confidence_that_does_not_follow_is_refused(board, made):
    edit(board[1] / "confidence.json", lambda c: c["metrics"]["augrc"].update(mean=c["metrics"]["augrc"]["low"]))
    checked(board[0], made, labels=False)
    with pytest.raises(IntegrityError, match=r"metrics\.augrc\.mean is 0\.\d+, recomputed"):
        checked(board[0], made)


def test_all_answered_the_curve_is_at_the_records_share_of_errors(board, made):
    edit(board[1] / "confidence.json", lambda c: c["curve"].__setitem__(-1, 0.0))
    with pytest.raises(IntegrityError, match="share of wrong predictions among all is 0.0, recomputed"):
        checked(board[0], made, labels=False)


def test_a_file_that_no_result_names_is_refused(board, made):
    (board[1] / "labels.csv").write_text("gated")
    with pytest.raises(IntegrityError, match=r"labels\.csv: belongs to no record"):
        checked(board[0], made, labels=False)


def test_a_published_result_stays_as_it_is(made, board, tmp_path):
    run, _ = made
    shutil.copytree(run.folder, tmp_path / "run")
    edit(tmp_path / "run/latency-a-device-fp32.json", lambda c: c.update(milliseconds=12.0))
    added, left_out = publish_further(tmp_path / "run", board[0], add(run.folder, board[0]))
    assert (added, left_out) == ([], ["latency-a-device-fp32.json is published already, with other values"])


def test_a_result_of_some_units_is_not_published(made, tmp_path):
    run, _ = made
    shutil.copytree(run.folder, tmp_path / "run")
    edit(tmp_path / "run/robustness.json", lambda c: c["units"].pop())
    entry = add(run.folder, tmp_path / "board")
    added, left_out = publish_further(tmp_path / "run", tmp_path / "board", entry)
    assert "robustness.json" not in added
    assert left_out == ["robustness.json is of 4 of 5 units"]


def test_the_command_publishes_them_with_the_record_and_says_so(made, tmp_path, capsys):
    run, _ = made
    shutil.copytree(run.folder, tmp_path / "run")
    edit(tmp_path / "run/unlabelled.json", lambda c: c["units"].pop())
    assert main(["leaderboard", "add", str(tmp_path / "run"), "--dir", str(tmp_path / "board")]) == 0
    said = capsys.readouterr().err
    assert "with robustness.json" in said
    assert "not published: unlabelled.json is of 4 of 5 units" in said
    assert "Former-DFER" in (tmp_path / "board/ROBUSTNESS.md").read_text()
    assert main(["leaderboard", "check", "--dir", str(tmp_path / "board"), "--workers", "1"]) == 0


def test_what_is_published_may_not_be_changed_by_a_request(board, made, tmp_path):
    repository = tmp_path / "repository"
    shutil.copytree(board[0], repository / "leaderboard")
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "-m", "x")):
        subprocess.run(["git", "-C", str(repository), *command], check=True, capture_output=True)
    place = repository / "leaderboard" / board[1].relative_to(board[0])
    edit(place / "latency-a-device-fp32.json", lambda c: c.update(clips_per_second=9.0))
    build(repository / "leaderboard")
    with pytest.raises(IntegrityError, match="is published and may not be changed"):
        review(repository / "leaderboard", "HEAD")
