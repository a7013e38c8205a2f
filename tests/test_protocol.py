import json
from pathlib import Path

import pytest
import yaml

from benchmark.errors import UsageError
from benchmark.protocol import Protocol, load_protocol, override
from benchmark.shipped import shipped

DFEW_5FOLD = shipped("protocols") / "dfew-5fold.yaml"


@pytest.fixture
def written(tmp_path):
    """Writes a changed copy of dfew-5fold and returns its path."""

    def write(**changes):
        value = yaml.safe_load(DFEW_5FOLD.read_text())
        value.update(changes)
        path = tmp_path / "dfew-5fold.yaml"
        path.write_text(yaml.safe_dump(value, sort_keys=True))
        return path

    return write


def test_dfew_5fold_is_the_published_protocol():
    protocol = load_protocol(DFEW_5FOLD)
    assert protocol.classes == ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
    assert protocol.folds == (1, 2, 3, 4, 5)
    assert (protocol.selection.policy, protocol.selection.metric, protocol.selection.ties) == ("val", "uar", "earliest")
    assert protocol.split.val.fraction == 0.2


def test_the_hash_of_a_published_protocol_never_changes():
    # A change here means that results made before no longer compare: raise `version` in the YAML as well.
    assert load_protocol(DFEW_5FOLD).hash == "0c1ceb0683a928c8e9f7d0abe24f93a3211b6c4f0a03c3c29a048ef23f883522"


def test_the_hash_depends_on_content_and_not_on_layout(written):
    assert load_protocol(written()).hash == load_protocol(DFEW_5FOLD).hash
    assert load_protocol(written(version=2)).hash != load_protocol(DFEW_5FOLD).hash


@pytest.mark.parametrize(
    ("changes", "key", "fix"),
    [
        ({"folds": "five"}, "folds", "tuple"),
        ({"foldss": [1]}, "foldss", "known keys: name, version"),
        (
            {"selection": {"policy": "best", "metric": "uar", "ties": "earliest"}},
            "selection.policy",
            "'last' or 'test-oracle'",
        ),
        ({"ranking": "accuracy"}, "ranking", "uar"),
        ({"classes": ["happy", "happy"]}, "classes", "named twice: happy"),
        ({"groupings": ["emotion4"]}, "groupings", "emotion4.yaml"),
        ({"name": "other"}, "name", "dfew-5fold"),
    ],
)
def test_an_error_names_file_key_and_what_is_expected(written, changes, key, fix):
    path = written(**changes)
    with pytest.raises(UsageError) as error:
        load_protocol(path)
    assert str(path) in str(error.value)
    assert key in str(error.value)
    assert fix in str(error.value)


def test_a_grouping_must_partition_the_classes(written):
    with pytest.raises(UsageError, match="emotion3' must hold each of"):
        load_protocol(written(classes=["happy", "other"]))


