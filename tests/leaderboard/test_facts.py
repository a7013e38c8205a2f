"""The facts that ship: they are of the protocols as they are, and add up."""

from __future__ import annotations

import hashlib
from itertools import product

import pytest

from benchmark.protocol import load_protocol, override
from benchmark.protocol.facts import FOLDER, known_facts
from benchmark.registry import registry

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def protocol_called(name):
    return load_protocol(registry().protocols[name])


OPEN = ["ravdess-song-5fold", "ravdess-speech-5fold"]


def test_dfew_ferv39k_mafw_and_ravdess_have_facts():
    assert ["dfew-5fold", "dfew-fold1", "ferv39k", "mafw-5fold", *OPEN] == NAMES


@pytest.mark.parametrize("name", OPEN)
def test_the_facts_of_ravdess_follow_from_its_description_alone(name):
    """No list is needed: which takes there are is documented, and the rule is a hash of the actors' numbers."""
    song = "song" in name
    actors = [f"{n:02d}" for n in range(1, 25) if not (song and n == 18)]
    emotions = range(1, 7 if song else 9)
    takes = [f"{e:02d}-{i:02d}-{s:02d}-{r:02d}" for e, i, s, r in product(emotions, *[(1, 2)] * 3) if (e, i) != (1, 2)]

    def ordered(sex, prefix, among):
        own = [actor for actor in among if int(actor) % 2 == sex]
        return sorted(own, key=lambda actor: hashlib.sha256(f"{name}@1/{prefix}/{actor}".encode()).digest())

    def fifth(count, parts):
        return int(count * parts / 5 + 0.5)

    for fold, splits in known_facts(protocol_called(name)).items():
        test, val = [], []
        for sex in (0, 1):
            own = ordered(sex, "test", actors)
            test += own[fifth(len(own), fold - 1) : fifth(len(own), fold)]
        for sex in (0, 1):
            own = ordered(sex, fold, [actor for actor in actors if actor not in test])
            val += own[: fifth(len(own), 1)]
        train = [actor for actor in actors if actor not in (*test, *val)]
        for split, people in (("train", train), ("val", val), ("test", test)):
            ids = sorted(f"02-0{1 + song}-{take}-{actor}" for take in takes for actor in people)
            assert splits[split].sha256 == hashlib.sha256("".join(f"{i}\n" for i in ids).encode()).hexdigest()
            assert splits[split].clips == len(ids)


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_of_the_installed_protocol_and_its_folds(name):
    protocol = protocol_called(name)
    facts = known_facts(protocol)
    assert tuple(facts) == protocol.folds
    for splits in facts.values():
        for split in splits.values():
            assert set(split.per_class) == set(protocol.classes)
            assert sum(split.per_class.values()) == split.clips


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OPEN])
def test_facts_agree_with_the_counts_that_a_datasets_layout_expects(name):
    """From papers and dataset pages, where the facts are from the lists themselves."""
    protocol = protocol_called(name)
    expected = registry().datasets[protocol.dataset].expected
    assert expected
    for fold, splits in known_facts(protocol).items():
        parts = expected[fold]
        assert parts["test"]["clips"] == splits["test"].clips
        assert parts["train"]["clips"] == splits["train"].clips + splits["val"].clips
        for emotion, clips in parts["test"].get("per_class", {}).items():
            assert splits["test"].per_class[emotion] == clips


def test_the_first_fold_alone_has_the_same_clips():
    assert known_facts(protocol_called("dfew-fold1"))[1] == known_facts(protocol_called("dfew-5fold"))[1]


def test_a_cross_dataset_protocol_has_those_of_what_it_trains_on():
    facts = known_facts(protocol_called("dfew-to-mafw"))
    assert set(facts[1]) == {"train", "val"}
    assert facts[1]["val"] == known_facts(protocol_called("dfew-5fold"))[1]["val"]


def test_a_changed_protocol_has_none():
    assert known_facts(override(protocol_called("dfew-5fold"), {"frames.order": "single"})) == {}
    assert known_facts(protocol_called("afew")) == {}
