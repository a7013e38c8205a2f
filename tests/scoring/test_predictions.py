"""The predictions file: what it holds, and what is refused."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from benchmark.errors import IntegrityError
from benchmark.scoring.predictions import Predictions, read_predictions, write_predictions

CLASSES = ("happy", "sad", "neutral")
GOOD = "clip_id,p_happy,p_sad,p_neutral\n0001,0.5,0.25,0.25\n0002,0.125,0.875,0.0\n"


def some_predictions(clips=2000):
    probabilities = np.random.default_rng(0).dirichlet([0.05, 0.3, 1.0], clips).astype(np.float32)
    return Predictions(tuple(f"{i:05d}" for i in range(clips)), probabilities)


def written(path, text):
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_what_is_read_is_bit_for_bit_what_was_written(tmp_path):
    predictions = some_predictions()
    write_predictions(tmp_path / "p.csv.gz", predictions, CLASSES)
    read = read_predictions(tmp_path / "p.csv.gz", CLASSES)
    assert read.ids == predictions.ids
    assert read.probabilities.dtype == np.float32
    np.testing.assert_array_equal(read.probabilities, predictions.probabilities)


def test_the_file_is_plain_csv_sorted_by_id_in_shortest_form(tmp_path):
    probabilities = np.array([[0.125, 0.875, -0.0], [0.1, 0.2, 0.7]], dtype=np.float32)
    write_predictions(tmp_path / "p.csv.gz", Predictions(("b", "a"), probabilities), CLASSES)
    text = gzip.decompress((tmp_path / "p.csv.gz").read_bytes()).decode()
    assert text == "clip_id,p_happy,p_sad,p_neutral\na,0.1,0.2,0.7\nb,0.125,0.875,0.0\n"


def test_bytes_depend_on_the_content_only(tmp_path):
    predictions = some_predictions()
    backwards = Predictions(predictions.ids[::-1], predictions.probabilities[::-1])
    write_predictions(tmp_path / "one.csv.gz", predictions, CLASSES)
    write_predictions(tmp_path / "two.csv.gz", backwards, CLASSES)
    content = (tmp_path / "one.csv.gz").read_bytes()
    assert content == (tmp_path / "two.csv.gz").read_bytes()
    assert content[3] == 0 and content[4:8] == bytes(4), "the gzip header holds a file name or a time"


def test_of_equally_probable_classes_the_first_is_predicted():
    assert Predictions(("a",), np.array([[0.2, 0.4, 0.4]], dtype=np.float32)).predicted == 1


def test_the_example_that_the_next_tests_break_is_good(tmp_path):
    assert read_predictions(written(tmp_path / "p.csv.gz", GOOD), CLASSES).ids == ("0001", "0002")


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("p_happy,p_sad", "p_sad,p_happy", r"line 1: header is .*expected 'clip_id,p_happy"),
        ("0002", "0001", r"line 3: clip id '0001' is there twice"),
        ("0.875", "nan", r"line 3: clip '0002': a probability is not a number"),
        ("0.125,0.875,0.0", "-0.125,0.875,0.25", r"line 3: clip '0002': a probability is negative"),
        ("0.875", "0.873", r"line 3: clip '0002': the probabilities sum to 0.998"),
        ("0.875", "inf", r"line 3: clip '0002': the probabilities sum to inf"),
        ("0.875", "high", r"line 3: 'high' is not a number"),
        ("0.875,", "", r"line 3: 3 fields, expected 4"),
        ("0.0\n", "0.0", r"line 3: the last line does not end"),
        ("0.0\n", "0.0\n\n", r"line 4: 1 fields, expected 4"),
    ],
)
def test_a_broken_file_is_refused_with_its_name_line_and_reason(tmp_path, good, bad, message):
    assert good in GOOD
    path = written(tmp_path / "p.csv.gz", GOOD.replace(good, bad))
    with pytest.raises(IntegrityError, match=message) as caught:
        read_predictions(path, CLASSES)
    assert str(path) in str(caught.value)


def test_a_sum_within_a_thousandth_of_one_is_accepted(tmp_path):
    read_predictions(written(tmp_path / "p.csv.gz", GOOD.replace("0.875", "0.8745")), CLASSES)


@pytest.mark.parametrize("kept", [5, 40, -1])
def test_a_cut_off_file_is_refused(tmp_path, kept):
    path = written(tmp_path / "p.csv.gz", GOOD)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(IntegrityError, match="not a whole gzip file"):
        read_predictions(path, CLASSES)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(IntegrityError, match="missing"):
        read_predictions(tmp_path / "p.csv.gz", CLASSES)


@pytest.mark.parametrize("clip_id", ["", "a,b", 'a"b', "a\nb"])
def test_an_id_that_would_break_the_file_is_not_written(tmp_path, clip_id):
    with pytest.raises(IntegrityError, match="clip id"):
        write_predictions(
            tmp_path / "p.csv.gz", Predictions((clip_id,), np.array([[1, 0, 0]], dtype=np.float32)), CLASSES
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("row", [[np.nan, 1, 0], [-0.5, 1, 0.5], [0.5, 0.2, 0.2]])
def test_what_is_no_distribution_is_not_written(tmp_path, row):
    with pytest.raises(IntegrityError, match="clip 'a'"):
        write_predictions(tmp_path / "p.csv.gz", Predictions(("a",), np.array([row], dtype=np.float32)), CLASSES)