def test_broken_yaml_is_named(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("name: [")
    with pytest.raises(UsageError, match=r"p\.yaml: is not valid YAML"):
        load_protocol(path)


def test_override_changes_one_key_and_the_hash():
    protocol = load_protocol(DFEW_5FOLD)
    changed = override(protocol, {"frames.source": "original"})
    assert changed.frames.source == "original"
    assert changed.hash != protocol.hash


def test_override_refuses_unknown_keys_and_values():
    protocol = load_protocol(DFEW_5FOLD)
    with pytest.raises(UsageError, match=r"no key 'frames\.sauce'"):
        override(protocol, {"frames.sauce": "original"})
    with pytest.raises(UsageError, match=r"frames\.order"):
        override(protocol, {"frames.order": "backwards"})


def test_a_class_is_the_same_class_however_it_is_spelled(written):
    spelled = written(classes=["Happiness", "sadness", "neutral", "anger", "Surprise", "disgust", "fear"])
    assert load_protocol(spelled).hash == load_protocol(DFEW_5FOLD).hash


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": {"train": "train", "test": "test"}}, "'val' needs split.val"),
        (
            {"selection": {"policy": "test-oracle", "metric": "uar", "ties": "earliest"}},
            "nothing may be held out as split.val",
        ),
        (
            {
                "split": {
                    "train": "train",
                    "val": {"from": "train", "fraction": 0.2, "rule": "sha256-folds"},
                    "test": "t",
                }
            },
            "its rule is sha256-stratified",
        ),
        (
            {
                "split": {
                    "train": "all",
                    "val": {"from": "all", "fraction": 0.2, "rule": "sha256-stratified"},
                    "test": {"from": "all", "fraction": 0.3, "rule": "sha256-folds"},
                }
            },
            r"5 folds of 0\.3 are more than all clips",
        ),
        (
            {"split": {"train": "train", "val": {"from": "train", "share": 0.2}, "test": "test"}},
            "known keys: from, fra",
        ),
        ({"windows": {"length": 10, "overlap": 10}}, "overlap 10 must be smaller than length 10"),
        ({"test_on": {"dataset": "mafw", "source": "faces", "part": "test"}}, "train_on and test_on belong together"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(written, changes, message):
    with pytest.raises(UsageError, match=message):
        load_protocol(written(**changes))


CROSS = {
    "name": "across",
    "version": 1,
    "title": "t",
    "citation": "c",
    "train_on": "dfew-5fold",
    "test_on": {"dataset": "mafw", "source": "faces", "part": "test", "labels": "basic7"},
}


@pytest.fixture
def across(tmp_path):
    def write(**changes):
        path = tmp_path / "across.yaml"
        path.write_text(yaml.safe_dump({**CROSS, **changes}))
        return path

    return write


def test_a_cross_dataset_protocol_takes_over_how_models_are_trained(across):
    source, protocol = load_protocol(DFEW_5FOLD), load_protocol(across())
    assert protocol.train_on == source
    assert (protocol.classes, protocol.folds, protocol.selection) == (source.classes, source.folds, source.selection)
    assert protocol.test_on.labels.drop[0] == "contempt"
    assert (protocol.frame_source("val"), protocol.frame_source("test")) == ("clip_224x224", "faces")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["happy", "sad"]}, r"classes: comes from train_on \(dfew-5fold\)"),
        ({"train_on": "dfew-6fold"}, "no 'dfew-6fold.yaml'"),
        ({"test_on": {"dataset": "dfew", "source": "original", "part": "test"}}, "must be another dataset than dfew"),
        ({"train_on": "legacy-dfew-5fold"}, "that selects on val"),
    ],
)
def test_a_cross_dataset_protocol_cannot_change_how_models_are_trained(across, changes, message):
    with pytest.raises(UsageError, match=message):
        load_protocol(across(**changes))


def test_an_override_reaches_the_protocol_that_is_trained_on(across):
    changed = override(load_protocol(across()), {"frames.order": "shuffled", "test_on.part": "train"})
    assert changed.frames.order == changed.train_on.frames.order == "shuffled"
    assert changed.test_on.part == "train"


def test_a_protocol_survives_being_written_down(across):
    for path in (DFEW_5FOLD, across()):
        protocol = load_protocol(path)
        assert Protocol.model_validate(protocol.canonical()) == protocol
        assert Protocol.model_validate_json(protocol.model_dump_json(by_alias=True)).hash == protocol.hash


def test_groups_take_the_classes_that_the_protocol_has():
    groups = {p.stem: load_protocol(p).groupings for p in DFEW_5FOLD.parent.glob("*.yaml")}
    assert groups["mafw-5fold"][0].groups["negative"][-1] == "disappointment"
    assert groups["dfew-5fold"][0].groups["negative"] == ["sad", "angry", "disgust", "fear"]
    assert groups["affwild2-expr"] == ()  # "other" is in no group


def test_every_protocol_of_the_field_is_there_and_as_it_was_published():
    # A change here means that results made before no longer compare: raise `version` in the YAML as well.
    published = json.loads((Path(__file__).parent / "data" / "protocol_hashes.json").read_text())
    assert {path.stem: load_protocol(path).hash for path in DFEW_5FOLD.parent.glob("*.yaml")} == published
