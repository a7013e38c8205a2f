import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy, ttest_rel
from scipy.stats import t as student

from benchmark import Choices
from benchmark.datasets.layouts import table
from benchmark.datasets.synthetic.emotions import EMOTIONS
from benchmark.datasets.synthetic.labels import ANNOTATORS
from experiments.ambiguity import run
from experiments.ambiguity.clips import MIXTURES, draw_feeling, label_of, synthesize
from experiments.ambiguity.measures import difference, over_seeds, read_mixtures, references, undo_softmax

PARTS = {"train": 14, "val": 7, "test": 7}


def test_a_face_blends_two_emotions_and_has_the_label_that_most_annotators_gave():
    rng = np.random.default_rng(0)
    for name in EMOTIONS * 20:
        feeling = draw_feeling(name, rng)
        assert len(feeling.mixture) == 2
        assert sum(feeling.mixture.values()) == pytest.approx(1)
        assert feeling.mixture[name] >= 0.5
        assert sum(feeling.votes.values()) == ANNOTATORS
        first, second = sorted(feeling.votes.values())[:-3:-1]
        assert first > second
        assert feeling.votes[label_of(feeling)] == first


def test_annotators_follow_the_mixture_and_are_sometimes_wrong():
    rng = np.random.default_rng(0)
    right = wrong = 0
    for _ in range(1000):
        feeling = draw_feeling("happy", rng)
        shown = sum(feeling.votes[name] for name in feeling.mixture)
        right, wrong = right + shown, wrong + ANNOTATORS - shown
    # Misreadings are 15 % of votes, spread over all emotions; five of seven are not in the face.
    assert wrong / (right + wrong) == pytest.approx(0.15 * 5 / 7, abs=0.01)


def test_the_clips_are_a_table_with_votes_and_the_truth_beside_it(tmp_path):
    synthesize(tmp_path / "data", PARTS, 0, lambda done, total: None)
    clips = table.read(tmp_path / "data", votes=True)
    mixtures = read_mixtures(tmp_path / "data")
    assert {clip.id for clip in clips} == set(mixtures)
    with (tmp_path / "data" / "clips.csv").open() as file:
        parts = [row["split"] for row in csv.DictReader(file)]
    assert {part: parts.count(part) for part in PARTS} == PARTS
    for part in PARTS:
        stronger = [
            EMOTIONS[mixtures[f"clip-{number:04d}"].argmax()] for number, p in enumerate(parts, start=1) if p == part
        ]
        assert {name: stronger.count(name) for name in EMOTIONS} == dict.fromkeys(EMOTIONS, PARTS[part] // 7)


def test_intervals_are_those_of_students_t():
    first, second = {0: 0.5, 1: 0.7, 2: 0.65}, {0: 0.4, 1: 0.65, 2: 0.6}
    values = list(first.values())
    low, high = student.interval(0.95, 2, np.mean(values), np.std(values, ddof=1) / np.sqrt(3))
    assert (over_seeds(values).low, over_seeds(values).high) == pytest.approx((low, high))
    paired = ttest_rel(values, list(second.values())).confidence_interval(0.95)
    found = difference(first, {2: 0.6, 1: 0.65, 0: 0.4})
    assert (found.low, found.high) == pytest.approx((paired.low, paired.high))


def test_the_softmax_can_be_undone():
    truth = np.array([[0.55, 0.25, 0.1, 0.04, 0.03, 0.02, 0.01]])
    assert undo_softmax(softmax(truth, axis=1)) == pytest.approx(truth)


def test_references_are_divergences_from_the_true_mixture():
    truth = np.array([0.7, 0.3, 0, 0, 0, 0, 0])
    softened = np.exp(truth) / np.exp(truth).sum()
    found = references([truth])
    assert found["the softmax of the true mixture"] == pytest.approx(entropy(truth, softened))
    assert found["every emotion alike"] == pytest.approx(np.log(7) - entropy(truth))


def test_the_published_results_are_what_the_published_predictions_say(tmp_path):
    published = Path(run.__file__).parent
    shutil.copytree(published / run.RECORDS, tmp_path / run.RECORDS)
    shutil.copyfile(published / MIXTURES, tmp_path / MIXTURES)
    run.write_results(tmp_path)
    for name in (run.TEXT, run.FIGURE):
        assert (tmp_path / name).read_text() == (published / name).read_text()


@pytest.mark.slow
def test_one_command_makes_the_table_and_the_figure(tmp_path, capsys):
    choices = Choices(preset="small", seeds=(0, 1), settings=("epochs=1",))
    starts = []
    for _ in range(2):
        run.experiment(tmp_path / "runs", tmp_path, {"train": 56, "val": 14, "test": 28}, choices)
        starts.append(capsys.readouterr().err.count("starting"))
    assert starts == [8, 0]
    text = (tmp_path / "RESULTS.md").read_text()
    assert [label in text for label in ("hard labels", "soft labels", "MIDAS", "MIDAS without softmax")] == [True] * 4
    assert "Synthetic data" in text
    assert (tmp_path / "results.svg").read_text().startswith("<svg")
