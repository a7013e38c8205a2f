import pytest

from benchmark.datasets.counts import part_counts
from benchmark.datasets.layouts.affwild2 import CLASSES, HEADER, LAYOUT, find, read
from benchmark.errors import EnvironmentProblem, IntegrityError

OFFICIAL = "8th_ABAW_Annotations/EXPR_Recognition_Challenge"


def write(root, labels, name="Train_Set/video1.txt", annotations=OFFICIAL, header=HEADER):
    path = root / annotations / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *map(str, labels)]) + "\n")
    return path


@pytest.fixture
def root(tmp_path):
    write(tmp_path, [-1, 4, 4, 0])
    write(tmp_path, range(8), "Validation_Set/video2.txt")
    return tmp_path


def test_the_first_label_line_is_frame_one(root):
    video1, video2 = read(root, votes=False)
    assert video1.frame_labels == {2: "happy", 3: "happy", 4: "neutral"}
    assert video2.frame_labels == dict(enumerate(CLASSES, start=1))


def test_labels_become_canonical_names_in_the_official_order(root):
    assert CLASSES == ("neutral", "angry", "disgust", "fear", "happy", "sad", "surprise", "other")
    assert list(read(root, votes=False)[1].frame_labels.values()) == list(CLASSES)


def test_an_ignored_frame_is_left_out_and_never_other(root):
    write(root, [-1, -1, 7])
    assert read(root, votes=False)[0].frame_labels == {3: "other"}


def test_train_and_validation_are_parts_of_one_fold(root):
    assert [clip.parts for clip in read(root, votes=False)] == [{1: "train"}, {1: "val"}]


def test_counts_are_of_labelled_frames(root):
    assert part_counts(read(root, votes=False), CLASSES)[1]["train"]["per_class"]["happy"] == 2


def test_a_video_is_labelled_by_its_most_frequent_emotion(root):
    assert read(root, votes=False)[0].label == "happy"


def test_of_equally_frequent_emotions_the_first_in_the_official_order_is_the_label(root):
    write(root, [5, 2, 5, 2, 7])
    assert read(root, votes=False)[0].label == "disgust"


def test_a_video_without_a_labelled_frame_is_no_clip(root):
    write(root, [-1, -1], "Train_Set/video3.txt")
    write(root, [], "Train_Set/video4.txt")
    assert [clip.id for clip in read(root, votes=False)] == ["video1", "video2"]


def test_both_people_of_a_recording_have_one_source(root):
    write(root, [1], "Train_Set/video5_left.txt")
    write(root, [1], "Train_Set/video5_right.txt")
    clips = read(root, votes=False)
    assert [clip.id for clip in clips] == ["video1", "video2", "video5_left", "video5_right"]
    assert [clip.attributes["source"] for clip in clips] == ["video1", "video2", "video5", "video5"]


def test_blank_lines_at_the_end_are_no_frames(root):
    path = write(root, [3, 3])
    path.write_text(path.read_text() + "\n  \n")
    assert read(root, votes=False)[0].frame_labels == {1: "fear", 2: "fear"}


def test_a_blank_line_between_frames_is_refused(root):
    path = write(root, [3, "", 3])
    with pytest.raises(IntegrityError, match="video1.txt: line 3: blank") as error:
        read(root, votes=False)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("label", ["8", "-2", "1.0", "happy", "1 2"])
def test_a_label_outside_the_range_is_named_with_its_line(root, label):
    write(root, [0, label])
    with pytest.raises(IntegrityError, match="video1.txt: line 3: expected a label from -1 to 7"):
        read(root, votes=False)


@pytest.mark.parametrize("header", ["0", "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise", HEADER.lower()])
def test_another_header_is_refused(root, header):
    write(root, [1], header=header)
    with pytest.raises(IntegrityError, match="video1.txt: line 1: expected the header 'Neutral,Anger"):
        read(root, votes=False)


def test_an_empty_file_is_refused(root):
    (root / OFFICIAL / "Train_Set/video1.txt").write_text("")
    with pytest.raises(IntegrityError, match="video1.txt: line 1: .* the file is empty"):
        read(root, votes=False)


def test_a_file_that_is_no_text_is_refused(root):
    (root / OFFICIAL / "Train_Set/video1.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(IntegrityError, match="video1.txt: line 1: not UTF-16 text; save the file as UTF-8"):
        read(root, votes=False)


@pytest.mark.parametrize("labels", [[1], [-1]])
def test_a_video_in_both_sets_is_refused(root, labels):
    write(root, labels, "Validation_Set/video1.txt")
    with pytest.raises(IntegrityError, match=r"Validation_Set/video1\.txt: .*Train_Set/video1\.txt is of the same"):
        read(root, votes=False)


def test_hidden_files_are_passed_over(root):
    (root / OFFICIAL / "Train_Set/._video1.txt").write_bytes(b"\x00\x05\xff")
    assert len(read(root, votes=False)) == 2


@pytest.mark.parametrize("folder", ["Train_Set", "Validation_Set"])
def test_a_set_without_files_is_named(root, folder):
    for path in (root / OFFICIAL / folder).iterdir():
        path.unlink()
    with pytest.raises(EnvironmentProblem, match=folder):
        read(root, votes=False)


def test_annotations_directly_at_the_root_are_read(tmp_path):
    for name in ("Train_Set/a.txt", "Validation_Set/b.txt"):
        write(tmp_path, [1], name, annotations="EXPR_Recognition_Challenge")
    assert [clip.id for clip in read(tmp_path, votes=False)] == ["a", "b"]
    assert find(tmp_path) == tmp_path


@pytest.mark.parametrize("name", ["Aff-Wild2", "affwild2", "ABAW8"])
def test_the_root_is_found_above_or_at_the_dataset(tmp_path, name):
    assert find(tmp_path) is None
    write(tmp_path / name, [1])
    assert find(tmp_path) == tmp_path / name
    assert find(tmp_path / name) == tmp_path / name


def test_crops_of_later_videos_are_found_in_their_own_folder(root):
    assert read(root, votes=False)[0].frames == {"cropped_aligned": "cropped_aligned/video1"}
    (root / "cropped_aligned_new_50_vids/video1").mkdir(parents=True)
    assert read(root, votes=False)[0].frames == {"cropped_aligned": "cropped_aligned_new_50_vids/video1"}
    (root / "cropped_aligned/video1").mkdir(parents=True)
    assert read(root, votes=False)[0].frames == {"cropped_aligned": "cropped_aligned/video1"}


def test_the_lists_are_all_annotation_files(root):
    found = sorted(path.name for pattern in LAYOUT.lists for path in root.glob(pattern))
    assert found == ["video1.txt", "video2.txt"]
