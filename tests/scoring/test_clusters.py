"""What is not independent: named by the protocol, carried by predictions, verified in records."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from finished_run import DFEW, RunMaker

from benchmark.datasets.scored import scored_clusters
from benchmark.errors import IntegrityError
from benchmark.files import hash_file
from benchmark.protocol import Protocol, load_protocol
from benchmark.records import aggregate, read_record, verify_record
from benchmark.scoring.builtin import METRICS
from benchmark.scoring.predictions import Predictions, read_predictions, write_predictions
from benchmark.scoring.scores import score_split
from benchmark.shipped import shipped
from benchmark.specs import Clip

SHIPPED = sorted(shipped("protocols").glob("*.yaml"))
SUBJECTS = Protocol.model_validate(DFEW.canonical() | {"cluster": "subject", "folds": [1], "groupings": []})


@pytest.fixture(scope="module")
def make_run(tmp_path_factory):
    return RunMaker(tmp_path_factory.mktemp)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_protocols_name_a_cluster_where_frames_are_scored_or_people_are_known_and_nowhere_else(path):
    protocol = load_protocol(path)
    people = dict.fromkeys(("blemore", "crema-d", "ravdess", "ravdess-song"), "subject")
    known = {"affwild2": "source"} | people
    assert protocol.clustered_by == known.get(protocol.dataset)
    assert "cluster" not in protocol.canonical()


def test_clips_that_a_rule_keeps_in_one_split_are_not_independent():
    rest = {"from": "all", "fraction": 0.2, "rule": "sha256-folds", "group": "subject"}
    split = {"train": "train", "val": "val", "test": rest}
    assert Protocol.model_validate(DFEW.canonical() | {"split": split}).clustered_by == "subject"
    assert Protocol.model_validate(DFEW.canonical() | {"split": split, "cluster": "source"}).clustered_by == "source"


def test_both_people_of_a_recording_are_one_cluster_and_a_clip_without_the_attribute_is_its_own():
    clips = [
        Clip("9_left", "happy", {}, {}, attributes={"source": "9"}, frame_labels={1: "happy", 2: "sad"}),
        Clip("9_right", "happy", {}, {}, attributes={"source": "9"}, frame_labels={7: "sad"}),
        Clip("4", "happy", {}, {}),
    ]
    expected = {"9_left/00001": "9", "9_left/00002": "9", "9_right/00007": "9", "4": "4"}
    assert scored_clusters(clips, "source") == expected


def test_predictions_carry_their_clusters(tmp_path):
    path = tmp_path / "p.csv.gz"
    rows = np.array([[0.25, 0.75], [1, 0]], np.float32)
    write_predictions(path, Predictions(("b", "a"), rows, ("anna", "bert")), ("x", "y"))
    found = read_predictions(path, ("x", "y"))
    assert (found.ids, found.clusters) == (("a", "b"), ("bert", "anna"))
    assert found.probabilities.tolist() == [[1, 0], [0.25, 0.75]]
    assert found.cluster_numbers.tolist() == [1, 0]


@pytest.mark.parametrize("cluster", ["", "a,b", 'a"b', "a\nb"])
def test_a_cluster_that_could_not_be_read_back_is_refused(tmp_path, cluster):
    with pytest.raises(IntegrityError, match="cluster .* cannot be written"):
        write_predictions(tmp_path / "p", Predictions(("a",), np.ones((1, 1), np.float32), (cluster,)), ("x",))


def test_scores_hold_the_confusion_of_each_cluster_and_wider_intervals(make_run):
    run = make_run(protocol=SUBJECTS)
    unit = run.record.units[0]
    scores = unit.scores.test
    predictions = read_predictions(run.folder / unit.predictions.test.path, SUBJECTS.classes)
    assert predictions.clusters
    assert scores.cluster_counts().sum(axis=(1, 2)).tolist() == [7] * 6
    for name, counts in zip(sorted(set(predictions.clusters)), scores.cluster_counts(), strict=True):
        own = [k for k, cluster in enumerate(predictions.clusters) if cluster == name]
        right = sum(run.labels[predictions.ids[k]] == SUBJECTS.classes[predictions.predicted[k]] for k in own)
        assert np.trace(counts) == right


def test_predictions_must_name_clusters_exactly_where_the_protocol_does(make_run):
    run = make_run(protocol=SUBJECTS)
    path = run.folder / run.record.units[0].predictions.test.path
    named = read_predictions(path, SUBJECTS.classes)
    labels = {clip_id: run.labels[clip_id] for clip_id in named.ids}
    with pytest.raises(IntegrityError, match="do not name the subject of each clip"):
        score_split(replace(named, clusters=None), labels, SUBJECTS, METRICS)
    with pytest.raises(IntegrityError, match="clips of dfew-5fold are independent"):
        score_split(named, labels, DFEW, METRICS)


def rewritten(run, change):
    """The record after a change of its JSON, its aggregates computed again."""
    content = json.loads(run.path.read_text())
    change(content)
    run.path.write_text(json.dumps(content))
    record = read_record(run.path)
    run.path.write_text(
        json.dumps(
            record.canonical() | {"aggregates": aggregate(record.units, SUBJECTS, METRICS).model_dump(mode="json")}
        )
    )
    return read_record(run.path)


def test_a_genuine_record_passes_with_and_without_the_data(make_run):
    run = make_run(protocol=SUBJECTS)
    verify_record(run.record, run.folder)
    clusters = {clip_id: clip_id.rpartition("-")[2] for clip_id in run.labels}
    verify_record(run.record, run.folder, {**run.by_split, "clusters": clusters})


def test_cells_moved_between_clusters_are_found_without_labels(make_run):
    run = make_run(protocol=SUBJECTS)

    def change(content):
        clusters = content["units"][0]["scores"]["test"]["clusters"]
        clusters[0], clusters[1] = sorted([*clusters[0], *clusters[1]])[:9], sorted([*clusters[0], *clusters[1]])[9:]

    record = rewritten(run, change)
    with pytest.raises(IntegrityError, match="clusters: how often each class was predicted"):
        verify_record(record, run.folder)


def test_invented_clusters_are_found_with_the_data(make_run):
    """Every clip its own subject: arithmetic cannot see it, whoever has the data can."""
    run = make_run(protocol=SUBJECTS)
    unit = run.record.units[0]
    path = run.folder / unit.predictions.test.path
    old = read_predictions(path, SUBJECTS.classes)
    write_predictions(path, replace(old, clusters=old.ids), SUBJECTS.classes)
    labels = {clip_id: run.labels[clip_id] for clip_id in old.ids}
    scores = score_split(read_predictions(path, SUBJECTS.classes), labels, SUBJECTS, METRICS)

    def change(content):
        content["units"][0]["predictions"]["test"]["sha256"] = hash_file(path)
        content["units"][0]["scores"]["test"] = scores.model_dump(mode="json")

    record = rewritten(run, change)
    verify_record(record, run.folder)
    clusters = {clip_id: clip_id.rpartition("-")[2] for clip_id in run.labels}
    with pytest.raises(IntegrityError, match="the subject of clip"):
        verify_record(record, run.folder, {**run.by_split, "clusters": clusters})


def test_frames_of_one_video_have_one_cluster():
    framewise = Protocol.model_validate(SUBJECTS.canonical() | {"windows": {"length": 10, "overlap": 5}})
    ids, rows = ("v/00001", "v/00002"), np.eye(7, dtype=np.float32)[:2]
    labels = dict.fromkeys(ids, "happy")
    with pytest.raises(IntegrityError, match="two clusters for the frames of one video: see 'v/00002'"):
        score_split(Predictions(ids, rows, ("a", "b")), labels, framewise, METRICS)
