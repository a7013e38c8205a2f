"""Records: computed from units, checked against predictions."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from finished_run import DFEW, RunMaker
from pydantic import ValidationError

from benchmark.datasets.splits import hash_ids
from benchmark.errors import IntegrityError
from benchmark.files import hash_file
from benchmark.protocol import load_protocol, override
from benchmark.records import Overrides, aggregate, read_record, verify_record, write_record
from benchmark.registry import registry
from benchmark.scoring.builtin import METRICS
from benchmark.scoring.metrics import uar
from benchmark.scoring.predictions import Predictions, read_predictions, write_predictions

# Another protocol than the official one, and a complete one: two folds keep these tests quick.
TWO_FOLDS = override(DFEW, {"folds": [1, 2]})


@pytest.fixture(scope="session")
def make_run(tmp_path_factory):
    return RunMaker(tmp_path_factory.mktemp)


@pytest.fixture
def run(make_run):
    return make_run(protocol=TWO_FOLDS)


def edit(run, *keys, value):
    """Change one key of the record's file; `value` is new, or computed from the old one."""
    content = json.loads(run.path.read_text())
    target = content
    for key in keys[:-1]:
        target = target[key]
    target[keys[-1]] = value(target[keys[-1]]) if callable(value) else value
    run.path.write_text(json.dumps(content))
    return read_record(run.path)


def replace_predictions(run, split, change):
    """Rewrite one predictions file and everything that names its hash, as a careful forger would."""
    reference = getattr(run.record.units[0].predictions, split)
    path = run.folder / reference.path
    write_predictions(path, change(read_predictions(path, DFEW.classes)), DFEW.classes)
    return edit(run, "units", 0, "predictions", split, "sha256", value=hash_file(path))


def other_digit(number):
    """The same number with its last stored digit changed."""
    text = f"{number:.10f}"
    return float(text[:-1] + ("1" if text[-1] != "1" else "2"))


# What a record computes.


def test_the_mean_is_over_units_and_the_pooled_score_over_clips(make_run):
    record = make_run(protocol=TWO_FOLDS, seeds=(0, 1)).record
    confusions = np.array([unit.scores.test.confusion for unit in record.units])
    summary = record.aggregates.metrics["uar"]
    assert summary.mean == pytest.approx(uar(confusions).mean(), abs=1e-9)
    assert summary.std == pytest.approx(np.std(uar(confusions), ddof=1), abs=1e-9)
    assert summary.pooled == pytest.approx(uar(confusions.sum(axis=0)), abs=1e-9)


def test_one_unit_has_no_standard_deviation(run):
    assert aggregate(run.record.units[:1], TWO_FOLDS, METRICS).metrics["uar"].std is None


def test_one_units_interval_is_its_own(run):
    unit = run.record.units[0]
    summary, own = aggregate([unit], TWO_FOLDS, METRICS).metrics["war"], unit.scores.test.metrics["war"]
    assert (summary.low, summary.high) == (own.low, own.high)


def test_more_folds_narrow_the_interval(run):
    def width(units):
        found = aggregate(units, DFEW, METRICS).metrics["war"]
        return found.high - found.low

    first = run.record.units[0]
    other_clips = first.splits.model_copy(update={"test": first.splits.test.model_copy(update={"sha256": "0" * 64})})
    # Two folds with equal confusions are different clips: their errors are independent.
    assert width([first, first.model_copy(update={"fold": 2, "splits": other_clips})]) == pytest.approx(
        width([first]) / 2**0.5, rel=0.1
    )


def test_more_seeds_do_not_narrow_the_interval(run):
    one = run.record.units[0]
    again = one.model_copy(update={"seed": 1})
    alone, both = (aggregate(units, DFEW, METRICS).metrics["war"] for units in ([one], [one, again]))
    assert both.high - both.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_a_class_collapses_when_no_unit_recognises_it(make_run):
    run = make_run(protocol=TWO_FOLDS, never="disgust")
    assert run.record.aggregates.collapsed == ["disgust"]
    first, second = run.record.units
    sighted = make_run(protocol=TWO_FOLDS).record.units[1]
    assert aggregate([first, sighted], TWO_FOLDS, METRICS).collapsed == []
    assert second.scores.test.collapsed == ["disgust"]


def test_a_complete_official_run_is_eligible(run):
    assert run.record.eligible


