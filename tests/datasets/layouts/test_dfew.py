import itertools
import random
import shutil

import openpyxl
import pytest

from benchmark.datasets.counts import part_counts, unexpected
from benchmark.datasets.layouts.dfew import CLASSES, LAYOUT, find, read
from benchmark.errors import EnvironmentProblem, IntegrityError

TEST_SIZES = (2341, 2341, 2340, 2339, 2336)


def write_lists(root, samples_of, folder="{part}(single-labeled)"):
    for fold in range(1, 6):
        for part in ("train", "test"):
            path = root / "EmoLabel_DataSplit" / folder.format(part=part) / f"set_{fold}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [f"{name},{label}" for name, label in samples_of(fold, part)]
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


@pytest.mark.parametrize("folder", ["{part}(single_labeled)", "{part}"])
def test_a_folder_spelled_as_in_the_archive_or_in_old_copies_is_read(tmp_path, folder):
    write_lists(tmp_path, small, folder)
    assert len(read(tmp_path, votes=False)) == 14


def test_padded_and_plain_ids_are_the_same_clip(tmp_path):
    write_lists(tmp_path, lambda f, p: [(f"{n:05d}" if f == 1 else n, label) for n, label in small(f, p)])
    assert len(read(tmp_path, votes=False)) == 14


@pytest.mark.parametrize("folder", ["{part}(single-labeled)", "{part}(single_labeled)", "{part}"])
def test_zero_based_lists_are_refused_with_an_explanation(tmp_path, folder):
    write_lists(tmp_path, lambda f, p: [(n, label - 1) for n, label in small(f, p)], folder)
    with pytest.raises(IntegrityError, match=r"renumbered to 0\.\.6"):
        read(tmp_path, votes=False)


@pytest.mark.parametrize("folder", ["{part}(single-labeled)", "{part}"])
def test_lists_that_other_repositories_rename_are_refused_with_an_explanation(tmp_path, folder):
    write_lists(tmp_path, small, folder)
    for path in sorted((tmp_path / "EmoLabel_DataSplit").rglob("set_*.csv")):
        path.rename(path.with_name(f"{path.parent.name.partition('(')[0]}_{path.name}"))
    with pytest.raises(IntegrityError, match=r"train_set_1\.csv come from other repositories .* official set_1\.csv"):
        read(tmp_path, votes=False)


def test_renamed_lists_beside_the_official_ones_do_no_harm(root):
    (root / "EmoLabel_DataSplit/train(single-labeled)/train_set_1.csv").write_text("video_name,label\n1,0\n")
    assert len(read(root, votes=False)) == 14


def test_a_long_list_whose_numbering_cannot_be_known_is_refused(tmp_path):
    write_lists(tmp_path, lambda f, p: [(n, n % 6 + 1) for n in range(1, 501) if (n % 5 + 1 == f) == (p == "test")])
    with pytest.raises(IntegrityError, match=r"set_1\.csv: 400 labels from 1 to 6 are neither 0\.\.6 nor 1\.\.7"):
        read(tmp_path, votes=False)


def test_a_short_list_may_lack_a_class(tmp_path):
    write_lists(tmp_path, lambda f, p: [(n, 1) for n in range(1, 11) if (n % 5 + 1 == f) == (p == "test")])
    assert len(read(tmp_path, votes=False)) == 10


def test_another_header_is_refused(root):
    path = root / "EmoLabel_DataSplit/test(single-labeled)/set_2.csv"
    path.write_text("1,1\n")
    with pytest.raises(IntegrityError, match="set_2.csv: line 1: expected the header 'video_name,label'"):
        read(root, votes=False)


def test_a_list_that_is_no_text_is_refused(root):
    path = root / "EmoLabel_DataSplit/test(single-labeled)/set_2.csv"
    path.write_bytes(b"video_name,label\n1,\xff\n")
    with pytest.raises(IntegrityError, match="set_2.csv: line 2: not UTF-8"):
        read(root, votes=False)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("1", "8"), "clip 00001 has label 8"),
        (("x1", "2"), "line 14: expected 'video_name,label'"),
        (("1", "2", "3"), "line 14: 3 cells, the header has 2"),
        (("-1", "2"), "line 14: expected 'video_name,label'"),
        (("1", "-2"), "clip 00001 has label -2"),
        (("2", "2"), "listed twice, it is already in train"),
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


