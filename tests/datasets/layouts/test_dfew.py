import random
import shutil

import openpyxl
import pytest

from benchmark.datasets.layouts.dfew import CLASSES, LAYOUT, find, read
from benchmark.errors import EnvironmentProblem, IntegrityError

TEST_SIZES = (2341, 2341, 2340, 2339, 2336)


def write_lists(root, rows_of, folder="{part}(single-labeled)"):
    for fold in range(1, 6):
        for part in ("train", "test"):
            path = root / "EmoLabel_DataSplit" / folder.format(part=part) / f"set_{fold}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [f"{name},{label}" for name, label in rows_of(fold, part)]
            path.write_text("\n".join(["video_name,label", *lines]) + "\n")


def small(fold, part):
    """14 clips, two of each class; fold k tests the clips whose id leaves remainder k."""
    return [(n, (n - 1) % 7 + 1) for n in range(1, 15) if (n % 5 + 1 == fold) == (part == "test")]


@pytest.fixture
def root(tmp_path):
    write_lists(tmp_path, small)
    return tmp_path


def test_labels_are_one_based_and_become_names(root):
    clips = read(root, votes=False)
    assert [c.label for c in clips[:7]] == list(CLASSES)
    assert clips[0].id == "00001"
    assert clips[0].parts == {1: "train", 2: "test", 3: "train", 4: "train", 5: "train"}


def test_the_folder_spelled_as_in_the_archive_is_read(tmp_path):
    write_lists(tmp_path, small, folder="{part}(single_labeled)")
    assert len(read(tmp_path, votes=False)) == 14


def test_padded_and_plain_ids_are_the_same_clip(tmp_path):
    write_lists(tmp_path, lambda f, p: [(f"{n:05d}" if f == 1 else n, label) for n, label in small(f, p)])
    assert len(read(tmp_path, votes=False)) == 14


def test_zero_based_lists_are_refused_with_an_explanation(tmp_path):
    write_lists(tmp_path, lambda f, p: [(n, label - 1) for n, label in small(f, p)])
    with pytest.raises(IntegrityError, match=r"renumbered to 0\.\.6"):
        read(tmp_path, votes=False)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("1", "8"), "clip 00001 has label 8"),
        (("x1", "2"), "expected 'video_name,label'"),
        (("2", "2"), "listed twice in fold 1"),
    ],
)
def test_a_wrong_row_is_named(root, row, message):
    path = root / "EmoLabel_DataSplit/train(single-labeled)/set_1.csv"
    path.write_text(path.read_text() + ",".join(row) + "\n" + ("2,2\n" if row == ("2", "2") else ""))
    with pytest.raises(IntegrityError, match=message) as error:
        read(root, votes=False)
    assert str(path) in str(error.value)


def test_a_clip_with_two_labels_is_refused(root):
    path = root / "EmoLabel_DataSplit/train(single-labeled)/set_3.csv"
    path.write_text(path.read_text().replace("\n1,1\n", "\n1,2\n"))
    with pytest.raises(IntegrityError, match="clip 00001 is sad here and happy in another list"):
        read(root, votes=False)


def test_a_missing_list_is_named(root):
    (root / "EmoLabel_DataSplit/test(single-labeled)/set_4.csv").unlink()
    with pytest.raises(EnvironmentProblem, match="set_4.csv"):
        read(root, votes=False)


def write_votes(root, rows):
    book = openpyxl.Workbook()
    book.active.append(["1happy", "2sad", "3neutral", "4angry", "5surprise", "6disgust", "7fear", "order", "label"])
    for row in rows:
        book.active.append(row)
    (root / "Annotation").mkdir()
    book.save(root / "Annotation/annotation.xlsx")


def test_votes_are_joined_on_the_clip_and_not_on_the_row(root):
    rows = [[10 if k == (n - 1) % 7 else 0 for k in range(7)] + [n, (n - 1) % 7 + 1] for n in range(1, 15)]
    rows[0][:7] = [6, 4, 0, 0, 0, 0, 0]
    random.Random(0).shuffle(rows)
    write_votes(root, rows)
    clips = read(root, votes=True)
    assert clips[0].votes == {**dict.fromkeys(CLASSES, 0.0), "happy": 6.0, "sad": 4.0}
    assert all(c.votes[c.label] >= 6 for c in clips)


def test_votes_that_do_not_sum_to_ten_are_refused(root):
    write_votes(root, [[5, 4, 0, 0, 0, 0, 0, 1, 1]])
    with pytest.raises(IntegrityError, match="clip 00001: votes .* do not sum to 10"):
        read(root, votes=True)


def test_missing_votes_matter_only_for_soft_labels(root):
    assert read(root, votes=False)
    with pytest.raises(EnvironmentProblem, match="--labels hard. does not"):
        read(root, votes=True)


def test_the_root_is_found_above_or_at_the_dataset(synthetic_root, tmp_path):
    assert find(synthetic_root) == synthetic_root
    assert find(synthetic_root.parent) == synthetic_root
    assert find(tmp_path) is None
    assert find(tmp_path / "missing") is None


def test_all_three_frame_sources_exist_for_every_clip(synthetic_root):
    for clip in read(synthetic_root, votes=False):
        assert set(clip.frames) == set(LAYOUT.frame_sources)
        assert all((synthetic_root / path).exists() for path in clip.frames.values())


def test_expected_sizes_are_the_official_ones():
    assert tuple(LAYOUT.expected[fold]["test"]["clips"] for fold in range(1, 6)) == TEST_SIZES
    assert all(sum(LAYOUT.expected[fold][part]["clips"] for part in ("train", "test")) == 11697 for fold in range(1, 6))
    assert sum(LAYOUT.expected[1]["test"]["per_class"].values()) == 2341


def test_reading_does_not_need_the_clips(synthetic_root, tmp_path):
    shutil.copytree(synthetic_root / "EmoLabel_DataSplit", tmp_path / "EmoLabel_DataSplit")
    assert len(read(tmp_path, votes=False)) == 60
