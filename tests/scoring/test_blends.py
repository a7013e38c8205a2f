"""Blends: the official definitions, once worked out by hand and once against an implementation of their own."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from benchmark.protocol.blends import blend_names
from benchmark.scoring.blends import blend_score, fit_thresholds, given_blends, presence, salience
from benchmark.scoring.metrics import confusion_matrix

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "neutral")
NAMES = blend_names(CLASSES)


def confusion(true: list[str], given: list[str]) -> np.ndarray:
    return confusion_matrix([NAMES.index(name) for name in true], [NAMES.index(name) for name in given], len(NAMES))


def scores(true: list[str], given: list[str]) -> tuple[float, float, float]:
    counts = confusion(true, given)
    return float(presence(counts)), float(salience(counts)), float(blend_score(counts))


def give(probabilities, presence_threshold, salience_threshold) -> list[str]:
    values = np.array(probabilities, dtype=np.float32)
    return [NAMES[k] for k in given_blends(values, CLASSES, presence_threshold, salience_threshold)]


# Twelve clips of two kinds: the example in the official code's documentation, whose scores it prints.
OFFICIAL = [
    ("angry", "neutral"),
    ("angry", "angry"),
    ("disgust", "fear"),
    ("disgust", "disgust"),
    ("fear", "happy"),
    ("fear", "fear"),
    ("disgust+happy", "disgust+happy"),
    ("disgust>happy", "happy>disgust"),
    ("happy>angry", "happy>angry"),
    ("angry+happy", "angry+happy"),
    ("happy>angry", "happy>angry"),
    ("angry+happy", "happy>angry"),
]


def test_every_emotion_alone_and_every_pair_but_neutral_s_is_an_answer():
    assert len(NAMES) == len(set(NAMES)) == 6 + 3 * 10
    assert NAMES[:9] == (*CLASSES, "angry>disgust", "angry+disgust", "disgust>angry")


def test_presence_and_salience_of_an_example_worked_out_by_hand():
    # Right emotions: 3 of 6 single clips and all 6 blends; right order: 4 of 6 blends.
    true, given = map(list, zip(*OFFICIAL, strict=True))
    assert scores(true, given) == pytest.approx((9 / 12, 4 / 6, (9 / 12 + 4 / 6) / 2))


@pytest.mark.parametrize(
    ("true", "given", "expected"),
    [
        ("angry", "angry", (1, 0)),
        ("angry", "angry+fear", (0, 0)),
        ("angry+fear", "angry", (0, 0)),
        ("angry+fear", "fear>angry", (1, 0)),
        ("fear>angry", "fear>angry", (1, 1)),
        ("fear>angry", "angry>fear", (1, 0)),
        ("fear>angry", "fear>sad", (0, 0)),
    ],
)
def test_too_many_too_few_and_the_wrong_order_are_wrong(true, given, expected):
    assert scores([true], [given])[:2] == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([0.7, 0.1, 0.05, 0.03, 0.02, 0.1], "angry"),  # disgust stays below the presence threshold
        ([0.2, 0.6, 0.05, 0.03, 0.02, 0.1], "disgust>angry"),
        ([0.35, 0.0, 0.45, 0.0, 0.2, 0.0], "angry+fear"),  # 0.1 apart; a third emotion never counts
        ([0.0, 0.0, 0.0, 0.0, 0.4, 0.6], "neutral"),
        ([0.6, 0.0, 0.0, 0.0, 0.0, 0.4], "angry"),
        ([0.19, 0.17, 0.16, 0.16, 0.16, 0.16], "angry"),  # nothing reaches the threshold
        ([0.5, 0.5, 0.0, 0.0, 0.0, 0.0], "angry+disgust"),
    ],
)
def test_two_thresholds_make_an_answer(row, expected):
    assert give([row], 0.2, 0.101) == [expected]


def official_answer(row: np.ndarray, alpha: float, beta: float) -> dict[str, int]:
    """The official rule, written out for one clip: each emotion's share in percent."""
    top = sorted(range(len(CLASSES)), key=lambda k: (-row[k], k))[:2]
    kept = [k for k in top if row[k] >= alpha] or top[:1]
    if len(kept) == 1 or CLASSES.index("neutral") in kept:
        return {CLASSES[kept[0]]: 100}
    first, second = (float(row[k]) for k in kept)
    shares = (50, 50) if first - second <= beta else (70, 30)
    return dict(zip((CLASSES[k] for k in kept), shares, strict=True))


def shares_of(name: str) -> dict[str, int]:
    if ">" in name:
        return dict(zip(name.split(">"), (70, 30), strict=True))
    return dict.fromkeys(name.split("+"), 50 if "+" in name else 100)


def brute_force(true: list[str], probabilities: np.ndarray) -> tuple[float, float]:
    """The first of the best pairs of the official grid."""
    best, found = -1.0, (0.0, 0.0)
    targets = [shares_of(name) for name in true]
    blends = [k for k, shares in enumerate(targets) if len(shares) == 2]
    for alpha, beta in product(np.linspace(0.05, 0.95, 20), repeat=2):
        answers = [official_answer(row, alpha, beta) for row in probabilities.astype(np.float64)]
        right = np.mean([set(one) == set(other) for one, other in zip(targets, answers, strict=True)])
        ordered = np.mean([targets[k] == answers[k] for k in blends]) if blends else 0.0
        score = float(0.5 * right + 0.5 * ordered)
        if score > best + 1e-12:
            best, found = score, (float(alpha), float(beta))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_thresholds_are_those_that_brute_force_finds(seed):
    rng = np.random.default_rng(seed)
    true = rng.choice(NAMES, 60).tolist()
    targets = np.array([[shares_of(name).get(k, 0) / 100 for k in CLASSES] for name in true])
    noisy = 0.6 * targets + 0.4 * rng.dirichlet(np.ones(6), 60)
    # The softmax of a distribution, as MIDAS teaches it, is flat.
    probabilities = (noisy if seed % 2 else np.exp(noisy) / np.exp(noisy).sum(axis=1, keepdims=True)).astype("float32")
    numbers = np.array([NAMES.index(name) for name in true])
    thresholds = fit_thresholds(numbers, probabilities, CLASSES)
    assert thresholds == pytest.approx(brute_force(true, probabilities))
    given = [NAMES[k] for k in given_blends(probabilities, CLASSES, *thresholds)]
    answers = [official_answer(row, *thresholds) for row in probabilities.astype(np.float64)]
    assert [shares_of(name) for name in given] == answers


def test_without_blends_salience_is_0_and_presence_counts():
    assert scores(["angry", "neutral"], ["angry", "sad"])[:2] == (0.5, 0)


@pytest.mark.parametrize("number", range(3, 9))
@pytest.mark.parametrize("last", ["neutral", "surprise"])
def test_any_classes_can_be_blended(number, last):
    classes = (*(f"c{k}" for k in range(number - 1)), last)
    size = len(blend_names(classes))
    everything = np.eye(size, dtype=int)
    assert presence(everything) == salience(everything) == 1
    assert presence(np.roll(everything, 1, axis=1)) < 1