def single_votes():
    return [[10 if k == (n - 1) % 7 else 0 for k in range(7)] + [n, (n - 1) % 7 + 1] for n in range(1, 15)]


def test_votes_of_a_clip_that_no_list_holds_are_passed_over(root):
    write_votes(root, [*single_votes(), [None] * 7 + [15, 0]])
    assert len(read(root, votes=True)) == 14


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (7, "clip", "row 4: 'clip' in the column 'order' is not a clip's number"),
        (7, 2, "row 4: clip 00002 is there twice"),
        (7, None, "no votes for clip 00003"),
        (2, "ten", "row 4: clip 00003: 'ten' for neutral is not a number"),
        (2, -10, "row 4: clip 00003: -10 for neutral"),
    ],
)
def test_a_wrong_row_of_votes_is_named(root, column, value, message):
    rows = single_votes()
    rows[2][column] = value
    write_votes(root, rows)
    with pytest.raises(IntegrityError, match=f"annotation.xlsx: {message}"):
        read(root, votes=True)


def test_votes_without_a_column_are_refused(root):
    write_votes(root, single_votes())
    path = root / "Annotation/annotation.xlsx"
    book = openpyxl.load_workbook(path)
    book.active["H1"] = "clip"
    book.save(path)
    with pytest.raises(IntegrityError, match="annotation.xlsx: row 1: expected one column each for order"):
        read(root, votes=True)


@pytest.mark.parametrize("content", [b"", b"1happy,2sad\n", b"PK\x03\x04"])
def test_votes_that_are_no_workbook_are_refused(root, content):
    (root / "Annotation").mkdir()
    (root / "Annotation/annotation.xlsx").write_bytes(content)
    with pytest.raises(IntegrityError, match="annotation.xlsx: not a readable Excel workbook"):
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


@pytest.mark.parametrize("name", ["clip_224x224_16f", "clip_224x16f"])
def test_both_names_of_the_interpolated_crops_are_read(root, name):
    (root / "Clip" / name).mkdir(parents=True)
    assert read(root, votes=False)[0].frames["clip_224x224_16f"] == f"Clip/{name}/00001"


def official():
    """Made-up lists of the official sizes: label and test fold of each of 11,697 clips."""
    first = {1: 489, 2: 379, 3: 534, 4: 435, 5: 294, 6: 29, 7: 181}
    others = {1: 1956, 2: 1515, 3: 2135, 4: 1738, 5: 1175, 6: 116, 7: 721}
    labels = [label for label, count in first.items() for _ in range(count)]
    rest = [label for label, count in others.items() for _ in range(count)]
    random.Random(0).shuffle(rest)
    folds = itertools.chain.from_iterable([fold] * size for fold, size in enumerate(TEST_SIZES, start=1))
    return {clip: (label, fold) for clip, (label, fold) in enumerate(zip(labels + rest, folds, strict=True), start=1)}


def test_lists_of_the_official_size_are_as_expected_and_a_moved_clip_is_noticed(tmp_path):
    clips = official()

    def rows(fold, part):
        return [(n, label) for n, (label, tested) in clips.items() if (tested == fold) == (part == "test")]

    write_lists(tmp_path, rows)
    read_clips = read(tmp_path, votes=False)
    assert len(read_clips) == 11697
    assert unexpected(LAYOUT, part_counts(read_clips, CLASSES)) == []
    clips[1] = (1, 2)
    write_lists(tmp_path, rows)
    found = unexpected(LAYOUT, part_counts(read(tmp_path, votes=False), CLASSES))
    assert "fold 1, test: clips is 2340, the official list has 2341" in found


def test_expected_sizes_are_the_official_ones():
    assert tuple(LAYOUT.expected[fold]["test"]["clips"] for fold in range(1, 6)) == TEST_SIZES
    assert all(sum(LAYOUT.expected[fold][part]["clips"] for part in ("train", "test")) == 11697 for fold in range(1, 6))
    assert sum(LAYOUT.expected[1]["test"]["per_class"].values()) == 2341


def test_reading_does_not_need_the_clips(synthetic_root, tmp_path):
    shutil.copytree(synthetic_root / "EmoLabel_DataSplit", tmp_path / "EmoLabel_DataSplit")
    assert len(read(tmp_path, votes=False)) == 60