@pytest.mark.parametrize(
    ("options", "marks", "reason"),
    [
        ({"folds": (1,)}, "incomplete", "seed 0: fold 2 not run"),
        ({"failed": ((0, 2),)}, "incomplete", "seed 0, fold 2 failed"),
        ({"incomplete": ["--limit 10"]}, "incomplete", "--limit 10"),
        ({"unofficial": ["--unofficial"]}, "unofficial", "--unofficial"),
        ({"overrides": Overrides(protocol={"frames.order": "single"})}, "unofficial", "protocol key frames.order"),
    ],
)
def test_what_is_missing_or_unofficial_is_marked_and_not_eligible(make_run, options, marks, reason):
    record = make_run(protocol=TWO_FOLDS, **options).record
    assert [mark for mark in getattr(record.marks, marks) if mark.startswith(reason)]
    assert not record.eligible


def test_a_checkpoint_that_was_not_selected_on_val_is_not_eligible(make_run):
    assert not make_run(protocol=override(TWO_FOLDS, {"selection.policy": "last"})).record.eligible


def test_a_run_without_a_finished_unit_still_has_a_record(make_run):
    run = make_run(protocol=TWO_FOLDS, failed=((0, 1), (0, 2)))
    assert run.record.aggregates is None
    verify_record(run.record, run.folder)


# Files.


def test_a_record_survives_its_file(run):
    write_record(run.path, run.record)
    assert read_record(run.path) == run.record


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("surprise",), 1, "surprise: Extra inputs"),
        (("units", 0, "surprise"), 1, r"units\.0\.surprise: Extra inputs"),
        (("schema_version",), 1, "schema_version"),
        (("method", "parameters"), "12", r"method\.parameters"),
        (("label_mode",), "fuzzy", "label_mode"),
        (("augmentations",), [{"name": "a", "version": "1", "options": {"k": float("nan")}}], "NaN is not JSON"),
        (("units", 0, "scores", "test", "metrics", "uar", "value"), float("nan"), "NaN is not JSON"),
        (("units", 0, "predictions", "test", "path"), "../labels.csv", "below the record's folder"),
        (("units", 0, "predictions", "test", "path"), "/etc/passwd", "below the record's folder"),
        (("created",), "2026-03-01T12:00:00+09:00", "created: .*UTC"),
    ],
)
def test_a_record_off_the_schema_is_refused_by_key(run, keys, value, message):
    with pytest.raises(IntegrityError, match=message) as caught:
        edit(run, *keys, value=value)
    assert str(caught.value).startswith(str(run.path))
    assert "\n" not in str(caught.value)


def test_a_key_given_twice_is_refused(run):
    run.path.write_text(run.path.read_text().replace('"schema_version": 2', '"schema_version": 2, "schema_version": 2'))
    with pytest.raises(IntegrityError, match="given twice"):
        read_record(run.path)


def test_a_time_zone_other_than_utc_is_refused(run):
    zoned = datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=9)))
    with pytest.raises(ValidationError, match="UTC"):
        type(run.record).model_validate({**dict(run.record), "created": zoned})


# Verification.


def test_an_honest_record_verifies_with_and_without_labels(run):
    verify_record(run.record, run.folder)
    verify_record(run.record, run.folder, run.by_split)


TAMPERED = {
    "a unit's score": (("units", 0, "scores", "test", "metrics", "uar", "value"), other_digit, "uar.value is"),
    "a val score": (("units", 1, "scores", "val", "metrics", "war", "value"), other_digit, "scores.val.metrics.war"),
    "an interval": (("units", 0, "scores", "test", "metrics", "uar", "low"), other_digit, "uar.low is"),
    "a grouped score": (
        ("units", 0, "scores", "test", "groupings", "emotion3", "war", "value"),
        other_digit,
        "emotion3.war.value is",
    ),
    "an aggregate": (("aggregates", "metrics", "uar", "mean"), other_digit, "aggregates.metrics.uar.mean is"),
    "a standard deviation": (("aggregates", "metrics", "uar", "std"), other_digit, "aggregates.metrics.uar.std is"),
    "collapsed classes": (("aggregates", "collapsed"), ["happy"], "aggregates.collapsed"),
    "a split's size": (("units", 0, "splits", "test", "clips"), 41, "splits.test.clips is 41"),
    "a split's ids": (("units", 0, "splits", "val", "sha256"), "0" * 64, "splits.val.sha256"),
    "a fold": (("units", 0, "fold"), 9, "fold 9 is not a fold of dfew-5fold"),
    "a protocol key": (("protocol", "definition", "frames", "order"), "single", "protocol.definition hashes to"),
    "the protocol's version": (("protocol", "version"), 2, "protocol name, version"),
    "eligible": (("eligible",), False, "eligible is False"),
    "a missing mark": (("overrides", "protocol"), {"frames.order": "single"}, "marks.unofficial leaves out"),
    "synthetic": (("marks", "synthetic"), True, "marks.synthetic is True"),
    "the dataset": (("data", "dataset"), "other", "data.dataset is 'other'"),
}


