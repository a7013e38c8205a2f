"""`benchmark show PROTOCOL --splits` on lists of the official sizes, without any video."""

from __future__ import annotations

import json

import pytest

from tests.conftest import benchmark
from tests.datasets.layouts.test_dfew import official, write_lists

CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
SIZES = ((9356, 2341), (9356, 2341), (9357, 2340), (9358, 2339), (9361, 2336))


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("official")
    clips = official()
    write_lists(
        root / "DFEW",
        lambda fold, part: [(n, label) for n, (label, own) in clips.items() if (own == fold) == (part == "test")],
    )
    return root


def folds_of(protocol: str, data_root):
    done = benchmark("show", protocol, "--splits", "--data-root", data_root, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["folds"]


def test_every_fold_has_its_official_sizes_and_a_fifth_of_each_class_for_val(data_root):
    clips = official()
    for fold, (train, test) in zip(folds_of("dfew-5fold", data_root), SIZES, strict=True):
        assert fold["train"]["clips"] + fold["val"]["clips"] == train
        assert fold["test"]["clips"] == test
        for number, name in enumerate(CLASSES, start=1):
            counts = {split: fold[split]["per_class"][name] for split in ("train", "val", "test")}
            assert sum(counts.values()) == sum(label == number for label, _ in clips.values())
            listed = counts["train"] + counts["val"]
            assert abs(counts["val"] - 0.2 * listed) <= 0.5
        assert sum(fold["val"]["per_class"].values()) == fold["val"]["clips"]


def test_the_first_fold_has_the_known_test_counts(data_root):
    first = folds_of("dfew-5fold", data_root)[0]
    assert list(first["test"]["per_class"].values()) == [489, 379, 534, 435, 294, 29, 181]


def test_the_hashes_are_the_same_on_every_machine(data_root):
    """Written down once; they depend on nothing but the lists and the protocol's name and version."""
    first = folds_of("dfew-5fold", data_root)[0]
    assert {name: first[name]["sha256"][:16] for name in ("train", "val", "test")} == {
        "train": "9dbffff3503f25d4",
        "val": "2e104d2e17ad4cfa",
        "test": "25689b9cd38ec51f",
    }


def test_the_ablation_fold_is_the_first_fold(data_root):
    assert folds_of("dfew-fold1", data_root) == folds_of("dfew-5fold", data_root)[:1]


def test_without_votes_an_ambiguity_protocol_says_what_it_needs(data_root):
    done = benchmark("show", "dfew-ambiguity-clear", "--splits", "--data-root", data_root)
    assert done.returncode == 3
    assert "annotation.xlsx" in done.stderr
