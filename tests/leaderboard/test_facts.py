"""The facts that ship: they are of the protocols as they are, and add up."""

from __future__ import annotations

import pytest

from benchmark.protocol import load_protocol, override
from benchmark.protocol.facts import FOLDER, known_facts
from benchmark.registry import registry

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def protocol_called(name):
    return load_protocol(registry().protocols[name])


def test_dfew_ferv39k_and_mafw_have_facts():
    assert NAMES == ["dfew-5fold", "dfew-fold1", "ferv39k", "mafw-5fold"]


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_of_the_installed_protocol_and_its_folds(name):
    protocol = protocol_called(name)
    facts = known_facts(protocol)
    assert tuple(facts) == protocol.folds
    for splits in facts.values():
        for split in splits.values():
            assert set(split.per_class) == set(protocol.classes)
            assert sum(split.per_class.values()) == split.clips


@pytest.mark.parametrize("name", NAMES)
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
