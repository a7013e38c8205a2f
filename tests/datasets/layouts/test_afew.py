import pytest

from benchmark.datasets.counts import part_counts, unexpected
from benchmark.datasets.layouts.afew import CLASSES, LAYOUT, find, read
from benchmark.errors import EnvironmentProblem, IntegrityError

FOLDERS = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")


def write(root, train, val):
    for part, counts in (("Train_AFEW", train), ("Val_AFEW", val)):
        number = 0
        for emotion, count in zip(FOLDERS, counts, strict=True):
            (root / part / emotion).mkdir(parents=True)
            for _ in range(count):
                number += 1
                (root / part / emotion / f"{number:09d}.avi").touch()
    return root


@pytest.fixture
def root(tmp_path):
    """Two training videos and one validation video of each emotion, and a folder of aligned faces."""
    root = write(tmp_path / "AFEW", [2] * 7, [1] * 7)
    (root / "Train_AFEW/AlignedFaces_LBPTOP_Points/Faces/000000001").mkdir(parents=True)
    return root


def test_the_folder_of_the_video_is_the_label(root):
    clips = {clip.id: clip for clip in read(root, votes=False)}
    assert len(clips) == 21
    assert [clips[f"val/{n:09d}"].label for n in range(1, 8)] == list(CLASSES)
    assert clips["val/000000001"].parts == {1: "val"}
    assert clips["train/000000014"].label == "surprise"
    assert clips["train/000000014"].parts == {1: "train"}


def test_the_same_name_in_both_parts_is_two_clips(root):
    labels = {clip.id: clip.label for clip in read(root, votes=False)}
    assert (labels["train/000000002"], labels["val/000000002"]) == ("angry", "disgust")


def test_faces_and_videos_lie_where_afew_puts_them(root):
    clips = {clip.id: clip for clip in read(root, votes=False)}
    assert clips["train/000000001"].frames == {
        "faces": "Train_AFEW/AlignedFaces_LBPTOP_Points/Faces/000000001",
        "videos": "Train_AFEW/Angry/000000001.avi",
    }
    assert clips["val/000000001"].frames == {
        "faces": "Val_AFEW/AlignedFaces_LBPTOP_Points_Val/Faces/000000001",
        "videos": "Val_AFEW/Angry/000000001.avi",
    }


def test_one_name_under_two_emotions_is_refused(root):
    (root / "Train_AFEW/Sad/000000001.avi").touch()
    with pytest.raises(IntegrityError, match=r"Sad/000000001.avi: clip train/000000001 is listed twice"):
        read(root, votes=False)


def test_an_unknown_emotion_folder_is_refused(root):
    (root / "Val_AFEW/Hapy").mkdir()
    with pytest.raises(IntegrityError, match=r"Val_AFEW/Hapy: 'Hapy' is not an emotion .* did you mean 'happy'"):
        read(root, votes=False)


def test_a_part_without_one_emotion_is_refused(root):
    (root / "Val_AFEW/Fear/000000003.avi").unlink()
    with pytest.raises(IntegrityError, match=r"Val_AFEW: no .avi file of fear"):
        read(root, votes=False)


def test_aligned_faces_alone_have_no_labels(root):
    for folder in FOLDERS:
        for video in (root / "Train_AFEW" / folder).iterdir():
            video.unlink()
        (root / "Train_AFEW" / folder).rmdir()
    with pytest.raises(EnvironmentProblem, match=r"Train_AFEW; the labels are the names of the folders"):
        read(root, votes=False)


def test_a_missing_validation_set_is_named(tmp_path):
    root = write(tmp_path, [1] * 7, [1] * 7)
    (root / "Val_AFEW").rename(root / "elsewhere")
    with pytest.raises(EnvironmentProblem, match="Val_AFEW"):
        read(root, votes=False)


def test_other_files_beside_the_videos_are_not_clips(root):
    for name in ("._000000001.avi", "000000001.txt", "Thumbs.db"):
        (root / "Train_AFEW/Angry" / name).touch()
    (root / "Train_AFEW/.DS_Store").touch()
    assert len(read(root, votes=False)) == 21


def test_the_known_counts_are_held_against_the_folders(tmp_path):
    root = write(tmp_path, (133, 74, 81, 150, 144, 117, 74), (64, 40, 46, 63, 63, 61, 46))
    clips = read(root, votes=False)
    assert unexpected(LAYOUT, part_counts(clips, LAYOUT.classes)) == []
    assert "clips is 772" in unexpected(LAYOUT, part_counts(clips[1:], LAYOUT.classes))[0]


def test_the_root_is_found_at_or_in_the_data_root(root):
    assert find(root) == find(root.parent) == root
    assert find(root / "missing") is None
