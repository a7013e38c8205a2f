"""Answers of systems that are no plugin: scored like a record's predictions, checked by everybody, never ranked."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
from pathlib import Path

import pytest
import yaml
from sklearn.metrics import recall_score

from benchmark.cli.main import main
from benchmark.datasets.scored import scored_labels
from benchmark.errors import IntegrityError
from benchmark.leaderboard import add, build, check
from benchmark.leaderboard.outside import add_outside, check_outside, read_outside_entries
from benchmark.planning.data import load_data
from benchmark.planning.request import find_protocol
from benchmark.records import OUTSIDE
from tests.finished_run import RunMaker

PROTOCOL = find_protocol("dfew-5fold")
SYSTEM = {
    "name": "Some Model",
    "version": "2026-01",
    "prompt": "Which of these emotions does the person show? Answer with one word.",
    "inputs": ["frames"],
    "training": "not stated by its provider",
    "citation": "someone.example",
}


@pytest.fixture(scope="module")
def data(synthetic_root):
    return load_data(PROTOCOL, synthetic_root, votes=False)


@pytest.fixture(scope="module")
def labels(data):
    return {name: label for fold in data.folds.values() for name, label in scored_labels(fold.test).items()}


@pytest.fixture(scope="module")
def answered(labels):
    """Right on three clips of four."""
    classes = PROTOCOL.classes
    return {
        name: label if number % 4 else classes[(classes.index(label) + 1) % len(classes)]
        for number, (name, label) in enumerate(labels.items())
    }


def write_answers(path: Path, header, rows, packed=False) -> Path:
    with (gzip.open if packed else open)(path, "wt", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_system(folder: Path, **changes) -> Path:
    path = folder / "system.yaml"
    path.write_text(yaml.safe_dump({**SYSTEM, **changes}))
    return path


@pytest.fixture
def board(tmp_path, data, answered) -> Path:
    file = write_answers(tmp_path / "answers.csv", ["clip_id", "label"], answered.items())
    add_outside(file, write_system(tmp_path), PROTOCOL, data, tmp_path / "leaderboard")
    build(tmp_path / "leaderboard")
    return tmp_path / "leaderboard"


def test_its_scores_are_those_of_scikit_learn(board, data, labels, answered):
    (entry,) = read_outside_entries(board)
    for fold in entry.answers.folds:
        true = scored_labels(data.folds[fold.fold].test)
        expected = recall_score(list(true.values()), [answered[name] for name in true], average="macro")
        assert fold.scores.metrics["uar"].value == pytest.approx(expected)
    assert entry.answers.single


def test_it_has_a_section_of_its_own_and_no_rank(board):
    page = (board / "SYNTHETIC.md").read_text()
    section = page[page.index("## Systems that were not trained here") :]
    assert "Some Model" in section
    assert "| Rank" not in section
    assert "Some Model" not in (board / "README.md").read_text()


def test_probabilities_are_taken_by_the_names_of_their_columns(tmp_path, data, labels):
    order = list(reversed(PROTOCOL.classes))
    rows = [[name, *(0.94 if c == label else 0.01 for c in order)] for name, label in labels.items()]
    file = write_answers(tmp_path / "answers.csv.gz", ["clip_id", *(f"p_{c}" for c in order)], rows, packed=True)
    entry = add_outside(file, write_system(tmp_path), PROTOCOL, data, tmp_path / "leaderboard")
    assert {fold.scores.metrics["war"].value for fold in entry.answers.folds} == {1.0}
    assert not entry.answers.single


def test_the_same_answers_are_one_entry(board, tmp_path, data):
    add_outside(tmp_path / "answers.csv", tmp_path / "system.yaml", PROTOCOL, data, board)
    assert len(read_outside_entries(board)) == 1


def test_a_sound_board_passes_the_check(board):
    check(board)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value["folds"][0]["scores"]["metrics"]["uar"].update(value=0.99), "uar"),
        (lambda value: value["folds"].pop(), "folds"),
        (lambda value: value["system"].update(version="2027"), "the content belongs into"),
        (lambda value: value.update(single=False), "the content belongs into"),
        (lambda value: value["folds"][0]["predictions"].update(path="../../x"), "not a plain path"),
        (lambda value: value["system"].pop("prompt"), "prompt"),
        (lambda value: value["protocol"]["definition"].update(title="mine"), "protocol.definition hashes to"),
    ],
)
def test_a_changed_file_fails_the_check(board, change, message):
    (place,) = (board / "systems").glob("*/*")
    value = json.loads((place / OUTSIDE).read_text())
    change(value)
    (place / OUTSIDE).write_text(json.dumps(value))
    with pytest.raises(IntegrityError, match=message):
        check(board)


def test_labels_that_are_at_hand_are_joined_again(board, labels):
    (entry,) = read_outside_entries(board)
    check_outside(entry.answers, board / entry.path, labels)
    names = list(labels.values())
    turned = dict(zip(labels, [*names[1:], names[0]], strict=True))
    with pytest.raises(IntegrityError, match="scores"):
        check_outside(entry.answers, board / entry.path, turned)


def test_the_check_has_them_from_the_records_under_the_same_protocol(board, tmp_path_factory):
    """These records are of other clips, so that their labels cannot be those of the system's."""
    run = RunMaker(tmp_path_factory.mktemp)(synthetic=True)
    add(run.folder, board)
    build(board)
    check(board)
    with pytest.raises(IntegrityError, match="systems/.* have no label"):
        check(board, lambda record: run.by_split)


