"""Joining predictions and labels."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from benchmark.errors import IntegrityError, UsageError
from benchmark.protocol import load_protocol
from benchmark.scoring.builtin import METRICS
from benchmark.scoring.intervals import wilson_interval
from benchmark.scoring.predictions import Predictions
from benchmark.scoring.scores import SplitScores, score_split
from benchmark.shipped import shipped

PROTOCOL = load_protocol(shipped("protocols") / "dfew-5fold.yaml")
# happy twice (once right), sad (taken for angry), neutral (right), disgust (taken for happy); the others are absent.
LABELS = {"a": "happy", "b": "happy", "c": "sad", "d": "neutral", "e": "disgust"}
PREDICTED = {"a": "happy", "b": "surprise", "c": "angry", "d": "neutral", "e": "happy"}


def certain(predicted=PREDICTED):
    rows = [PROTOCOL.classes.index(name) for name in predicted.values()]
    return Predictions(tuple(predicted), np.eye(len(PROTOCOL.classes), dtype=np.float32)[rows])


SCORES = score_split(certain(), LABELS, PROTOCOL, METRICS)


def test_scores_are_those_worked_out_by_hand():
    values = {name: estimate.value for name, estimate in SCORES.metrics.items()}
    # Recalls 1/2, 0, 1, 0; F1 of happy is 2*1/(2+2), of neutral 1, of sad and disgust 0. Absent classes do not count.
    assert values == pytest.approx({"uar": 1.5 / 4, "war": 2 / 5, "macro_f1": 1.5 / 4}, abs=1e-9)


def test_a_grouped_prediction_is_right_when_it_falls_in_the_labels_group():
    values = {name: estimate.value for name, estimate in SCORES.groupings["emotion3"].items()}
    # happy as surprise and sad as angry become right, disgust as happy stays wrong: recalls 2/2, 1/1, 1/2.
    assert values["uar"] == pytest.approx(2.5 / 3, abs=1e-9)
    assert values["war"] == pytest.approx(4 / 5, abs=1e-9)


def test_recall_has_wilsons_interval_and_is_none_without_clips():
    happy = SCORES.recall["happy"]
    assert (happy.low, happy.high) == pytest.approx(wilson_interval(1, 2), abs=1e-9)
    assert [name for name, recall in SCORES.recall.items() if recall is None] == ["angry", "surprise", "fear"]


def test_collapsed_are_the_classes_with_clips_and_no_hit():
    assert SCORES.collapsed == ["sad", "disgust"]


def test_rows_of_the_confusion_are_true_classes_in_protocol_order():
    assert SCORES.confusion[PROTOCOL.classes.index("sad")][PROTOCOL.classes.index("angry")] == 1
    assert sum(map(sum, SCORES.confusion)) == SCORES.clips == 5


def test_the_order_of_clips_does_not_matter():
    backwards = certain(dict(reversed(PREDICTED.items())))
    assert score_split(backwards, LABELS, PROTOCOL, METRICS) == SCORES


def test_labelled_clips_without_prediction_are_named_and_counted():
    with pytest.raises(IntegrityError, match=r"7 labelled clips have no prediction: 'x0', .*'x4', \.\.\."):
        score_split(certain(), {**LABELS, **{f"x{i}": "sad" for i in range(7)}}, PROTOCOL, METRICS)


def test_predicted_clips_without_label_are_named_and_counted():
    with pytest.raises(IntegrityError, match="1 predicted clips have no label: 'e'"):
        score_split(certain(), {name: LABELS[name] for name in "abcd"}, PROTOCOL, METRICS)


def test_a_label_outside_the_class_list_is_refused():
    with pytest.raises(IntegrityError, match="contempt"):
        score_split(certain(), {**LABELS, "a": "contempt"}, PROTOCOL, METRICS)


def test_no_clips_is_no_score():
    with pytest.raises(IntegrityError, match="nothing to score"):
        score_split(Predictions((), np.zeros((0, 7), np.float32)), {}, PROTOCOL, METRICS)


def test_a_metric_that_nobody_provides_is_named():
    with pytest.raises(UsageError, match="macro_f1"):
        score_split(certain(), LABELS, PROTOCOL, METRICS[:2])


def test_a_metric_of_another_plugin_is_scored_like_the_built_in_ones():
    other = [*METRICS[:2], replace(METRICS[0], name="macro_f1", compute="benchmark.scoring.metrics:war")]
    assert score_split(certain(), LABELS, PROTOCOL, other).metrics["macro_f1"] == SCORES.metrics["war"]


def test_scores_survive_a_file():
    assert SplitScores.model_validate_json(SCORES.model_dump_json()) == SCORES


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"clips": 6},
        {"clips": "5"},
        {"confusion": [[5, 0], [0]]},
        {"confusion": [[6, -1], [0, 0]]},
        {"metrics": {"uar": {"value": float("nan"), "low": 0.1, "high": 0.2}}},
        {"metrics": {"uar": {"value": 1.5, "low": 0.1, "high": 0.2}}},
    ],
)
def test_scores_that_make_no_sense_are_refused(change):
    with pytest.raises(ValidationError):
        SplitScores.model_validate_json(json.dumps({**SCORES.model_dump(mode="json"), **change}))
