import os

import pytest

from benchmark.training.hooks import BEST, LAST, KeepCheckpoints, best_epoch, link_best


def history(*values):
    return [{"epoch": n, "val": {"uar": value}} for n, value in enumerate(values, start=1)]


def test_the_best_epoch_is_selected():
    assert best_epoch(history(0.2, 0.5, 0.3), "uar") == 2


def test_the_earliest_of_equals_wins():
    assert best_epoch(history(0.2, 0.5, 0.5, 0.5), "uar") == 2


def test_the_policy_last_takes_the_last():
    assert best_epoch(history(0.2, 0.5, 0.3), None) == 3


def keeper(folder):
    return KeepCheckpoints(folder, folder / "metrics.jsonl", True, "uar", lambda row: None)


def test_a_kill_between_last_and_best_is_mended_on_resume(tmp_path):
    (tmp_path / LAST).write_text("epoch 2, the best so far")
    (tmp_path / BEST).write_text("epoch 1")
    keeper(tmp_path).after_load_checkpoint(None, {"meta": {"history": history(0.1, 0.4)}})
    assert (tmp_path / BEST).read_text() == "epoch 2, the best so far"
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2


def test_resuming_after_a_worse_epoch_keeps_the_best(tmp_path):
    (tmp_path / LAST).write_text("epoch 2")
    (tmp_path / BEST).write_text("epoch 1, the best so far")
    keeper(tmp_path).after_load_checkpoint(None, {"meta": {"history": history(0.4, 0.1)}})
    assert (tmp_path / BEST).read_text() == "epoch 1, the best so far"


@pytest.mark.parametrize("links", [True, False])
def test_the_best_outlives_the_next_last(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no hard links here")))
    (tmp_path / LAST).write_text("epoch 1")
    link_best(tmp_path)
    (tmp_path / "next").write_text("epoch 2")
    os.replace(tmp_path / "next", tmp_path / LAST)
    assert (tmp_path / BEST).read_text() == "epoch 1"
