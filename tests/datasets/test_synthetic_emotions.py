"""What the synthetic clips show: labels, votes and splits, and emotions that only the order of events tells apart."""

import itertools
from collections import Counter

import numpy as np
import pytest

from benchmark.datasets.synthetic.emotions import (
    ALL_EMOTIONS,
    EMOTIONS,
    HIGHEST,
    LOWEST,
    MIRRORED,
    REST,
    hold,
    perform,
    trajectory,
)
from benchmark.datasets.synthetic.labels import (
    MAJORITY,
    divide,
    draw_feeling,
    planned_counts,
    shuffled,
    stratified_folds,
    winner,
)


@pytest.mark.parametrize("clips", [35, 36, 100, 420, 11697])
def test_class_counts_follow_the_shares_with_five_at_least(clips: int) -> None:
    shares = {"happy": 2445, "sad": 1894, "neutral": 2669, "angry": 2173, "surprise": 1469, "disgust": 145, "fear": 902}
    counts = planned_counts(clips, shares)
    assert sum(counts.values()) == clips
    assert min(counts.values()) >= 5
    if clips == 11697:
        assert counts == shares


def test_folds_differ_by_one_clip_at_most_in_size_and_in_every_class() -> None:
    labels = {clip: EMOTIONS[clip % 5 if clip < 60 else clip % 7] for clip in range(1, 101)}
    folds = stratified_folds(labels, np.random.default_rng(0))
    groups = [list(folds.values())]
    groups += [[folds[clip] for clip in labels if labels[clip] == name] for name in EMOTIONS]
    for group in groups:
        sizes = [group.count(fold) for fold in range(1, 6)]
        assert max(sizes) - min(sizes) <= 1


def test_every_part_gets_a_clip_of_every_class_and_its_share_of_the_large_ones() -> None:
    labels = shuffled({"happy": 100, "fear": 5}, np.random.default_rng(0))
    parts = divide(labels, {"val": 0.1, "test": 0.2}, np.random.default_rng(1))
    assert parts.keys() == labels.keys()
    counts = Counter((labels[clip], part) for clip, part in parts.items())
    assert [counts["happy", part] for part in ("train", "val", "test")] == [70, 10, 20]
    assert [counts["fear", part] for part in ("train", "val", "test")] == [3, 1, 1]


def test_a_tie_has_no_winner_and_neither_has_too_small_a_lead() -> None:
    assert winner({"happy": 5, "sad": 5}, 1) is None
    assert winner({"happy": 5, "sad": 4, "fear": 1}, 6) is None
    assert winner({"happy": 5, "sad": 4, "fear": 1}, 5) == "happy"


@pytest.mark.parametrize("label", [*EMOTIONS, None])
def test_feelings_are_convex_mixtures_with_the_label_that_was_planned(label: str | None) -> None:
    rng = np.random.default_rng(0)
    feelings = [draw_feeling(label, rng) for _ in range(200)]
    assert all(winner(feeling.votes, MAJORITY) == label for feeling in feelings)
    assert all(sum(feeling.votes.values()) == 10 for feeling in feelings)
    assert all(sum(feeling.mixture.values()) == pytest.approx(1) for feeling in feelings)
    blended = sum(len(feeling.mixture) > 1 for feeling in feelings)
    assert blended == 200 if label is None else 20 < blended < 80


@pytest.mark.parametrize(("emotion", "original"), MIRRORED.items())
def test_a_mirrored_emotion_is_the_other_one_backwards(emotion: str, original: str) -> None:
    moments = np.linspace(0, 1, 21)
    np.testing.assert_allclose(trajectory(emotion, moments), trajectory(original, moments)[::-1], atol=1e-12)


def test_every_emotion_starts_and_ends_at_rest() -> None:
    for emotion in ALL_EMOTIONS:
        np.testing.assert_allclose(trajectory(emotion, np.array([-0.1, 0.0, 1.0, 1.1])), 0, atol=1e-12)


def test_a_performance_keeps_to_the_parameters_range() -> None:
    rng = np.random.default_rng(0)
    for emotion in ALL_EMOTIONS:
        face = perform({emotion: 1.0}, 24, rng)
        assert face.shape == (24, 6)
        assert (face >= LOWEST).all() and (face <= HIGHEST).all()


def test_movements_stay_within_reach_of_the_face() -> None:
    for emotion in ALL_EMOTIONS:
        face = REST + trajectory(emotion, np.linspace(0, 1, 101))
        assert (face >= LOWEST).all() and (face <= HIGHEST).all()


@pytest.mark.parametrize(("one", "other"), itertools.combinations(ALL_EMOTIONS, 2))
def test_eight_frames_suffice_to_tell_any_two_emotions_apart(one: str, other: str) -> None:
    moments = (np.arange(8) + 0.5) / 8
    difference = np.abs(trajectory(one, moments) - trajectory(other, moments))
    assert (difference.max(axis=1) > 0.3).sum() >= 4


def test_in_a_picture_every_emotion_has_a_look_of_its_own() -> None:
    looks = [hold({emotion: 1.0}, np.random.default_rng(0)) for emotion in (*EMOTIONS, "contempt")]
    assert all(look.shape == (1, 6) for look in looks)
    for one, other in itertools.combinations(looks, 2):
        assert np.abs(one - other).max() > 0.4
