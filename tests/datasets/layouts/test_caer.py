import shutil

import pytest

from benchmark.datasets.layouts.caer import CLASSES, LAYOUT, find, read
from benchmark.errors import EnvironmentProblem, IntegrityError

FOLDERS = ("Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")


@pytest.fixture
def root(tmp_path):
    """One video of each emotion in each part, all called 0001.avi as in the real one."""
    root = tmp_path / "CAER"
    for part in ("train", "validation", "test"):
        for folder in FOLDERS:
            (root / part / folder).mkdir(parents=True)
            (root / part / folder / "0001.avi").touch()
    return root


def test_a_clip_is_its_path_and_its_folders_are_label_and_part(root):
    clips = {clip.id: clip for clip in read(root, votes=False)}
    assert len(clips) == 21
    assert list(clips) == sorted(clips)
    assert [clips[f"train/{folder}/0001"].label for folder in FOLDERS] == list(CLASSES)
    assert clips["train/Anger/0001"].frames == {"videos": "train/Anger/0001.avi"}


def test_the_official_validation_part_is_val(root):
    parts = {clip.id.split("/")[0]: clip.parts for clip in read(root, votes=False)}
    assert parts == {"train": {1: "train"}, "validation": {1: "val"}, "test": {1: "test"}}


def test_an_unknown_emotion_folder_is_refused(root):
    (root / "test/Contempt").mkdir()
    with pytest.raises(IntegrityError, match=r"test/Contempt: 'Contempt' is not an emotion"):
        read(root, votes=False)


def test_a_part_without_one_emotion_is_refused(root):
    shutil.rmtree(root / "validation/Sad")
    with pytest.raises(IntegrityError, match=r"validation: no .avi file of sad"):
        read(root, votes=False)


def test_a_missing_part_is_named(root):
    shutil.rmtree(root / "test")
    with pytest.raises(EnvironmentProblem, match=r"no emotion folders in .*test"):
        read(root, votes=False)


def test_the_root_is_found_at_or_in_the_data_root(root):
    assert find(root) == find(root.parent) == root
    assert find(root / "missing") is None


def test_no_counts_of_parts_are_made_up():
    assert LAYOUT.expected == {}
    assert "13,201" in LAYOUT.tree