def test_changed_answers_and_stray_files_fail_the_check(board):
    (place,) = (board / "systems").glob("*/*")
    (place / "labels.csv").write_text("stray")
    with pytest.raises(IntegrityError, match="belongs to no record"):
        check(board)
    (place / "labels.csv").unlink()
    (place / "fold-1.csv.gz").write_bytes((place / "fold-2.csv.gz").read_bytes())
    with pytest.raises(IntegrityError, match="SHA-256"):
        check(board)


@pytest.mark.parametrize(
    ("header", "change", "message", "code"),
    [
        (["clip_id", "label"], lambda rows: rows[:-1], "1 test clips have no answer", 4),
        (["clip_id", "label"], lambda rows: [*rows, ("nobody", "happy")], "1 answers are of no test clip: 'nobody'", 4),
        (["clip_id", "label"], lambda rows: [*rows, rows[0]], "is there twice", 4),
        (["clip_id", "label"], lambda rows: [(rows[0][0], "joy"), *rows[1:]], "line 2: 'joy' is none of happy", 2),
        (["clip_id", "answer"], lambda rows: rows, "give clip_id and label, or clip_id, p_happy", 2),
        (["clip_id", "label"], lambda rows: [rows[0][:1], *rows[1:]], "line 2: has 1 fields", 4),
    ],
)
def test_answers_that_are_not_those_of_the_clips_are_refused(
    tmp_path, synthetic_root, answered, capsys, header, change, message, code
):
    file = write_answers(tmp_path / "answers.csv", header, change(list(answered.items())))
    options = ["--system", write_system(tmp_path), "--protocol", "dfew-5fold", "--data-root", synthetic_root]
    board = tmp_path / "board"
    assert main([*map(str, ["leaderboard", "add", "--predictions", file, *options, "--dir", board])]) == code
    assert message in capsys.readouterr().err
    assert not list(board.glob("systems/*/*"))


@pytest.mark.parametrize(
    ("changes", "message"), [({"inputs": ["smell"]}, "inputs"), ({"prompt": ""}, "prompt"), ({"rank": 1}, "rank")]
)
def test_a_declaration_that_says_too_little_or_too_much_is_refused(
    tmp_path, synthetic_root, answered, capsys, changes, message
):
    file = write_answers(tmp_path / "answers.csv", ["clip_id", "label"], answered.items())
    options = ["--system", write_system(tmp_path, **changes), "--protocol", "dfew-5fold", "--data-root", synthetic_root]
    command = ["leaderboard", "add", "--predictions", file, *options, "--dir", tmp_path / "board"]
    assert main([*map(str, command)]) == 2
    assert message in capsys.readouterr().err


def test_a_pull_request_may_add_it_and_not_change_it(board):
    def git(*arguments):
        names = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(board.parent), *names, *arguments], check=True, capture_output=True)

    git("init", "-q")
    (board.parent / ".gitignore").write_text("answers.csv\nsystem.yaml\n")
    git("add", ".gitignore")
    git("commit", "-qm", "base")
    git("tag", "base")
    git("add", ".")
    git("commit", "-qm", "systems")
    assert main(["leaderboard", "review", "--base", "base", "--dir", str(board)]) == 0
    git("tag", "published")
    (place,) = (board / "systems").glob("*/*")
    (place / OUTSIDE).unlink()
    assert main(["leaderboard", "review", "--base", "published", "--dir", str(board)]) == 4
