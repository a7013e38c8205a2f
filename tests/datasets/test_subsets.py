from collections import Counter

import pytest

from benchmark.datasets.subsets import take_subset
from benchmark.errors import IntegrityError
from benchmark.protocol import TrainSubset
from benchmark.specs import Clip

CLASSES = ("happy", "sad", "fear")
CLEAR = TrainSubset(keep="clear", above=0.9, clips=1, of=2)
MIXED = TrainSubset(keep="any", clips=1, of=2)


def clip(label: str, number: int, votes: int) -> Clip:
    other = "sad" if label == "happy" else "happy"
    return Clip(f"{label}-{number}", label, {}, {1: "train"}, {label: votes, other: 10 - votes})


TRAIN = [
    clip(label, n, votes)
    for label, size in zip(CLASSES, (20, 10, 4), strict=True)
    for n, votes in enumerate([10, 9, 8, 7] * (size // 4) + [6] * (size % 4))
]


def test_clear_clips_are_those_with_more_than_nine_tenths_of_the_votes():
    assert all(max(c.votes.values()) == 10 for c in take_subset(TRAIN, CLEAR, CLASSES))


def test_both_subsets_have_the_class_shares_of_the_whole_train_split():
    counts = [Counter(c.label for c in take_subset(TRAIN, rule, CLASSES)) for rule in (CLEAR, MIXED)]
    assert counts[0] == counts[1] == {"happy": 10, "sad": 5, "fear": 2}


def test_a_class_with_too_few_clear_clips_repeats_them_evenly():
    repeats = Counter(c.id for c in take_subset(TRAIN, CLEAR, CLASSES) if c.label == "happy")
    assert sorted(repeats.values()) == [2, 2, 2, 2, 2]


def test_a_class_without_clear_clips_is_represented_by_its_clearest():
    train = [*TRAIN[:20], *(clip("fear", n, votes) for n, votes in enumerate([7, 8, 6, 8]))]
    taken = {c.id for c in take_subset(train, CLEAR, CLASSES) if c.label == "fear"}
    assert taken == {"fear-1", "fear-3"}


def test_the_published_size_comes_out_for_the_published_split():
    per_class = {
        "happy": 1565,
        "sad": 1212,
        "neutral": 1708,
        "angry": 1390,
        "surprise": 940,
        "disgust": 93,
        "fear": 577,
    }
    train = [Clip(f"{label}{n}", label, {}, {}) for label, count in per_class.items() for n in range(count)]
    subset = take_subset(train, TrainSubset(keep="any", clips=4275, of=7485), tuple(per_class))
    assert len(train) == 7485
    assert len(subset) == 4275


def test_without_votes_nothing_is_clear():
    with pytest.raises(IntegrityError, match="a: has no votes"):
        take_subset([Clip("a", "happy", {}, {})], CLEAR, CLASSES)


def test_a_threshold_can_be_part_of_what_is_clear():
    votes = {"a": {"happy": 9.0, "sad": 1.0}, "b": {"happy": 10.0}, "c": {"happy": 8.0, "sad": 2.0}}
    train = [Clip(name, "happy", {}, {}, votes=given) for name, given in votes.items()]
    taken = {
        kind: {clip.id for clip in take_subset(train, TrainSubset(keep="clear", clips=1, of=1, **kind_of), ["happy"])}
        for kind, kind_of in {"above": {"above": 0.9}, "at least": {"at_least": 0.9}}.items()
    }
    assert taken == {"above": {"b"}, "at least": {"a", "b"}}
    for wrong in ({}, {"above": 0.9, "at_least": 0.9}):
        with pytest.raises(ValueError, match="one of 'above' and 'at_least'"):
            TrainSubset(keep="clear", clips=1, of=1, **wrong)
