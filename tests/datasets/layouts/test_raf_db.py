import pytest

from benchmark.datasets.counts import part_counts, unexpected
from benchmark.datasets.layouts.raf_db import CLASSES, LAYOUT, LIST, find, read
from benchmark.errors import EnvironmentProblem, IntegrityError


def write(root, lines):
    path = root / LIST
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


SMALL = [f"train_{n:05d}.jpg {n}" for n in range(1, 8)] + ["test_0001.jpg 4"]


def test_labels_are_one_based_in_the_official_order(tmp_path):
    write(tmp_path, SMALL)
    labels = {clip.id: clip.label for clip in read(tmp_path, votes=False)}
    assert [labels[f"train_{n:05d}"] for n in range(1, 8)] == [
        "surprise",
        "fear",
        "disgust",
        "happy",
        "sad",
        "angry",
        "neutral",
    ]


def test_the_name_says_the_part_and_the_files(tmp_path):
    write(tmp_path, SMALL)
    test, train = read(tmp_path, votes=False)[:2]
    assert (test.id, test.parts, test.label) == ("test_0001", {1: "test"}, "happy")
    assert (train.id, train.parts) == ("train_00001", {1: "train"})
    assert train.frames == {
        "aligned": "basic/Image/aligned/train_00001_aligned.jpg",
        "original": "basic/Image/original/train_00001.jpg",
    }


def test_zero_based_labels_are_refused_with_an_explanation(tmp_path):
    path = write(tmp_path, [f"train_{n:05d}.jpg {n - 1}" for n in range(1, 8)])
    with pytest.raises(IntegrityError, match="holds label 0, .* renumbered from 0") as error:
        read(tmp_path, votes=False)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train_00009.jpg 8", "line 9: train_00009 has label 8, outside 1..7"),
        ("train_00009.jpg -1", "line 9: train_00009 has label -1, outside 1..7"),
        ("train_00009.jpg", "line 9: expected a line like"),
        ("train_00009.jpg Happy", "line 9: expected a line like"),
        ("val_00009.jpg 3", "line 9: expected a line like"),
        ("train_00009_aligned.jpg 3", "line 9: expected a line like"),
        ("train_00001.jpg 1", "line 9: clip train_00001 is listed twice"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    write(tmp_path, [*SMALL, line])
    with pytest.raises(IntegrityError, match=message):
        read(tmp_path, votes=False)


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(EnvironmentProblem, match="list_patition_label.txt"):
        read(tmp_path, votes=False)


@pytest.mark.parametrize("name", ["RAF-DB", "rafdb", "RAF_DB"])
def test_the_root_is_found_above_or_at_the_dataset(tmp_path, name):
    assert find(tmp_path) is None
    write(tmp_path / name, SMALL)
    assert find(tmp_path) == tmp_path / name
    assert find(tmp_path / name) == tmp_path / name


def test_the_official_size_is_expected_and_a_lost_line_is_noticed(tmp_path):
    lines = [f"train_{n:05d}.jpg {n % 7 + 1}" for n in range(1, 12272)]
    lines += [f"test_{n:04d}.jpg {n % 7 + 1}" for n in range(1, 3069)]
    write(tmp_path, lines)
    assert unexpected(LAYOUT, part_counts(read(tmp_path, votes=False), CLASSES)) == []
    write(tmp_path, lines[1:])
    assert "train: clips is 12270" in unexpected(LAYOUT, part_counts(read(tmp_path, votes=False), CLASSES))[0]
