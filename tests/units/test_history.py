"""What weights have been through, as their files hold it."""

from __future__ import annotations

import pytest
import torch

from benchmark.training.weights import Origin, read_weight_file, write_weights
from benchmark.units.history import Training, hash_clips, read_history, shared_clips, videos_of

UNIT = Training(
    kind="unit",
    method="tsm",
    protocol="dfew-5fold",
    protocol_hash="a" * 64,
    fold=2,
    datasets=("dfew",),
    clips=hash_clips(["1", "2"]),
)


def file_with(path, **metadata):
    """A weight file of ours with these metadata."""
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, path, {"method": "tsm", "network": "model", "preset": "small", **metadata})
    return read_weight_file(path)


def test_clips_are_found_again_by_their_hashed_ids():
    packed = hash_clips(f"Action/Happy/{number:04d}" for number in range(1000))
    assert shared_clips(packed, ["Action/Happy/0999", "Action/Happy/0999", "Action/Happy/1000"]) == 1
    assert "Happy" not in packed and len(packed) == 8000


def test_too_many_clips_are_not_written_down(monkeypatch):
    monkeypatch.setattr("benchmark.units.history.MOST_IDS", 2)
    assert hash_clips(["1", "2"]) and not hash_clips(["1", "2", "3"])


def test_a_file_says_every_training_behind_it(tmp_path):
    first = Training(kind="pre-training", method="tsm", stage="masked", datasets=("dfew",))
    path = tmp_path / "weights.safetensors"
    write_weights(path, {"a": torch.zeros(1)}, Origin("tsm", "model", "small", history=(first, UNIT)))
    assert read_weight_file(path).history == (first, UNIT)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 2, "trainings": []}', '{"version": 1, "trainings": [{}]}']
)
def test_a_history_that_cannot_be_read_is_unknown(tmp_path, text):
    assert read_history(text) == ()
    (training,) = file_with(tmp_path / "weights.safetensors", history=text).history
    assert training.kind == "unknown"


def test_of_an_older_file_the_dataset_is_known(tmp_path):
    (training,) = file_with(tmp_path / "weights.safetensors", dataset="mafw-compound").history
    assert (training.kind, training.datasets) == ("unknown", ("mafw",))


def test_a_foreign_files_history_is_unknown(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "official.pth")
    assert read_weight_file(tmp_path / "official.pth").history == (Training(kind="unknown"),)


@pytest.mark.parametrize("clips", ["no base64!", "YQ=="])
def test_clips_that_are_no_hashes_are_refused(clips):
    with pytest.raises(ValueError, match="hashed ids"):
        Training(kind="unit", clips=clips)


def test_a_dataset_that_labels_anothers_videos_has_that_ones_videos():
    assert [videos_of(name) for name in ("mafw-compound", "ferv39k-plus", "dfew", "of-a-plugin-that-is-gone")] == [
        "mafw",
        "ferv39k",
        "dfew",
        "of-a-plugin-that-is-gone",
    ]
