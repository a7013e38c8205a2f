import random

import openpyxl
import pytest

from benchmark.datasets.layouts import mafw, mafw_compound
from benchmark.datasets.layouts.mafw import CLASSES, LAYOUT, find, read
from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.specs import Clip

NAMES = (
    "anger",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
    "contempt",
    "anxiety",
    "helplessness",
    "disappointment",
)
SINGLE = {number: NAMES[number % 11] for number in range(1, 23)}
COMPOUND = {1: "anger_disgust", 2: "disgust_anger", 3: "sadness_helplessness_disappointment", 4: "surprise", 5: "fear"}


def list_path(root, fold, part, kind="single"):
    return root / "Train & Test Set" / kind / "no_caption" / f"set_{fold}" / f"{part}.txt"


def write_lists(root, labels=SINGLE, kind="single"):
    """Fold k tests the clips whose number leaves remainder k - 1."""
    for fold in range(1, 6):
        for part in ("train", "test"):
            path = list_path(root, fold, part, kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            listed = [n for n in labels if (n % 5 + 1 == fold) == (part == "test")]
            path.write_text("".join(f"{n:05d}.mp4 {labels[n]}\n" for n in listed))


def write_votes(root, rows, header=("clip", "invalid", *NAMES)):
    book = openpyxl.Workbook()
    book.active.append(header)
    for row in rows:
        book.active.append(row)
    (root / "Labels").mkdir(exist_ok=True)
    book.save(root / "Labels/annotation.xlsx")


def votes_of(number, *cells):
    return [f"{number:05d}.mp4", 0, *(cells or (9 if name == SINGLE[number] else 0.2 for name in NAMES))]


@pytest.fixture
def root(tmp_path):
    write_lists(tmp_path)
    return tmp_path


def test_names_become_canonical_and_clips_lose_their_suffix(root):
    clips = read(root, votes=False)
    assert [clip.id for clip in clips[:2]] == ["00001", "00002"]
    assert [clip.label for clip in clips[10:21]] == list(CLASSES)
    assert clips[0].parts == {1: "train", 2: "test", 3: "train", 4: "train", 5: "train"}
    assert clips[0].votes is None


def test_each_frame_source_has_its_place(root):
    assert read(root, votes=False)[0].frames == {
        "faces": "data/faces/00001",
        "frames": "data/frames/00001",
        "clips": "data/clips/00001.mp4",
    }


def test_that_face_crops_are_cut_by_the_user_is_said():
    assert LAYOUT.frame_sources[0] == "faces"
    assert "aligned face crops" in LAYOUT.tree
    assert "aligned face crops" in mafw_compound.LAYOUT.tree


def test_a_list_saved_as_gbk_or_with_a_byte_order_mark_is_read(root):
    for part, encoding in (("train", "gb18030"), ("test", "utf-8-sig")):
        path = list_path(root, 1, part)
        path.write_text(path.read_text(), encoding=encoding)
    assert len(read(root, votes=False)) == 22


def test_a_captioned_list_is_refused_with_an_explanation(root):
    list_path(root, 2, "train").write_bytes("00001.mp4\tanger\t一个人很生气\n".encode("gb18030"))
    with pytest.raises(IntegrityError, match=r"set_2/train.txt: line 1: .*'with_caption'.*leave out every neutral"):
        read(root, votes=False)


def test_captioned_lists_beside_are_not_read(root):
    path = root / "Train & Test Set/single/with_caption/set_1/train.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes("00099.mp4\tanger\t一个人很生气\n".encode("gb18030"))
    assert len(read(root, votes=False)) == 22


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("00099.mp4 3", "'3' is not an emotion"),
        ("00099.mp4 angr", "'angr' is not an emotion of this dataset; did you mean 'angry'"),
        ("00099.mp4 anger_disgust", "'anger_disgust' is not an emotion"),
        ("00099 anger", "expected a line like '00025.mp4 anger'"),
        ("00099.mp4", "expected a line like '00025.mp4 anger'"),
        ("00006.mp4 sadness", "clip 00006 is listed twice, it is already in train"),
    ],
)
def test_a_wrong_line_is_named(root, line, message):
    path = list_path(root, 3, "train")
    number = len(path.read_text().splitlines()) + 1
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(IntegrityError, match=message) as error:
        read(root, votes=False)
    assert f"{path}: line {number}: " in str(error.value)


def test_a_clip_that_trains_and_tests_one_fold_is_refused(root):
    path = list_path(root, 3, "test")
    path.write_text(path.read_text() + "00001.mp4 disgust\n")
    with pytest.raises(IntegrityError, match=r"set_3/test.txt: line \d: clip 00001 is listed twice, .* in train"):
        read(root, votes=False)


def test_a_clip_with_two_labels_is_refused(root):
    path = list_path(root, 4, "train")
    path.write_text(path.read_text().replace("00001.mp4 disgust", "00001.mp4 fear"))
    with pytest.raises(IntegrityError, match="clip 00001 is fear here and disgust in another list"):
        read(root, votes=False)


def test_bytes_that_are_no_text_are_refused(root):
    list_path(root, 1, "train").write_bytes(b"00001.mp4 anger\n00002.mp4 \xff\xff\n")
    with pytest.raises(IntegrityError, match="line 2: not UTF-8 or GB18030 text"):
        read(root, votes=False)


