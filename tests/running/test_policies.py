"""Selection policies other than val, end to end."""

from __future__ import annotations

import json

import pytest

from benchmark.planning.data import load_data
from benchmark.planning.request import Request, Variant, resolve_protocol
from benchmark.records import read_record, verify_record
from benchmark.running.record import make_record
from benchmark.running.run import run_units
from benchmark.specs import LabelMode
from benchmark.units.state import predictions_name, read_state
from tests.small_runs import Remembering, planned


@pytest.fixture
def finish(synthetic_root, tmp_path):
    """Runs fold 1 of a protocol for two epochs; returns the unit's folder and the record."""

    def run(protocol: str, labels: LabelMode = "hard"):
        request = Request(protocol, (Variant("tsm", labels=labels),), "small", (1,), settings=("epochs=2",))
        group, machine = planned(request, synthetic_root, tmp_path)
        (unit,) = group.units
        assert not run_units([unit], group.data, machine, Remembering()).failed
        return machine.runs / unit.folder, make_record(machine.runs / unit.record_folder, group.data)

    return run


def test_the_literatures_habit_chooses_the_best_epoch_on_test_and_says_so(finish):
    folder, record = finish("legacy-dfew-5fold")
    history = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    best = max(history, key=lambda row: (row["val"]["war"], -row["epoch"]))
    (unit,) = record.units
    assert unit.selected_epoch == best["epoch"]
    assert unit.scores.test.metrics["war"].value == pytest.approx(best["val"]["war"])
    assert unit.test_looks == 3  # two epochs and the final score
    assert not record.eligible


def test_without_a_val_split_nothing_is_held_out_or_predicted_for_it(finish):
    folder, record = finish("legacy-dfew-5fold")
    (unit,) = record.units
    assert (unit.splits.val, unit.predictions.val, unit.scores.val) == (None, None, None)
    assert not (folder / predictions_name("val")).exists()
    lists = {
        name: json.loads((folder / "splits" / f"{name}.json").read_text())["data_list"]
        for name in ("train", "watched", "test")
    }
    assert not {row["clip_id"] for row in lists["train"]} & {row["clip_id"] for row in lists["test"]}
    assert all("label" not in row for row in lists["test"])


def test_such_a_record_verifies_and_cannot_pretend_to_have_a_val_split(finish, tmp_path):
    folder, record = finish("legacy-dfew-5fold")
    place = folder.parents[1]
    verify_record(record, place)
    (unit,) = record.units
    pretended = unit.model_copy(update={"splits": unit.splits.model_copy(update={"val": unit.splits.test})})
    with pytest.raises(Exception, match="splits has val"):
        verify_record(record.model_copy(update={"units": [pretended]}), place)


@pytest.mark.parametrize("kind", ["clear", "mixed"])
def test_ambiguity_trains_on_a_subset_and_takes_the_last_epoch(finish, kind):
    folder, record = finish(f"dfew-ambiguity-{kind}", labels="soft")
    (unit,) = record.units
    assert unit.selected_epoch == 2
    assert unit.selection_value is None
    assert not record.eligible
    rows = json.loads((folder / "splits" / "train.json").read_text())["data_list"]
    repeats = [row for row in rows if "repeat" in row]
    assert bool(repeats) == (kind == "clear")
    assert len({(row["clip_id"], row.get("repeat", 0)) for row in rows}) == len(rows) == unit.splits.train.clips
    assert read_state(folder).test_looks == 1


def test_both_ambiguity_groups_are_of_one_size_and_tested_on_the_validation_clips(synthetic_root):
    folds = {}
    for name in ("dfew-ambiguity-clear", "dfew-ambiguity-mixed", "dfew-5fold"):
        folds[name] = load_data(resolve_protocol(Request(name, ())), synthetic_root, votes=False).folds[1]
    clear, mixed, official = folds.values()
    assert len(clear.train) == len(mixed.train)
    tested = [[clip.id for clip in clips] for clips in (clear.test, mixed.test, official.val)]
    assert tested[0] == tested[1] == tested[2]


def test_a_record_of_the_habit_is_read_back(finish):
    folder, record = finish("legacy-dfew-5fold")
    path = folder.parents[1] / "record.json"
    from benchmark.records import write_record

    write_record(path, record)
    assert read_record(path) == record


def test_a_records_gflops_are_the_operations_of_one_clip_attention_included():
    """Counted by hand for a transformer: two operations for each weight and token, and attention's two products."""
    import torch

    from benchmark.training.adapter import import_mmaction

    import_mmaction()
    from benchmark.training.operations import count_operations

    class Attention(torch.nn.Module):
        def test_step(self, batch):
            (clip,) = batch["inputs"]
            return torch.nn.functional.scaled_dot_product_attention(clip, clip, clip)

    heads, tokens, width = 2, 5, 8
    clips = [torch.zeros(1, heads, tokens, width)] * 3
    assert count_operations(Attention(), {"inputs": clips}) == 2 * 2 * heads * tokens * tokens * width
