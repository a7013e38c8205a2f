"""A run whose weights or labels have another class order is told so, by its val split alone."""

from __future__ import annotations

import finished_run
import pytest
from finished_run import DFEW, RunMaker

from benchmark.cli.main import main
from benchmark.records.swapped_classes import swapped_classes


@pytest.fixture
def swapped(tmp_path_factory, monkeypatch):
    """A finished run that predicts, in one split, the class after the true one."""
    real = finished_run.predict

    def make(split):
        def predict(labels, *arguments):
            following = dict(zip(DFEW.classes, (*DFEW.classes[1:], DFEW.classes[0]), strict=True))
            shift = {name: following[label] if name.startswith(split) else label for name, label in labels.items()}
            return real(shift, *arguments)

        monkeypatch.setattr(finished_run, "predict", predict)
        return RunMaker(tmp_path_factory.mktemp)(accuracy=0.8, name=split)

    return make


def test_swapped_classes_are_named_with_what_to_do(swapped):
    warning = swapped_classes(swapped("val").record) or ""
    assert "warning: val: classes seem to be swapped: on val" in warning
    assert "'happy' is mostly predicted as 'sad'" in warning
    assert "'fear' is mostly predicted as 'happy'" in warning
    assert "`benchmark weights inspect`" in warning
    assert "`benchmark show dfew-5fold`" in warning


def test_test_is_not_looked_at(swapped):
    assert swapped_classes(swapped("test").record) is None


@pytest.mark.parametrize("split", ["test", "val"])
def test_score_warns_whatever_split_is_scored(swapped, capsys, split):
    run = swapped("val")
    assert main(["score", str(run.folder), "--metric", "war", "--split", split]) == 0
    done = capsys.readouterr()
    assert "classes seem to be swapped" in done.err
    assert "swapped" not in done.out
