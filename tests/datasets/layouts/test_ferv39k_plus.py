import pytest

from benchmark.datasets.layouts.ferv39k import CLASSES
from benchmark.datasets.layouts.ferv39k_plus import LAYOUT, find, read
from benchmark.errors import EnvironmentProblem, IntegrityError

HEADER = "clip_id,happy,sad,neutral,angry,surprise,disgust,fear"


@pytest.fixture
def root(tmp_path):
    """Four FERV39k clips, of which the overlay knows three; one of those has no single most voted emotion."""
    root = tmp_path / "FERV39K"
    lists = root / "4_setups/All_scenes"
    lists.mkdir(parents=True)
    (lists / "train_All.csv").write_text("Action/Happy/0015 Happy\nAction/Sad/0001 Sad\n")
    (lists / "test_All.csv").write_text("Crime/Fear/0002 Fear\nCrime/Angry/0003 Angry\n")
    write_overlay(
        root, "Crime/Fear/0002,0,0,0,0,7,0,3", "Action/Happy/0015,6,0,4,0,0,0,0", "Action/Sad/0001,0,5,5,0,0,0,0"
    )
    return root


def write_overlay(root, *rows):
    (root / "soft_labels.csv").write_text("\n".join([HEADER, *rows]) + "\n")


def test_the_label_is_the_most_voted_emotion_and_not_the_folder(root):
    labels = {clip.id: clip.label for clip in read(root, votes=False)}
    assert labels == {"Action/Happy/0015": "happy", "Crime/Fear/0002": "surprise"}


def test_split_scene_and_frames_stay_those_of_ferv39k(root):
    clip = read(root, votes=False)[1]
    assert (clip.parts, clip.attributes) == ({1: "test"}, {"scene": "Crime"})
    assert clip.frames["faces"] == "2_ClipsforFaceCrop/Crime/Fear/0002"


def test_a_clip_without_a_single_most_voted_emotion_is_left_out(root):
    assert "Action/Sad/0001" not in {clip.id for clip in read(root, votes=True)}


def test_a_clip_that_the_overlay_lacks_is_left_out(root):
    assert "Crime/Angry/0003" not in {clip.id for clip in read(root, votes=True)}


def test_votes_are_given_only_when_asked_for(root):
    assert [clip.votes for clip in read(root, votes=False)] == [None, None]
    assert read(root, votes=True)[0].votes == {**dict.fromkeys(CLASSES, 0.0), "happy": 6.0, "neutral": 4.0}


def test_an_overlay_for_other_clips_is_refused(root):
    write_overlay(root, "Action/Happy/0015,6,0,4,0,0,0,0", "0015,6,0,4,0,0,0,0")
    with pytest.raises(IntegrityError, match=r"soft_labels.csv: clip 0015 .* not in FERV39k's lists"):
        read(root, votes=False)


def test_a_parquet_overlay_reads_as_the_same(root):
    from pyarrow import csv, parquet

    expected = read(root, votes=True)
    parquet.write_table(csv.read_csv(root / "soft_labels.csv"), root / "soft_labels.parquet")
    (root / "soft_labels.csv").unlink()
    assert find(root.parent) == root
    assert read(root, votes=True) == expected


def test_two_overlays_are_refused(root):
    (root / "soft_labels.parquet").write_bytes(b"")
    with pytest.raises(IntegrityError, match="holds both"):
        read(root, votes=False)


def test_ferv39k_alone_is_not_found_and_the_way_to_get_there_is_said(root):
    assert find(root) == find(root.parent) == root
    (root / "soft_labels.csv").unlink()
    assert find(root) is None
    assert find(root.parent) is None
    assert "soft_labels.csv" in LAYOUT.obtain
    assert "not public" in LAYOUT.obtain
    with pytest.raises(EnvironmentProblem, match="soft_labels.csv"):
        read(root, votes=False)


def test_an_overlay_without_ferv39k_is_not_found(tmp_path):
    write_overlay(tmp_path)
    assert find(tmp_path) is None


def test_no_counts_are_made_up():
    assert LAYOUT.expected == {}
    assert "33,467" in LAYOUT.title
