"""Files of predicted classes: read back as they were written, and refused in one line where they cannot be."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from benchmark.errors import IntegrityError
from benchmark.scoring.predicted_classes import PredictedClasses, read_predicted_classes, write_predicted_classes

CLASSES, WAYS = ("happy", "sad", "fear"), ("jpeg-3", "frozen-3")
FOUND = PredictedClasses(("b", "a"), WAYS, np.array([[0, 2], [1, 1]]))


def test_what_is_written_is_read_back_in_the_order_of_ids(tmp_path):
    write_predicted_classes(tmp_path / "x.csv.gz", CLASSES, FOUND)
    read = read_predicted_classes(tmp_path / "x.csv.gz", CLASSES, WAYS)
    assert (read.ids, read.ways, read.predicted.tolist()) == (("a", "b"), WAYS, [[1, 1], [0, 2]])


def test_equal_content_gives_equal_bytes(tmp_path):
    for name in ("x", "y"):
        write_predicted_classes(tmp_path / name, CLASSES, FOUND)
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("clip_id,jpeg-3\na,sad\n", "line 1: header is"),
        ("clip_id,jpeg-3,frozen-3\na,sad,sad", "does not end"),
        ("clip_id,jpeg-3,frozen-3", "does not end"),
        ("clip_id,jpeg-3,frozen-3\na,sad\n", "line 2: 2 fields, expected 3"),
        ("clip_id,jpeg-3,frozen-3\na,sad,glad\n", "line 2: 'glad' is no class"),
        ("clip_id,jpeg-3,frozen-3\na,sad,sad\na,sad,sad\n", "'a' is there twice"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, text, reason):
    (tmp_path / "x").write_bytes(gzip.compress(text.encode()))
    with pytest.raises(IntegrityError, match=reason):
        read_predicted_classes(tmp_path / "x", CLASSES, WAYS)


def test_a_file_that_unpacks_to_gigabytes_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(gzip.compress(b"a" * (129 * 2**20), 9))
    with pytest.raises(IntegrityError, match="holds more than"):
        read_predicted_classes(tmp_path / "x", CLASSES, WAYS)
