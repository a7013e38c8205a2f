"""`benchmark plot` as a user meets it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from finished_run import DFEW, FinishedRun, RunMaker, finish, finish_unit

from benchmark.cli.main import main
from benchmark.datasets.scored import scored_labels
from benchmark.datasets.splits import Fold, hash_ids
from benchmark.files import hash_file
from benchmark.leaderboard import entry_id
from benchmark.planning.data import Data, load_data
from benchmark.planning.request import find_protocol
from benchmark.protocol import Protocol
from benchmark.records import DataUse, read_record
from benchmark.scoring.builtin import METRICS
from benchmark.scoring.predictions import Predictions, read_predictions, write_predictions
from benchmark.scoring.probabilities import ece
from benchmark.scoring.scores import score_split
from benchmark.specs import Clip
from benchmark.video.frames import open_clip


@pytest.fixture(scope="session")
def make_run(tmp_path_factory):
    return RunMaker(tmp_path_factory.mktemp)


@pytest.fixture(scope="session")
def data(synthetic_root):
    return load_data(DFEW, synthetic_root.parent, votes=True)


def run_of_its_clips(folder: Path, protocol: Protocol, data: Data, units: Sequence[tuple[int, int]]) -> Path:
    """A run of these (seed, fold) of a protocol, with its clips, made-up predictions and its fingerprint."""
    done = []
    for seed, number in units:
        unit = finish_unit(folder, protocol, seed, number, 0.6, "voted", None)
        labels = scored_labels(data.folds[number].test)
        rows = np.random.default_rng(seed).dirichlet(np.ones(len(protocol.classes)), len(labels)).astype(np.float32)
        clusters = tuple(name.partition("/")[0] for name in labels)
        predictions = Predictions(tuple(labels), rows, clusters if protocol.clustered_by else None)
        path = folder / unit.predictions.test.path
        write_predictions(path, predictions, protocol.classes)
        reference = unit.predictions.test.model_copy(update={"sha256": hash_file(path)})
        split = unit.splits.test.model_copy(update={"clips": len(labels), "sha256": hash_ids(labels)})
        scores = score_split(predictions, labels, protocol, METRICS)
        done.append(
            unit.model_copy(
                update={
                    "predictions": unit.predictions.model_copy(update={"test": reference}),
                    "splits": unit.splits.model_copy(update={"test": split}),
                    "scores": unit.scores.model_copy(update={"test": scores}),
                }
            )
        )
    use = DataUse(
        dataset=protocol.dataset,
        frame_source=protocol.frames.source,
        synthetic=True,
        clips=data.clips,
        fingerprint=data.fingerprints["hard"],
    )
    # It writes predictions of this seed, which are not used.
    finish(folder, protocol=protocol, units=done, data=use, synthetic=True, seeds=(9,), folds=protocol.folds[:1])
    return folder


@pytest.fixture(scope="session")
def voted(data, tmp_path_factory) -> Path:
    """Two seeds on folds 1 and 2 of the synthetic DFEW."""
    return run_of_its_clips(tmp_path_factory.mktemp("voted"), DFEW, data, ((0, 1), (0, 2), (1, 1)))


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    code = main(["plot", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def words(path: Path) -> list[str]:
    return ["".join(element.itertext()) for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def write_metrics(run: FinishedRun, folds: tuple[int, ...]) -> None:
    for fold in folds:
        rows = [
            {"epoch": e, "loss": 2 / e, "val": {"uar": e / 10, "war": 0.1, "macro_f1": 0.1}, "seconds": 1.0}
            for e in (1, 2, 3)
        ]
        path = run.folder / f"seed-0/fold-{fold}/metrics.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_run_gets_pictures_and_svgs_in_its_folder(make_run, capsys):
    finished = make_run()
    write_metrics(finished, DFEW.folds)
    code, out, _ = run(capsys, finished.folder)
    assert code == 0
    expected = [f"{name}.{suffix}" for name in ("confusion", "recall", "curves") for suffix in ("png", "svg")]
    assert [Path(line) for line in out.splitlines()] == [finished.folder / "plots" / name for name in expected]
    for path in map(Path, out.splitlines()):
        if path.suffix == ".png":
            assert cv2.imread(str(path)).std() > 10
    assert set(DFEW.classes) <= set(words(finished.folder / "plots/confusion.svg"))
    curves = words(finished.folder / "plots/curves.svg")
    assert {"UAR on val, %", "seed 0, fold 5", "selected epoch"} <= set(curves)


def test_the_confusion_is_that_of_all_units_together(make_run, tmp_path, capsys):
    finished = make_run(never="fear")
    run(capsys, finished.path, "-o", tmp_path)
    pooled = np.sum([unit.scores.test.confusion for unit in finished.record.units], axis=0)
    shown = words(tmp_path / "confusion.svg")
    assert f"{100 * pooled[0, 0] / pooled[0].sum():.1f}" in shown and str(pooled[0, 0]) in shown
    assert any("n = 30, collapsed" in text for text in words(tmp_path / "recall.svg"))


def test_the_same_run_gives_the_same_bytes(make_run, tmp_path, capsys):
    finished = make_run()
    for name in ("one", "two"):
        run(capsys, finished.folder, "-o", tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_several_seeds_count_each_clip_once_in_the_intervals(make_run, tmp_path, capsys):
    run(capsys, make_run(seeds=(0, 1, 2)).folder, "-o", tmp_path)
    assert sum("n = 30" in text for text in words(tmp_path / "recall.svg")) == len(DFEW.classes)


@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_stands_in_the_title_of_synthetic_runs_alone(make_run, tmp_path, capsys, synthetic):
    finished = make_run(synthetic=synthetic)
    write_metrics(finished, (1,))
    run(capsys, finished.folder, "-o", tmp_path)
    for name in ("confusion", "recall", "curves"):
        assert any("synthetic data" in text for text in words(tmp_path / f"{name}.svg")) == synthetic


def test_a_record_without_metrics_has_no_curves_and_says_so(make_run, capsys):
    code, out, err = run(capsys, make_run().folder)
    assert code == 0 and "curves" not in out
    assert "curves: left out: no metrics.jsonl" in err


def test_units_without_metrics_are_named(make_run, capsys):
    finished = make_run()
    write_metrics(finished, (1, 2, 4))
    _, out, err = run(capsys, finished.folder)
    assert "curves.svg" in out
    assert "without those that have no metrics.jsonl: seed 0, fold 3; seed 0, fold 5" in err


@pytest.mark.parametrize("line", ["{", '{"epoch": 1, "loss": NaN, "val": {}}', '{"epoch": 1}', "\xff"])
def test_a_broken_metrics_file_is_one_line(make_run, capsys, line):
    finished = make_run()
    path = finished.folder / "seed-0/fold-1/metrics.jsonl"
    path.write_bytes(line.encode("latin-1"))
    code, out, err = run(capsys, finished.folder)
    assert (code, out) == (4, "")
    assert len(err.splitlines()) == 1 and f"{path}: line 1" in err


def test_a_published_records_folder_is_left_alone(make_run, tmp_path, capsys, monkeypatch):
    finished = make_run()
    published = tmp_path / "records" / entry_id(finished.record)
    shutil.copytree(finished.folder, published)
    before = sorted(published.rglob("*"))
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, published)
    assert code == 0
    assert sorted(published.rglob("*")) == before
    assert out.splitlines()[0] == f"plots/{published.name}/confusion.png"


def test_json_says_what_was_written_and_what_was_not(make_run, tmp_path, capsys):
    finished = make_run(synthetic=True)
    said = json.loads(run(capsys, finished.folder, "-o", tmp_path, "--json")[1])
    assert said["figures"]["recall"] == [str(tmp_path / "recall.png"), str(tmp_path / "recall.svg")]
    assert said["synthetic"] is True
    assert set(said["notes"]) == {"curves", "coexistence", "reliability"}


def test_votes_show_which_emotions_are_seen_together(voted, data, tmp_path, capsys):
    code, out, _ = run(capsys, voted, "--data-root", data.root.parent, "-o", tmp_path)
    assert code == 0 and "coexistence.svg" in out
    clips = {clip.id: clip for fold in data.folds.values() for clip in (*fold.train, *fold.val, *fold.test)}.values()
    happy = [clip.votes for clip in clips if clip.label == "happy"]
    shares = [
        [votes.get(name, 0) / sum(votes.get(n, 0) for n in DFEW.classes) for votes in happy] for name in DFEW.classes
    ]
    shown = words(tmp_path / "coexistence.svg")
    assert f"happy (n = {len(happy)})" in shown
    row = [f"{100 * np.mean(share):.1f}" for share in shares]
    assert row in [shown[k : k + len(row)] for k in range(len(shown))]
    assert "synthetic data" in shown


def test_a_clips_posteriors_stand_beside_its_votes(voted, data, tmp_path, capsys):
    clip = data.folds[1].test[0]
    code, _, _ = run(capsys, voted, "--data-root", data.root.parent, "-o", tmp_path, "--clip", clip.id)
    assert code == 0
    shown = words(tmp_path / f"posterior-{clip.id}.svg")
    assert f"Clip {clip.id}, labelled {clip.label}" in shown
    assert {"annotators' votes", "model, seed 0, fold 1", "model, seed 1, fold 1"} <= set(shown)
    assert "model, seed 0, fold 2" not in shown  # there it is a train clip
    total = sum(clip.votes.get(name, 0) for name in DFEW.classes)
    assert {f"{clip.votes.get(name, 0) / total:.2f}" for name in DFEW.classes} <= set(shown)


def test_a_clips_frames_stand_above_them(voted, data, tmp_path, capsys):
    clip = data.folds[1].test[0]
    run(capsys, voted, "--data-root", data.root.parent, "-o", tmp_path, "--clip", clip.id)
    shown = words(tmp_path / f"posterior-{clip.id}.svg")
    numbers = [int(text.removeprefix("frame ")) for text in shown if text.startswith("frame ")]
    count = open_clip(data.root / clip.frames["clip_224x224"]).count
    assert len(numbers) == 6 and numbers == sorted(numbers) and numbers[-1] < count


def unvoted(data: Data, source: str) -> Data:
    """The same clips without votes, with frames of that source alone."""
    folds = {}
    for number, fold in data.folds.items():
        test = [dataclasses.replace(c, votes=None, frames={source: c.frames["clip_224x224"]}) for c in fold.test]
        folds[number] = dataclasses.replace(fold, test=tuple(test))
    return dataclasses.replace(data, folds=folds)


@pytest.mark.parametrize(("name", "votes"), [("dfew-5fold", False), ("dfew-to-mafw", True)])
def test_a_clip_that_nobody_voted_on_has_its_label_in_their_place(name, votes, data, tmp_path, capsys, monkeypatch):
    """That of a dataset without votes, and one of another dataset than the model learned from."""
    protocol = find_protocol(name)
    own = unvoted(data, protocol.frame_source("test"))
    asked = []
    monkeypatch.setattr("benchmark.library.plot.has_votes", lambda protocol: votes)
    monkeypatch.setattr("benchmark.library.plot.load_data", lambda *_, votes: asked.append(votes) or own)
    folder = run_of_its_clips(tmp_path / "run", protocol, own, ((0, 1),))
    clip = own.folds[1].test[0]
    code, out, err = run(capsys, folder, "--data-root", tmp_path, "-o", tmp_path / "out", "--clip", clip.id)
    assert code == 0, err
    assert ("coexistence.svg" in out) == votes == asked[0]
    shown = words(tmp_path / f"out/posterior-{clip.id}.svg")
    assert {"label", "model, seed 0, fold 1"} <= set(shown) and "annotators' votes" not in shown
    assert shown.count("1.00") == 1 and shown.count("0.00") >= len(protocol.classes) - 1
    assert len([text for text in shown if text.startswith("frame ")]) > 1


def test_a_frame_of_a_video_that_is_scored_frame_by_frame_is_refused(data, tmp_path, capsys, monkeypatch):
    protocol = find_protocol("affwild2-expr")
    frames = dict(enumerate(protocol.classes, start=1))
    videos = tuple(Clip(name, "happy", {}, {1: "val"}, frame_labels=frames) for name in ("v", "w"))
    own = dataclasses.replace(data, folds={1: Fold(1, (), (), videos)})
    monkeypatch.setattr("benchmark.library.plot.load_data", lambda *_, votes: own)
    folder = run_of_its_clips(tmp_path / "run", protocol, own, ((0, 1),))
    frame = next(iter(scored_labels(videos)))
    code, _, err = run(capsys, folder, "--data-root", tmp_path, "--clip", frame)
    assert code == 2 and f"--clip {frame}: is one frame of a video" in err


def test_reliability_is_that_of_all_units_against_the_labels(voted, data, tmp_path, capsys):
    code, out, _ = run(capsys, voted, "--data-root", data.root.parent, "-o", tmp_path)
    assert code == 0 and "reliability.svg" in out
    labels, probabilities = [], []
    for unit in read_record(voted / "record.json").units:
        predictions = read_predictions(voted / unit.predictions.test.path, DFEW.classes)
        known = scored_labels(data.folds[unit.fold].test)
        labels += [DFEW.classes.index(known[clip_id]) for clip_id in predictions.ids]
        probabilities.append(predictions.probabilities)
    error = 100 * ece(np.array(labels), np.concatenate(probabilities))
    assert any(text.startswith(f"ECE {error:.1f} %") for text in words(tmp_path / "reliability.svg"))


def test_several_runs_stand_side_by_side_the_best_first(make_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = [make_run(title=title, accuracy=accuracy) for title, accuracy in (("Worse", 0.3), ("Better", 0.9))]
    code, out, _ = run(capsys, *(each.folder for each in runs))
    assert code == 0
    expected = [f"plots/dfew-5fold/{name}.{suffix}" for name in ("methods", "cost") for suffix in ("png", "svg")]
    assert out.splitlines() == expected
    shown = words(tmp_path / "plots/dfew-5fold/methods.svg")
    assert shown.index("Better (small)") < shown.index("Worse (small)")
    uar = runs[1].record.aggregates.metrics["uar"]
    assert f"{100 * uar.mean:.1f} [{100 * uar.low:.1f}, {100 * uar.high:.1f}]" in shown


def test_synthetic_runs_side_by_side_say_so(make_run, tmp_path, capsys):
    both = make_run(synthetic=True).folder, make_run(title="Other").folder
    said = json.loads(run(capsys, *both, "-o", tmp_path, "--json")[1])
    assert said["synthetic"] is True and set(said["figures"]) == {"methods", "cost"}
    assert "synthetic data among them" in words(tmp_path / "methods.svg")


def test_runs_under_different_protocols_are_not_put_side_by_side(make_run, tmp_path, capsys):
    other = Protocol.model_validate(DFEW.canonical() | {"version": 2})
    code, out, err = run(capsys, make_run().folder, make_run(protocol=other).folder, "-o", tmp_path / "out")
    assert (code, out) == (2, "") and "do not compare" in err
    assert not (tmp_path / "out").exists()


def test_a_run_whose_cost_is_not_known_is_left_out_of_the_costs_and_named(make_run, tmp_path, capsys):
    record = make_run().record
    unknown = record.method.model_copy(update={"gflops": None, "title": "Unknown"})
    runs = [make_run().folder, make_run(title="Third", accuracy=0.4).folder, make_run(method=unknown).folder]
    code, _, err = run(capsys, *runs, "-o", tmp_path)
    assert code == 0 and "cost: without those whose GFLOPs are not known: Unknown (small)" in err
    assert not any("Unknown" in text for text in words(tmp_path / "cost.svg"))


def test_a_clip_that_nobody_tested_is_refused_before_anything_is_written(voted, data, tmp_path, capsys):
    out = tmp_path / "out"
    code, _, err = run(capsys, voted, "--data-root", data.root.parent, "-o", out, "--clip", "../../nobody")
    assert code == 2 and "../../nobody: is not among the test clips" in err
    assert not out.exists()


def test_predictions_that_were_changed_are_not_plotted(voted, data, tmp_path, capsys):
    changed = tmp_path / "run"
    shutil.copytree(voted, changed)
    path = changed / "seed-0/fold-1/predictions.test.csv.gz"
    path.write_bytes(path.read_bytes() + b"\0")
    clip = data.folds[1].test[0].id
    code, _, err = run(capsys, changed, "--data-root", data.root.parent, "--clip", clip)
    assert code == 4 and str(path) in err


def test_other_data_than_the_records_are_refused(make_run, data, tmp_path, capsys):
    code, _, err = run(capsys, make_run().folder, "--data-root", data.root.parent, "-o", tmp_path)
    assert code == 4 and "not the data that the record was made from" in err


def test_other_data_in_the_environments_root_only_leave_the_votes_out(make_run, data, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BENCHMARK_DATA_ROOT", str(data.root.parent))
    code, out, err = run(capsys, make_run().folder, "-o", tmp_path)
    assert code == 0 and "recall.svg" in out
    assert "coexistence: left out:" in err and "not the data that the record was made from" in err


def test_a_clip_needs_the_data(voted, tmp_path, capsys):
    code, _, err = run(capsys, voted, "-o", tmp_path, "--clip", "00001")
    assert code == 3 and "--data-root" in err


def test_a_dataset_without_votes_is_plotted_without_them(make_run, tmp_path, capsys):
    definition = DFEW.canonical() | {"dataset": "caer"}
    finished = make_run(protocol=Protocol.model_validate(definition))
    code, out, err = run(capsys, finished.folder, "-o", tmp_path, "--data-root", tmp_path)
    assert code == 0 and "recall.svg" in out
    assert "coexistence: left out: caer has no annotators' votes" in err
    assert run(capsys, finished.folder, "-o", tmp_path, "--data-root", tmp_path, "--clip", "1")[0] == 2


def test_a_record_without_a_finished_unit_is_refused(make_run, capsys):
    finished = make_run(folds=(1,), failed=((0, 1),))
    assert read_record(finished.path).units == []
    code, _, err = run(capsys, finished.folder)
    assert code == 2 and "no finished unit" in err


def test_plotting_needs_neither_torch_nor_pyplot(make_run, tmp_path):
    check = (
        "import sys; from benchmark.cli.main import main; "
        "code = main(sys.argv[1:]); "
        "sys.exit(code or any(name in sys.modules for name in ('torch', 'mmengine', 'matplotlib.pyplot')))"
    )
    command = [sys.executable, "-c", check, "plot", str(make_run().folder), "-o", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
