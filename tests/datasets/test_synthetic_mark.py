"""What is synthetic is said by a mark that the harness sees, and not by a dataset's plugin."""

from __future__ import annotations

import dataclasses

from benchmark.datasets.synthetic import MARKER, is_synthetic
from benchmark.planning import demo
from benchmark.registry import registry
from benchmark.watcher import Watcher

WRITTEN = []


def synthesize_without_a_mark(out, clips, seed, report):
    out.mkdir(parents=True)
    (out / "clips.csv").write_text("clip_id,path,label\n")
    WRITTEN.append(out)


def test_a_folder_inside_a_marked_one_is_synthetic_too(tmp_path):
    inner = tmp_path / "cache" / "DFEW" / "inner"
    inner.mkdir(parents=True)
    assert not is_synthetic(inner)
    (tmp_path / "cache" / MARKER).write_text("{}")
    assert is_synthetic(inner) and not is_synthetic(tmp_path)


def test_a_link_into_a_marked_folder_is_synthetic_too(tmp_path):
    (tmp_path / "drawn" / "DFEW").mkdir(parents=True)
    (tmp_path / "drawn" / MARKER).write_text("{}")
    (tmp_path / "real").symlink_to(tmp_path / "drawn" / "DFEW")
    assert is_synthetic(tmp_path / "real")


def test_the_demo_marks_what_a_plugin_leaves_unmarked_and_makes_it_once(tmp_path, monkeypatch):
    layout = dataclasses.replace(registry().datasets["table"], synthesize=f"{__name__}:synthesize_without_a_mark")
    monkeypatch.setitem(registry().datasets, "table", layout)
    monkeypatch.setattr(demo, "demo_root", lambda: tmp_path / "demo")
    WRITTEN.clear()
    for _ in range(2):
        root = demo.demo_data(["table"], Watcher())
    assert [root / "table"] == WRITTEN
    assert is_synthetic(root / "table") and (root / "table" / MARKER).is_file()
