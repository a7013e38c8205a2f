"""What a pull request may try: each forgery is refused, in one line, by the command that judges it."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import yaml
from finished_run import DFEW as FIVE_FOLDS
from finished_run import FinishedRun, RunMaker

from benchmark.cli.main import main
from benchmark.datasets.splits import hash_ids
from benchmark.errors import EnvironmentProblem, IntegrityError, UsageError
from benchmark.files import hash_file
from benchmark.leaderboard import add, build, check, read_entries, review
from benchmark.leaderboard.attestations import attest
from benchmark.leaderboard.entry_files import place_of
from benchmark.protocol import load_protocol, override
from benchmark.records import MethodUse, Record, aggregate, protocol_of, read_record, write_record
from benchmark.registry import registry
from benchmark.scoring.builtin import METRICS
from benchmark.scoring.predictions import Predictions, read_predictions, write_predictions
from benchmark.scoring.scores import score_confusion, score_split
from benchmark.shipped import shipped

PROTOCOLS = shipped("protocols")
# One fold, because most forgeries are of one; the ids of another are those of the five folds' second.
DFEW = load_protocol(PROTOCOLS / "dfew-fold1.yaml")
LEADERBOARD = Path(__file__).parents[2] / "leaderboard"
pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen (Debian: openssh-client)")


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")


def new_key(folder: Path, name: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True)
    return folder / name


def allow(board: Path, name: str, key: Path) -> None:
    with open(board / "maintainers", "a") as file:
        file.write(f"{name} {key.with_suffix('.pub').read_text()}")


def facts_of(run: FinishedRun) -> dict[str, Any]:
    """The facts file of the made-up lists that a run has."""

    def split(unit, name):
        use = getattr(unit.splits, name)
        rows = {"train": [9, 0, 0, 0, 0, 0, 0]}.get(name) or [sum(r) for r in getattr(unit.scores, name).confusion]
        per_class = dict(zip(DFEW.classes, rows, strict=True))
        return {"clips": use.clips, "per_class": per_class, "sha256": use.sha256}

    folds = [{"fold": u.fold, **{name: split(u, name) for name in ("train", "val", "test")}} for u in run.record.units]
    return {"protocol": run.record.protocol.name, "hash": run.record.protocol.hash, "folds": folds}


@dataclass
class Request:
    """A clone of the base in which a stranger does what they like; `run` is what they really have."""

    board: Path
    run: FinishedRun
    make: RunMaker
    key: Path
    monkeypatch: pytest.MonkeyPatch

    @property
    def entries(self):
        return read_entries(self.board)

    def publish(self, record: Record | None = None) -> Path:
        """Put the run's folder into the board under `record`, without any check, and render the pages."""
        record = record or read_record(self.run.path)
        write_record(self.run.path, record)
        place = self.board / place_of(record)
        shutil.copytree(self.run.folder, place)
        build(self.board)
        return place

    def edit(self, change: Callable[[dict], None], path: Path | None = None) -> Record:
        """Change a record's JSON; of the run, if no other is given."""
        path = path or self.run.path
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content, indent=2) + "\n")
        return read_record(path)

    def repredict(self, number: int, change: Callable[[Predictions], Predictions], split: str = "test") -> None:
        """Change a unit's predictions, and everything in the record that follows from them."""
        record = read_record(self.run.path)
        unit = record.units[number]
        path = self.run.folder / getattr(unit.predictions, split).path
        predictions = change(read_predictions(path, DFEW.classes))
        write_predictions(path, predictions, DFEW.classes)
        labels = {clip: clip.split("-")[1] for clip in predictions.ids}
        scores = score_split(predictions, labels, DFEW, METRICS)
        unit = unit.model_copy(
            update={
                "predictions": unit.predictions.model_copy(update={split: reference(unit, split, path)}),
                "scores": unit.scores.model_copy(update={split: scores}),
                "splits": unit.splits.model_copy(
                    update={
                        split: unit.splits.test.model_copy(
                            update={"clips": len(predictions.ids), "sha256": hash_ids(predictions.ids)}
                        )
                    }
                ),
            }
        )
        units = [unit if k == number else each for k, each in enumerate(record.units)]
        write_record(self.run.path, rescored(record, units))