def test_a_missing_list_is_named(root):
    list_path(root, 5, "test").unlink()
    with pytest.raises(EnvironmentProblem, match="set_5/test.txt"):
        read(root, votes=False)


def most_voted(clip: Clip) -> str:
    assert clip.votes
    return max(clip.votes, key=clip.votes.__getitem__)


def test_votes_are_joined_on_the_clip_and_not_on_the_row(root):
    rows = [votes_of(number) for number in SINGLE]
    rows[0][2:] = [4.5, 6.5, *[0] * 9]
    rows.append(["10045.mp4", -1, *[0] * 11])  # a clip of no list may be invalid
    random.Random(0).shuffle(rows)
    write_votes(root, rows)
    clips = read(root, votes=True)
    assert clips[0].votes == {**dict.fromkeys(CLASSES, 0.0), "angry": 4.5, "disgust": 6.5}
    assert all(most_voted(clip) == clip.label for clip in clips)


def test_votes_find_their_columns_by_name(root):
    rows = [[*votes_of(number)[:1:-1], number] for number in SINGLE]
    write_votes(root, rows, header=[*(name.capitalize() for name in NAMES[::-1]), "clip"])
    assert all(most_voted(clip) == clip.label for clip in read(root, votes=True))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (votes_of(1, *[0] * 11), "row 23: clip 00001: no emotion has a vote"),
        (votes_of(1, -1, *[1] * 10), "row 23: clip 00001: -1 for angry cannot be"),
        (votes_of(1, "nan", *[1] * 10), "row 23: clip 00001: nan for angry cannot be"),
        (votes_of(1, "few", *[1] * 10), "row 23: clip 00001: 'few' for angry is not a number"),
        (votes_of(2), "row 23: clip 00002 is there twice"),
        (["clip one", 0, *[1] * 11], "row 23: 'clip one' is not a clip"),
    ],
)
def test_a_wrong_vote_row_is_named(root, row, message):
    write_votes(root, [*(votes_of(number) for number in SINGLE if number != 1), row])
    with pytest.raises(IntegrityError, match=message):
        read(root, votes=True)


def test_a_listed_clip_without_votes_is_refused(root):
    write_votes(root, [votes_of(number) for number in SINGLE if number not in (3, 4)])
    with pytest.raises(IntegrityError, match="no votes for clip 00003 and 1 more"):
        read(root, votes=True)


def test_missing_vote_columns_are_named(root):
    write_votes(root, [], header=["clip", "invalid", *NAMES[:-1]])
    with pytest.raises(IntegrityError, match="row 1: .*disappointment"):
        read(root, votes=True)


def test_a_damaged_workbook_is_refused(root):
    (root / "Labels").mkdir()
    (root / "Labels/annotation.xlsx").write_bytes(b"PK not really")
    with pytest.raises(IntegrityError, match="annotation.xlsx: not a readable Excel workbook"):
        read(root, votes=True)


def test_missing_votes_matter_only_for_soft_labels(root):
    assert read(root, votes=False)
    with pytest.raises(EnvironmentProblem, match="--labels hard. does not"):
        read(root, votes=True)


def test_compounds_are_canonical_and_keep_their_order(tmp_path):
    write_lists(tmp_path, COMPOUND, "compound")
    labels = [clip.label for clip in mafw_compound.read(tmp_path, votes=False)]
    assert labels == ["angry_disgust", "disgust_angry", "sad_helplessness_disappointment", "surprise", "fear"]


def test_the_compound_set_has_no_votes_and_takes_its_classes_from_the_lists(tmp_path):
    write_lists(tmp_path, COMPOUND, "compound")
    assert {clip.votes for clip in mafw_compound.read(tmp_path, votes=True)} == {None}
    assert (mafw_compound.LAYOUT.votes, mafw_compound.LAYOUT.classes) == (False, ())


def test_a_compound_of_something_unknown_is_refused(tmp_path):
    write_lists(tmp_path, {**COMPOUND, 6: "anger_disgus"}, "compound")
    with pytest.raises(IntegrityError, match="'disgus' is not an emotion of this dataset; did you mean 'disgust'"):
        mafw_compound.read(tmp_path, votes=False)


def test_the_compound_lists_are_asked_for_by_name(root):
    with pytest.raises(EnvironmentProblem, match=r"mafw-compound: list missing: .*compound/no_caption/set_1/train.txt"):
        mafw_compound.read(root, votes=False)


def test_the_root_is_found_at_or_in_the_data_root(tmp_path):
    write_lists(tmp_path / "MAFW")
    assert find(tmp_path) == find(tmp_path / "MAFW") == tmp_path / "MAFW"
    assert find(tmp_path / "missing") is None


@pytest.mark.parametrize(("layout", "clips"), [(mafw.LAYOUT, 9172), (mafw_compound.LAYOUT, None)])
def test_every_fold_divides_the_same_number_of_clips(layout, clips):
    sizes = {sum(layout.expected[fold][part]["clips"] for part in ("train", "test")) for fold in range(1, 6)}
    assert sizes == {clips or 8996}
    assert sum(layout.expected[fold]["test"]["clips"] for fold in range(1, 6)) == (clips or 8996)
