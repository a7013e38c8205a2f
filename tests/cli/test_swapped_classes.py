"""A run whose weights or labels have another class order is told so, by its val split alone."""

from __future__ import annotations

import finished_run
import pytest
from finished_run import DFEW, RunMaker

from benchmark.cli.main import main
from benchmark.cli.swapped_classes import warn_of_exchange


@pytest.fixture
def exchanged(tmp_path_factory, monkeypatch):
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


def test_exchanged_classes_are_named_with_what_to_do(exchanged, capsys):
    warn_of_exchange(exchanged("val").record)
    err = capsys.readouterr().err
    assert "warning: val: classes seem to be swapped: on val" in err
    assert "'happy' is mostly predicted as 'sad'" in err
    assert "'fear' is mostly predicted as 'happy'" in err
    assert "`benchmark weights inspect`" in err
    assert "`benchmark show dfew-5fold`" in err


def test_test_is_not_looked_at(exchanged, capsys):
    warn_of_exchange(exchanged("test").record)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("split", ["test", "val"])
def test_score_warns_whatever_split_is_scored(exchanged, capsys, split):
    run = exchanged("val")
    assert main(["score", str(run.folder), "--metric", "war", "--split", split]) == 0
    done = capsys.readouterr()
    assert "classes seem to be swapped" in done.err
    assert "swapped" not in done.out