def reference(unit, split: str, path: Path):
    return getattr(unit.predictions, split).model_copy(update={"sha256": hash_file(path)})


def rescored(record: Record, units) -> Record:
    aggregates = aggregate(units, protocol_of(record), METRICS)
    return record.model_copy(update={"units": units, "aggregates": aggregates})


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A repository with a checker, a maintainer and two published records, the better one with its labels joined."""
    folder = tmp_path_factory.mktemp("base")
    make = RunMaker(tmp_path_factory.mktemp)
    better, worse = (make(protocol=DFEW, name=name, accuracy=a) for name, a in (("better", 0.8), ("worse", 0.3)))
    key = new_key(tmp_path_factory.mktemp("keys"), "ada")
    facts = tmp_path_factory.mktemp("facts")
    for run in (better, make()):
        (facts / f"{run.record.protocol.name}.json").write_text(json.dumps(facts_of(run)))
    board = folder / "leaderboard"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.protocol.facts.FOLDER", facts)
        entry, _ = add(better.path, board), add(worse.path, board)
        allow(board, "ada@example.org", key)
        attest(board, entry.path, entry.record, "labels-joined", 0.0, "scores recomputed", "ada@example.org", key)
        build(board, lambda record: better.by_split)
    (folder / "checker.py").write_text("strict = True\n")
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    return folder, facts, make, key


@pytest.fixture
def request_(base, tmp_path, monkeypatch) -> Request:
    folder, facts, make, key = base
    monkeypatch.setattr("benchmark.protocol.facts.FOLDER", facts)
    shutil.copytree(folder, tmp_path / "clone")
    git(tmp_path / "clone", "checkout", "-q", "-b", "request")
    mine = make(protocol=DFEW, name="mine", title="Mine", accuracy=0.6)
    return Request(tmp_path / "clone" / "leaderboard", mine, make, key, monkeypatch)


def judged(request: Request) -> str:
    commit(request.board)
    return review(request.board, "main")


def refused(request: Request, reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason) as caught:
        judged(request)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


# The forgeries: what is done to the request.


def ids_of_another_fold(r: Request) -> None:
    five = r.make()
    other = read_predictions(five.folder / five.record.units[1].predictions.test.path, DFEW.classes)
    r.repredict(0, lambda own: Predictions(other.ids, own.probabilities))
    r.publish()


def a_difficult_clip_left_out(r: Request) -> None:
    r.repredict(0, lambda own: Predictions(own.ids[1:], own.probabilities[1:]))
    r.publish()


def clips_of_other_classes(r: Request) -> None:
    """The right ids, but more of them said to be of a class that the model is good at."""
    record = read_record(r.run.path)
    unit = record.units[0]
    confusion = np.array(unit.scores.test.confusion)
    wrong = next((t, p) for t in range(7) for p in range(7) if t != p and confusion[t, p])
    confusion[wrong] -= 1
    confusion[wrong[1], wrong[1]] += 1
    scores = unit.scores.model_copy(update={"test": score_confusion(confusion, DFEW, METRICS)})
    r.publish(rescored(record, [unit.model_copy(update={"scores": scores}), *record.units[1:]]))


def exchanged_probabilities(r: Request) -> None:
    record = read_record(r.run.path)
    path = r.run.folder / record.units[0].predictions.test.path
    own = read_predictions(path, DFEW.classes)
    write_predictions(path, Predictions(own.ids, np.roll(own.probabilities, 1, axis=1)), DFEW.classes)
    r.publish(r.edit(lambda c: c["units"][0]["predictions"]["test"].update(sha256=hash_file(path))))


def rewritten(r: Request, change: Callable[[str], str]) -> None:
    record = read_record(r.run.path)
    path = r.run.folder / record.units[0].predictions.test.path
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()).decode()).encode()))
    r.publish(r.edit(lambda c: c["units"][0]["predictions"]["test"].update(sha256=hash_file(path))))


def another_class_order(r: Request) -> None:
    rewritten(r, lambda text: text.replace("p_happy,p_sad", "p_sad,p_happy", 1))


def a_clip_twice(r: Request) -> None:
    def twice(text: str) -> str:
        lines = text.splitlines()
        lines[2] = lines[1].split(",")[0] + lines[2][lines[2].index(",") :]
        return "\n".join([*lines, ""])

    rewritten(r, twice)


def not_a_number(r: Request) -> None:
    rewritten(r, lambda text: text.replace("0.05", "nan", 1))


def more_than_certain(r: Request) -> None:
    rewritten(r, lambda text: text.replace("0.05", "0.95", 1))


def scored_on_val(r: Request) -> None:
    record = read_record(r.run.path)
    val = read_predictions(r.run.folder / record.units[0].predictions.val.path, DFEW.classes)
    r.repredict(0, lambda own: val)
    r.publish()


def drawn_data_called_real(r: Request) -> None:
    drawn = r.run.record.model_copy(
        update={"data": r.run.record.data.model_copy(update={"clips": 84, "synthetic": False})}
    )
    r.publish(drawn)


def a_copied_rival(r: Request) -> None:
    rival = r.board / r.entries[0].path
    shutil.rmtree(r.run.folder)
    shutil.copytree(rival, r.run.folder)
    r.publish(r.edit(lambda c: c["method"].update(name="mine", title="Mine")))


def a_rival_written_anew(r: Request) -> None:
    a_copied_rival_folder = r.board / r.entries[0].path
    shutil.rmtree(r.run.folder)
    shutil.copytree(a_copied_rival_folder, r.run.folder)
    written = []
    for unit in read_record(r.run.path).units:
        path = r.run.folder / unit.predictions.test.path
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
        written.append(hash_file(path))

    def restate(content: dict) -> None:
        content["method"].update(name="mine", title="Mine")
        for unit, sha256 in zip(content["units"], written, strict=True):
            unit["predictions"]["test"]["sha256"] = sha256

    r.publish(r.edit(restate))


def one_seed_called_two(r: Request) -> None:
    shutil.copytree(r.run.folder / "seed-0", r.run.folder / "seed-1")
    record = read_record(r.run.path)
    again = [
        unit.model_copy(
            update={
                "seed": 1,
                "predictions": unit.predictions.model_copy(
                    update={
                        name: getattr(unit.predictions, name).model_copy(
                            update={"path": getattr(unit.predictions, name).path.replace("seed-0", "seed-1")}
                        )
                        for name in ("val", "test")
                    }
                ),
            }
        )
        for unit in record.units
    ]
    r.publish(rescored(record, [*record.units, *again]))


def a_removed_rival(r: Request) -> None:
    r.publish()
    shutil.rmtree(r.board / r.entries[0].path)
    shutil.rmtree(r.board / "attestations", ignore_errors=True)
    build(r.board)


def a_worsened_rival(r: Request) -> None:
    r.edit(lambda c: c["method"].update(title="Much worse"), r.board / r.entries[0].path / "record.json")


def an_exchanged_prediction(r: Request) -> None:
    record = r.entries[0].record
    path = r.board / r.entries[0].path / record.units[0].predictions.test.path
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))


def an_acceptance_of_ones_own(r: Request) -> None:
    place = r.publish()
    (place / "acceptance.json").write_text('{"labels_joined": true}')


def attestation_in(board: Path, entry: PurePosixPath, level: str = "labels-joined") -> Path:
    return board / "attestations" / PurePosixPath(*entry.parts[1:]) / f"{level}.json"


def own_attestation(r: Request, key: Path) -> None:
    """Signed where the submitter is a maintainer, and carried over."""
    place = r.publish()
    entry = PurePosixPath(place.relative_to(r.board))
    elsewhere = r.run.folder.parent / "elsewhere"
    elsewhere.mkdir()
    allow(elsewhere, "ada@example.org", key)
    record = read_record(place / "record.json")
    path = attest(elsewhere, entry, record, "re-trained", 0.01, "trust me", "ada@example.org", key)
    target = attestation_in(r.board, entry, "re-trained")
    shutil.copytree(path.parent, target.parent)


def an_attestation_signed_by_the_submitter(r: Request) -> None:
    own_attestation(r, new_key(r.run.folder.parent, "mallory"))


def an_attestation_without_signature(r: Request) -> None:
    own_attestation(r, new_key(r.run.folder.parent, "mallory"))
    for path in (r.board / "attestations").rglob("re-trained.json.sig"):
        path.unlink()


def an_attestation_of_another_record(r: Request) -> None:
    place = r.publish()
    attested = next((r.board / "attestations").rglob("labels-joined.json"))
    target = attestation_in(r.board, PurePosixPath(place.relative_to(r.board)))
    shutil.copytree(attested.parent, target.parent)


def a_raised_attestation(r: Request) -> None:
    attested = next((r.board / "attestations").rglob("labels-joined.json"))
    raised = attested.with_name("re-trained.json")
    raised.write_text(attested.read_text().replace("labels-joined", "re-trained"))
    shutil.copyfile(f"{attested}.sig", f"{raised}.sig")


def an_edited_attestation(r: Request) -> None:
    attested = next((r.board / "attestations").rglob("labels-joined.json"))
    attested.write_text(attested.read_text().replace("scores recomputed", "scores recomputed twice"))


def an_attestation_of_nothing(r: Request) -> None:
    attested = next((r.board / "attestations").rglob("labels-joined.json"))
    shutil.copytree(attested.parent, attested.parent.with_name("ghost-hard-000000000000"))


def a_maintainer_of_ones_own(r: Request) -> None:
    key = new_key(r.run.folder.parent, "mallory")
    place = r.publish()
    entry = PurePosixPath(place.relative_to(r.board))
    allow(r.board, "mallory", key)
    attest(r.board, entry, read_record(place / "record.json"), "re-trained", 0.01, "trust me", "mallory", key)
    build(r.board)


def a_lenient_checker(r: Request) -> None:
    r.publish()
    (r.board.parent / "checker.py").write_text("strict = False\n")


def a_lenient_workflow(r: Request) -> None:
    r.publish()
    (r.board.parent / ".github").mkdir()
    (r.board.parent / ".github" / "check.yml").write_text("steps: []\n")


def an_old_protocol(r: Request) -> None:
    newer = yaml.safe_load((PROTOCOLS / "dfew-fold1.yaml").read_text())
    newer["version"] = 2
    path = r.run.folder.parent / "dfew-fold1.yaml"
    os.symlink(PROTOCOLS / "groupings", path.parent / "groupings")
    path.write_text(yaml.safe_dump(newer, sort_keys=False))
    r.publish()
    r.monkeypatch.setitem(registry().protocols, "dfew-fold1", path)


def under(r: Request, changes: dict[str, Any]) -> None:
    protocol = override(DFEW, changes)
    use = r.run.record.protocol.model_copy(
        update={"name": protocol.name, "hash": protocol.hash, "definition": protocol.canonical()}
    )
    r.publish(rescored(r.run.record.model_copy(update={"protocol": use}), r.run.record.units))


def an_easier_protocol_of_the_same_name(r: Request) -> None:
    under(r, {"frames.unreadable": "drop-train"})


def a_protocol_that_only_a_plugin_knows(r: Request) -> None:
    under(r, {"name": "mine"})


def a_dataset_that_only_a_plugin_knows(r: Request) -> None:
    under(r, {"dataset": "my-dataset"})


def a_change_without_its_mark(r: Request) -> None:
    r.publish(r.edit(lambda c: c["overrides"].update(protocol={"frames.order": "single"})))


def a_missing_fold_without_its_mark(r: Request) -> None:
    r.run = r.make(name="five")
    shutil.rmtree(r.run.folder / "seed-0/fold-5")
    r.publish(rescored(r.run.record, r.run.record.units[:4]))


def rounded_up(r: Request) -> None:
    r.publish(r.edit(lambda c: c["aggregates"]["metrics"]["uar"].update(mean=0.99)))


def edited_json(path: Path, change: Callable[[dict], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content, indent=2) + "\n")


def a_tie_that_is_none(r: Request) -> None:
    r.publish()
    edited_json(
        r.board / "comparisons.json", lambda c: c["rankings"][0]["rows"][1].update(errors=[0.9], freedoms=[3.0])
    )


def a_rewritten_comparison_of_others(r: Request) -> None:
    def change(content: dict) -> None:
        row = content["rankings"][0]["rows"][1]
        row["errors"] = [row["errors"][0] * 0.99]

    edited_json(r.board / "comparisons.json", change)


def a_rank_written_by_hand(r: Request) -> None:
    r.publish()
    page = r.board / "README.md"
    page.write_text(page.read_text().replace("| 2-3 ", "| 1   ", 1))


def a_link_to_predictions(r: Request) -> None:
    place = r.publish()
    path = place / r.run.record.units[0].predictions.test.path
    elsewhere = r.board.parent / "elsewhere.csv.gz"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    git(r.board, "add", "-A")
    git(r.board, "rm", "-q", "--cached", str(elsewhere))
    (r.board.parent / ".git/info/exclude").write_text("elsewhere.csv.gz\n")


def a_file_of_labels(r: Request) -> None:
    (r.publish() / "labels.csv").write_text("gated")


def a_key_given_twice(r: Request) -> None:
    place = r.publish()
    path = place / "record.json"
    path.write_text(path.read_text().replace('"eligible": true', '"eligible": true, "eligible": true', 1))


FORGERIES = [
    (ids_of_another_fold, "the ids of test are not those of the official lists"),
    (a_difficult_clip_left_out, "test has 41 clips, the official lists have 42"),
    (clips_of_other_classes, r"test has \d clips of \w+, the official lists have 6"),
    (exchanged_probabilities, "number of clips predicted as"),
    (another_class_order, "header is"),
    (a_clip_twice, "is there twice"),
    (not_a_number, "a probability is not a number"),
    (more_than_certain, "the probabilities sum to"),
    (scored_on_val, "test has 21 clips"),
    (drawn_data_called_real, r"data\.clips is 84, the official lists have 72"),
    (a_copied_rival, "has the same predictions as"),
    (a_rival_written_anew, "has the same predictions as"),
    (one_seed_called_two, "seed 1, fold 1: has the same predictions as .*seed 0, fold 1"),
    (a_removed_rival, "is published and may not be removed"),
    (a_worsened_rival, "is published and may not be changed"),
    (an_exchanged_prediction, "is published and may not be changed"),
    (an_acceptance_of_ones_own, r"acceptance\.json: belongs to no record"),
    (an_attestation_signed_by_the_submitter, r"re-trained\.json: is not signed by 'ada@example.org'"),
    (an_attestation_without_signature, "with its signature beside it"),
    (an_attestation_of_another_record, "attests another record"),
    (a_raised_attestation, r"re-trained\.json: is not signed by"),
    (an_edited_attestation, "is published and may not be changed"),
    (an_attestation_of_nothing, "belongs to no record"),
    (a_maintainer_of_ones_own, "code and data may not change in one request"),
    (a_lenient_checker, r"checker\.py: code and data may not change in one request"),
    (a_lenient_workflow, r"check\.yml: code and data may not change in one request"),
    (an_old_protocol, "dfew-fold1 is at version 2, the new record is under version 1"),
    (an_easier_protocol_of_the_same_name, "protocol dfew-fold1 version 1 has hash"),
    (a_protocol_that_only_a_plugin_knows, "unknown protocol 'mine': no plugin's code is run"),
    (a_dataset_that_only_a_plugin_knows, "unknown dataset 'my-dataset': no plugin's code is run"),
    (a_change_without_its_mark, r"marks\.unofficial leaves out"),
    (a_missing_fold_without_its_mark, r"marks\.incomplete leaves out: seed 0: fold 5 not run"),
    (rounded_up, r"aggregates\.metrics\.uar\.mean is 0\.99, recomputed"),
    (a_tie_that_is_none, r"error is 0\.9, but the two records allow"),
    (a_rewritten_comparison_of_others, "is published already"),
    (a_rank_written_by_hand, "is not what the records give"),
    (a_link_to_predictions, "is a link; only plain files may be published"),
    (a_file_of_labels, r"labels\.csv: belongs to no record"),
    (a_key_given_twice, "a key is given twice"),
]


@pytest.mark.parametrize(("forge", "reason"), [pytest.param(*case, id=case[0].__name__) for case in FORGERIES])
def test_a_forgery_is_refused_in_one_line(request_, forge, reason):
    forge(request_)
    refused(request_, reason)


# The forgery that began it: the demo's own record, called real, against the facts that ship.


def perfect(record: Record, folder: Path) -> Record:
    """Clips renamed, every prediction right, `synthetic` set to false; consistent in itself."""
    units = []
    for unit in record.units:
        updates: dict[str, dict] = {"predictions": {}, "scores": {}, "splits": {}}
        for split in ("val", "test"):
            reference, use = getattr(unit.predictions, split), getattr(unit.splits, split)
            path = folder / reference.path
            own = read_predictions(path, FIVE_FOLDS.classes)
            renamed = Predictions(tuple(str(20_000 + int(clip)) for clip in own.ids), own.probabilities)
            write_predictions(path, renamed, DFEW.classes)
            diagonal = np.diag(np.bincount(own.predicted, minlength=7))
            updates["predictions"][split] = reference.model_copy(update={"sha256": hash_file(path)})
            updates["scores"][split] = score_confusion(diagonal, FIVE_FOLDS, METRICS)
            updates["splits"][split] = use.model_copy(update={"sha256": hash_ids(renamed.ids)})
        units.append(unit.model_copy(update={k: getattr(unit, k).model_copy(update=v) for k, v in updates.items()}))
    marks = record.marks.model_copy(update={"synthetic": False})
    data = record.data.model_copy(update={"synthetic": False, "clips": 11697})
    return rescored(record.model_copy(update={"marks": marks, "data": data}), units)


def test_the_demos_record_called_real_is_refused_by_add_and_by_the_check(tmp_path):
    published = next((LEADERBOARD / "records/dfew-5fold").glob("tsm-*"))
    run, board = tmp_path / "run", tmp_path / "leaderboard"
    shutil.copytree(published, run)
    forged = perfect(read_record(run / "record.json"), run)
    write_record(run / "record.json", forged)
    message = r"seed 0, fold 1: train has \d+ clips, the official lists have 7485"
    with pytest.raises(IntegrityError, match=message):
        add(run, board)
    shutil.copytree(run, board / place_of(forged))
    build(board)
    with pytest.raises(IntegrityError, match=message):
        check(board)


def test_the_command_exits_4_with_one_line_and_0_with_the_summary(request_, capsys):
    place = request_.publish()
    command = ["leaderboard", "review", "--base", "main", "--dir", str(request_.board), "--workers", "1"]
    assert main(command) == 0
    assert "### Mine (small)" in capsys.readouterr().out
    (place / "labels.csv").write_text("gated")
    assert main(command) == 4
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"error: {place}/labels.csv: belongs to no record\n")


def test_the_workflow_runs_the_bases_code_with_read_only_rights():
    """Nothing of the request is installed or run: it is checked out, and read."""
    workflow = yaml.safe_load((LEADERBOARD.parent / ".github/workflows/review.yml").read_text())
    assert list(workflow[True]) == ["pull_request_target"]
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    base, request = (step["with"] for step in job["steps"] if "checkout" in step.get("uses", ""))
    assert (base["path"], base["ref"]) == ("base", "${{ github.event.pull_request.base.sha }}")
    assert request["path"] == "request"
    runs = [step for step in job["steps"] if "run" in step]
    assert {step["working-directory"] for step in runs} == {"base"}
    assert not any(checkout["persist-credentials"] for checkout in (base, request))


# What is honest passes.


def test_a_genuine_record_passes_and_the_summary_says_what_to_look_at(request_):
    place = request_.publish().relative_to(request_.board)
    summary = judged(request_)
    assert "New records: 1; unchanged: 2." in summary
    assert "### Mine (small) / none / hard" in summary
    assert f"`{place}`: dfew-fold1 version 1, real data, rank 2-3 of 3: UAR" in summary
    assert "verified: consistent\n" in summary
    assert len(re.findall(r"minus .*: [+-]\d+\.\d\d \[.*\], p = \d\.\d{3}, over independent clips", summary)) == 2
    assert "code of no known commit (benchmark 0.1.0); method 'mine' is not part of the benchmark" in summary


WITHOUT_ITS_WEIGHTS = MethodUse(
    name="s2d",
    title="S2D",
    version="1",
    preset="paper",
    pretraining="none",
    parameters=1,
    gflops=1.0,
    official_evaluation="none",
)


@pytest.mark.parametrize(
    ("make", "unusual"),
    [
        ({"accuracy": 0.99}, r"\d+\.\d\d points above the best row so far, Former-DFER"),
        ({"never": "disgust"}, "collapsed: disgust"),
        ({"init": {"model": "0" * 64}}, "starts from a file: model"),
        (
            {"method": WITHOUT_ITS_WEIGHTS},
            r"pre-training is 'none', but that of the benchmark's own s2d 'none \(paper",
        ),
        ({"method": WITHOUT_ITS_WEIGHTS}, "needs weights of none, the benchmark's own s2d of "),
    ],
)
def test_the_summary_names_what_is_unusual(request_, base, make, unusual):
    request_.run = base[2](**{"protocol": DFEW, "name": "odd", "title": "Odd", "accuracy": 0.6, **make})
    request_.publish()
    assert re.search(rf"unusual: .*{unusual}", judged(request_))


def test_a_rival_with_a_little_noise_is_unusual(request_):
    rival = request_.board / request_.entries[0].path
    shutil.rmtree(request_.run.folder)
    shutil.copytree(rival, request_.run.folder)
    request_.repredict(0, lambda own: Predictions(own.ids, own.probabilities * np.float32(0.9999)))
    request_.publish(request_.edit(lambda c: c["method"].update(name="mine", title="Mine")))
    assert "its probabilities are those of" in judged(request_)


def test_a_maintainers_attestation_raises_the_level(request_):
    entry = next(entry for entry in request_.entries if entry.level == "consistent")
    attest(request_.board, entry.path, entry.record, "re-predicted", 1e-3, "again", "ada@example.org", request_.key)
    build(request_.board)
    assert "Attested and signed" in judged(request_)
    assert {entry.level for entry in request_.entries} == {"labels-joined", "re-predicted"}
    assert "| re-predicted" in (request_.board / "README.md").read_text()


def test_a_change_of_code_alone_passes(request_):
    (request_.board.parent / "checker.py").write_text("strict = 1\n")
    assert judged(request_) == "No record, prediction or attestation is changed.\n"


def test_what_is_not_committed_is_judged_too(request_):
    request_.publish()
    (request_.board.parent / "checker.py").write_text("strict = False\n")
    with pytest.raises(IntegrityError, match="code and data"):
        review(request_.board, "main")


def test_an_unknown_base_is_an_error_of_usage(request_):
    with pytest.raises(UsageError, match="nowhere"):
        review(request_.board, "nowhere")


def test_without_ssh_keygen_no_level_is_believed_and_none_is_lowered(request_, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EnvironmentProblem, match="ssh-keygen is missing"):
        check(request_.board)


def test_a_key_that_is_no_maintainers_leaves_nothing_behind(request_):
    entry = next(entry for entry in request_.entries if entry.level == "consistent")
    key = new_key(request_.run.folder.parent, "mallory")
    with pytest.raises(UsageError, match=r"is not a key of 'ada@example\.org'"):
        attest(request_.board, entry.path, entry.record, "re-predicted", 0.0, "x", "ada@example.org", key)
    assert not attestation_in(request_.board, entry.path, "re-predicted").exists()
