import sys

import pytest

from benchmark.datasets.overlay import read_soft_labels
from benchmark.errors import EnvironmentProblem, IntegrityError

CLASSES = ("happy", "sad", "neutral")


def write(tmp_path, *lines):
    path = tmp_path / "soft_labels.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_parquet(tmp_path, **columns):
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "soft_labels.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_columns_come_in_any_order_under_any_spelling(tmp_path):
    path = write(tmp_path, "Sadness,clip_id,neutral,Happiness", "1,a/1,2,3")
    assert read_soft_labels(path, CLASSES) == {"a/1": {"happy": 3.0, "sad": 1.0, "neutral": 2.0}}


def test_votes_and_probabilities_are_returned_as_they_are(tmp_path):
    path = write(tmp_path, "clip_id,happy,sad,neutral", "a,0.25,0.5,0.25", "b,7,0,4")
    soft = read_soft_labels(path, CLASSES)
    assert soft["a"] == {"happy": 0.25, "sad": 0.5, "neutral": 0.25}
    assert soft["b"] == {"happy": 7.0, "sad": 0.0, "neutral": 4.0}


def test_parquet_reads_like_csv(tmp_path):
    path = write_parquet(tmp_path, neutral=[2, 0], clip_id=["a", "b"], Joy=[3, 0], sad=[1, 10])
    assert read_soft_labels(path, CLASSES) == {
        "a": {"happy": 3.0, "sad": 1.0, "neutral": 2.0},
        "b": {"happy": 0.0, "sad": 10.0, "neutral": 0.0},
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b,-1,2,3", "line 3: clip b: -1 for happy cannot be"),
        ("b,nan,2,3", "line 3: clip b: nan for happy cannot be"),
        ("b,inf,2,3", "line 3: clip b: inf for happy cannot be"),
        ("b,many,2,3", "line 3: clip b: 'many' for happy is not a number"),
        ("b,,2,3", "line 3: clip b: '' for happy is not a number"),
        ("b,0,0,0", "line 3: clip b: no emotion has a vote"),
        ("a,1,2,3", "line 3: clip a is there twice"),
        (",1,2,3", "line 3: '' is not a clip id"),
        ("b,1,2", "line 3: 3 cells, the header has 4"),
        ('"b,1,2,3', "line 3: not CSV"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, row, message):
    path = write(tmp_path, "clip_id,happy,sad,neutral", "a,1,2,3", row)
    with pytest.raises(IntegrityError, match=message) as error:
        read_soft_labels(path, CLASSES)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("clip_id,happy,sad", "columns missing: neutral"),
        ("clip_id,happy,sad,neutral,hapy", "'hapy' is not an emotion of this dataset; did you mean 'happy'"),
        ("clip_id,happy,sad,neutral,contempt", "'contempt' is not an emotion"),
        ("clip_id,happy,sad,neutral,joy", "two columns for 'happy'"),
        ("id,happy,sad,neutral", "no column 'clip_id'"),
    ],
)
def test_wrong_columns_are_named(tmp_path, header, message):
    with pytest.raises(IntegrityError, match=message):
        read_soft_labels(write(tmp_path, header, "a,1,2,3,4"[: 2 * header.count(",") + 1]), CLASSES)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"clip_id": ["a", "a"]}, "row 2: clip a is there twice"),
        ({"clip_id": ["a", None]}, "row 2: 'None' is not a clip id"),
        ({"clip_id": [1, 2]}, "row 1: '1' is not a clip id, which is text"),
        ({"clip_id": ["a", "b"], "sad": [1.0, None]}, "row 2: clip b: 'None' for sad is not a number"),
    ],
)
def test_a_wrong_parquet_row_is_named(tmp_path, columns, message):
    path = write_parquet(tmp_path, **{"happy": [1, 1], "sad": [1, 1], "neutral": [1, 1], **columns})
    with pytest.raises(IntegrityError, match=message):
        read_soft_labels(path, CLASSES)


def test_a_damaged_parquet_file_is_refused(tmp_path):
    path = tmp_path / "soft_labels.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(IntegrityError, match="not a readable Parquet file"):
        read_soft_labels(path, CLASSES)


def test_parquet_text_that_is_not_utf_8_is_refused(tmp_path):
    import pyarrow

    clip_id = pyarrow.array([b"caf\xe9"]).view(pyarrow.string())
    path = write_parquet(tmp_path, clip_id=clip_id, happy=[1], sad=[0], neutral=[0])
    with pytest.raises(IntegrityError, match="not a readable Parquet file: 'utf-8' codec"):
        read_soft_labels(path, CLASSES)


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(IntegrityError, match="line 1: the header is missing"):
        read_soft_labels(write(tmp_path, ""), CLASSES)


def test_text_that_is_not_utf_8_is_refused_with_its_line(tmp_path):
    path = tmp_path / "soft_labels.csv"
    path.write_bytes(b"clip_id,happy,sad,neutral\ncaf\xe9,1,2,3\n")
    with pytest.raises(IntegrityError, match="line 2: not UTF-8"):
        read_soft_labels(path, CLASSES)


@pytest.mark.parametrize("name", ["soft_labels.csv", "soft_labels.parquet"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(EnvironmentProblem, match=name):
        read_soft_labels(tmp_path / name, CLASSES)


def test_parquet_without_pyarrow_says_what_to_do(tmp_path, monkeypatch):
    path = write_parquet(tmp_path, clip_id=["a"], happy=[1], sad=[0], neutral=[0])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EnvironmentProblem, match=r"pip install pyarrow.*or convert the file to CSV"):
        read_soft_labels(path, CLASSES)
