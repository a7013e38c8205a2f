from pathlib import Path

import pytest

from benchmark.datasets.layouts.blemore import LAYOUT, find, read
from benchmark.datasets.scored import true_answers
from benchmark.errors import IntegrityError
from benchmark.protocol import load_protocol
from benchmark.shipped import shipped

HEADER = (
    "filename,video_id,gender,mix,emotion_1,version,intensity_level,situation,"
    "emotion_2,emotion_1_salience,emotion_2_salience,fold"
)
ROWS = (
    "A102_ang_int1_ver1,A102,f,0,ang,1,1.0,,,,,1",
    "A102_neu_sit2_ver1,A102,f,0,neu,1,,2.0,,,,1",
    "A411_mix_ang_hap_30_70_ver1,A411,m,1,ang,1,,,hap,30.0,70.0,4",
    "A411_mix_disg_hap_50_50_ver2,A411,m,1,disg,2,,,hap,50.0,50.0,4",
    "A26_mix_fea_sad_70_30_ver1,A26,m,1,fea,1,,,sad,70.0,30.0,0",
)


@pytest.fixture
def root(tmp_path) -> Path:
    """The list in its official form, and videos in the folders of two archives."""
    root = tmp_path / "BLEMORE"
    for number, row in enumerate(ROWS):
        folder = root / f"train/part_0{number % 2 + 1}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row.split(',')[0]}.mov").touch()
    write(root, ROWS)
    return root


def write(root: Path, rows) -> None:
    (root / "train_metadata.csv").write_text("\n".join([HEADER, *rows, ""]))


def test_a_clip_has_shares_and_is_labelled_by_the_larger_one(root):
    clips = {clip.id: clip for clip in read(root, votes=True)}
    assert list(clips) == sorted(clips)
    assert {name: clip.votes for name, clip in clips.items()} == {
        "A102_ang_int1_ver1": {"angry": 1.0},
        "A102_neu_sit2_ver1": {"neutral": 1.0},
        "A26_mix_fea_sad_70_30_ver1": {"fear": 0.7, "sad": 0.3},
        "A411_mix_ang_hap_30_70_ver1": {"angry": 0.3, "happy": 0.7},
        "A411_mix_disg_hap_50_50_ver2": {"disgust": 0.5, "happy": 0.5},
    }
    labels = [clip.label for clip in clips.values()]
    assert labels == ["angry", "neutral", "fear", "happy", "disgust"]  # of equals the one that is named first


def test_without_votes_only_labels_are_read(root):
    assert {clip.votes for clip in read(root, votes=False)} == {None}


def test_each_official_fold_is_held_out_once_and_an_actor_is_a_subject(root):
    clips = {clip.id: clip for clip in read(root, votes=False)}
    assert clips["A26_mix_fea_sad_70_30_ver1"].parts == {1: "val", 2: "train", 3: "train", 4: "train", 5: "train"}
    assert clips["A411_mix_disg_hap_50_50_ver2"].parts[5] == "val"
    assert {clip.attributes["subject"] for clip in clips.values()} == {"A102", "A411", "A26"}


def test_videos_are_found_in_whatever_folders_they_were_unpacked_to(root):
    frames = {clip.id: clip.frames["videos"] for clip in read(root, votes=False)}
    assert frames["A102_ang_int1_ver1"] == "train/part_01/A102_ang_int1_ver1.mov"
    assert frames["A102_neu_sit2_ver1"] == "train/part_02/A102_neu_sit2_ver1.mov"
    assert find(root) == find(root.parent) == root


def test_the_protocol_s_true_answers_are_blends(root):
    protocol = load_protocol(shipped("protocols") / "blemore-5fold.yaml")
    assert true_answers(read(root, votes=True), protocol) == {
        "A102_ang_int1_ver1": "angry",
        "A102_neu_sit2_ver1": "neutral",
        "A26_mix_fea_sad_70_30_ver1": "fear>sad",
        "A411_mix_ang_hap_30_70_ver1": "happy>angry",
        "A411_mix_disg_hap_50_50_ver2": "disgust+happy",
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("A1_mix_neu_hap_30_70_ver1,A1,m,1,neu,1,,,hap,30,70,0", "neutral and happy are no blend"),
        ("A1_mix_hap_hap_30_70_ver1,A1,m,1,hap,1,,,hap,30,70,0", "happy and happy are no blend"),
        ("A1_mix_ang_hap_40_60_ver1,A1,m,1,ang,1,,,hap,40,60,0", "emotion_1_salience: '40' is none of 30, 50, 70"),
        ("A1_ang_int1_ver1,A2,m,0,ang,1,1,,,,,0", "is no clip of the actor 'A2'"),
        ("A1_ang_int1_ver1,A1,m,0,hap,1,1,,,,,0", "the list says 'hap', which the name A1_ang_int1_ver1 contradicts"),
        ("A1_ang_int1_ver1,A1,m,2,ang,1,1,,,,,0", "mix is '2', expected 0 or 1"),
        ("A102_ang_int1_ver1,A102,f,0,ang,1,1.0,,,,,1", "clip A102_ang_int1_ver1 is there twice"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(root, row, message):
    write(root, [*ROWS, row])
    with pytest.raises(IntegrityError, match="train_metadata.csv: line 7: .*"):
        read(root, votes=True)
    with pytest.raises(IntegrityError, match=message):
        read(root, votes=True)


def test_the_known_sizes_are_those_that_are_published():
    folds = LAYOUT.expected.values()
    assert {sum(part["clips"] for part in fold.values()) for fold in folds} == {2456}
    assert sum(fold["val"]["clips"] for fold in folds) == 2456
