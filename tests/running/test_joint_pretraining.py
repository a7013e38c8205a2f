"""Pre-training on several datasets of images together, as NLA's does."""

from __future__ import annotations

import json

import pytest

from benchmark.datasets.synthetic.affectnet import synthesize as affectnet
from benchmark.datasets.synthetic.ferplus import synthesize as ferplus
from benchmark.datasets.synthetic.raf_db import synthesize as raf_db
from benchmark.errors import UsageError
from benchmark.planning.pretraining_sources import images
from benchmark.registry import registry
from tests.conftest import benchmark

THREE = ("ferplus", "raf-db", "affectnet")


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    root = tmp_path_factory.mktemp("faces")
    for name, synthesize in zip(THREE, (ferplus, raf_db, affectnet), strict=True):
        synthesize(root / name, 48, 0, lambda done, total: None)
    return root


def test_classes_are_those_that_all_datasets_have(faces):
    source = images(THREE, faces)
    first = registry().datasets["ferplus"].classes
    assert source.name == "ferplus+raf-db+affectnet"
    assert source.classes == tuple(name for name in first if name != "contempt")
    labels = {row["clip_id"].partition("/")[0]: set() for row in source.samples}
    assert set(labels) == set(THREE)
    for row in source.samples:
        assert row["target"][row["label"]] == 1.0
        assert (source.root / row["path"]).is_file()
    assert len({row["clip_id"] for row in source.samples}) == len(source.samples)
    assert source.left_out > 0
    assert source.synthetic


def test_a_label_is_the_same_emotion_in_every_dataset(faces):
    joint = {row["clip_id"]: row["label"] for row in images(THREE, faces).samples}
    classes = images(THREE, faces).classes
    for name in THREE:
        alone = images([name], faces)
        for row in alone.samples:
            emotion = alone.classes[row["label"]]
            if emotion in classes:
                assert classes[joint[f"{name}/{row['clip_id']}"]] == emotion


def test_one_dataset_keeps_its_own_classes_and_ids(faces):
    source = images(["ferplus"], faces)
    assert source.classes == tuple(registry().datasets["ferplus"].classes)
    assert source.left_out == 0
    assert source.name == "ferplus"


def test_a_dataset_given_twice_is_refused(faces):
    with pytest.raises(UsageError, match="raf-db: is given twice"):
        images(["raf-db", "raf-db"], faces)


def test_the_command_learns_from_all_of_them(faces, tmp_path):
    datasets = [option for name in THREE for option in ("--dataset", name)]
    done = benchmark(
        *("pretrain", "--method", "v-naw", "--stage", "swin", "--preset", "small", "--device", "cpu"),
        *(*datasets, "--data-root", faces, "--set", "epochs=1", "-o", tmp_path, "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert "are left out" in done.stderr
    assert json.loads(done.stdout)["unit"]["source"] == "ferplus+raf-db+affectnet"
