from pathlib import Path

import pytest
import yaml

import benchmark.protocols
from benchmark.errors import UsageError
from benchmark.protocol import load_protocol

DFEW_5FOLD = Path(next(iter(benchmark.protocols.__path__))) / "dfew-5fold.yaml"


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
        ({"selection": {"policy": "best", "metric": "uar", "ties": "earliest"}}, "selection.policy", "'val' or 'last'"),
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
        load_protocol(written(classes=["happy", "sad"]))


def test_broken_yaml_is_named(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("name: [")
    with pytest.raises(UsageError, match=r"p\.yaml: is not valid YAML"):
        load_protocol(path)


def test_override_changes_one_key_and_the_hash():
    protocol = load_protocol(DFEW_5FOLD)
    changed = protocol.override({"frames.source": "original"})
    assert changed.frames.source == "original"
    assert changed.hash != protocol.hash


def test_override_refuses_unknown_keys_and_values():
    protocol = load_protocol(DFEW_5FOLD)
    with pytest.raises(UsageError, match=r"no key 'frames\.sauce'"):
        protocol.override({"frames.sauce": "original"})
    with pytest.raises(UsageError, match=r"frames\.order"):
        protocol.override({"frames.order": "backwards"})