@pytest.mark.parametrize(("keys", "value", "message"), TAMPERED.values(), ids=TAMPERED.keys())
def test_a_changed_record_is_found_without_labels(run, keys, value, message):
    with pytest.raises(IntegrityError, match=message) as caught:
        verify_record(edit(run, *keys, value=value), run.folder)
    assert str(caught.value).startswith(str(run.path))
    assert "\n" not in str(caught.value)


def test_a_repeated_unit_is_found(run):
    with pytest.raises(IntegrityError, match="seed 0, fold 1 is there twice"):
        verify_record(edit(run, "units", value=lambda units: [*units, units[0]]), run.folder)


def test_a_changed_probability_is_found_by_its_hash(run):
    path = run.folder / run.record.units[0].predictions.test.path
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"0.7,", b"0.7001,", 1)))
    with pytest.raises(IntegrityError, match="SHA-256") as caught:
        verify_record(run.record, run.folder)
    assert str(caught.value).startswith(str(path))


def test_a_removed_predictions_file_is_found(run):
    path = run.folder / run.record.units[0].predictions.val.path
    path.unlink()
    with pytest.raises(IntegrityError, match="missing") as caught:
        verify_record(run.record, run.folder)
    assert str(caught.value).startswith(str(path))


def test_a_link_out_of_the_folder_is_refused(run, tmp_path):
    path = run.folder / run.record.units[0].predictions.val.path
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="leads out of"):
        verify_record(run.record, run.folder)


def move_one_prediction(predictions):
    """Another class for the first clip."""
    probabilities = predictions.probabilities.copy()
    probabilities[0] = np.roll(probabilities[0], 1)
    return Predictions(predictions.ids, probabilities)


def swap_two_predictions(predictions):
    """Right answers of two classes exchanged: the same number of clips is predicted as each class."""
    probabilities = predictions.probabilities.copy()
    right = {
        predicted: row
        for row, predicted in enumerate(predictions.predicted)
        if f"-{DFEW.classes[predicted]}-" in predictions.ids[row]
    }
    one, other = list(right.values())[:2]
    probabilities[[one, other]] = probabilities[[other, one]]
    return Predictions(predictions.ids, probabilities)


def test_predictions_that_do_not_give_the_confusion_are_found_without_labels(run):
    record = replace_predictions(run, "test", move_one_prediction)
    with pytest.raises(IntegrityError, match="number of clips predicted as"):
        verify_record(record, run.folder)


def test_labels_find_what_arithmetic_cannot(run):
    record = replace_predictions(run, "test", swap_two_predictions)
    verify_record(record, run.folder)
    with pytest.raises(IntegrityError, match=r"scores\.test\.(metrics|confusion)"):
        verify_record(record, run.folder, run.by_split)


def test_a_clip_without_label_is_named(run):
    del run.labels["test1-sad-0"]
    with pytest.raises(IntegrityError, match="predicted clips have no label: 'test1-sad-0'"):
        verify_record(run.record, run.folder, run.by_split)


def with_a_val_clip_in_test(run):
    """The record of a careful forger whose first unit was also tested on a clip that it was selected on."""
    unit = run.record.units[0]
    shared = read_predictions(run.folder / unit.predictions.val.path, DFEW.classes).ids[0]
    ids: list[str] = []

    def exchanged(predictions):
        ids[:] = [shared, *predictions.ids[1:]]
        return Predictions(tuple(ids), predictions.probabilities)

    replace_predictions(run, "test", exchanged)
    return shared, edit(run, "units", 0, "splits", "test", "sha256", value=hash_ids(ids))


def test_a_clip_in_val_and_in_test_is_found(run):
    shared, record = with_a_val_clip_in_test(run)
    with pytest.raises(IntegrityError, match=f"seed 0, fold 1: clip '{shared}' is in val and in test"):
        verify_record(record, run.folder)


def test_clips_of_two_datasets_may_have_the_same_id(make_run):
    """A cross-dataset record's val and test are different clips whatever they are called."""
    across = load_protocol(registry().find("protocols", "dfew-to-mafw"))
    run = make_run(protocol=override(across, {"folds": [1, 2]}))
    _, record = with_a_val_clip_in_test(run)
    verify_record(record, run.folder)


def test_other_clips_than_the_splits_are_found(run):
    def renamed(predictions):
        return Predictions(("another-clip", *predictions.ids[1:]), predictions.probabilities)

    with pytest.raises(IntegrityError, match=r"splits\.val\.sha256"):
        verify_record(replace_predictions(run, "val", renamed), run.folder)
