"""A row as a Hugging Face model card: the documented structure, the record's numbers, and what is refused."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import yaml
from finished_run import RunMaker

from benchmark.cli.main import main
from benchmark.leaderboard import entry_id

# The keys of the specification (huggingface/hub-docs, modelcard.md): True for those that are required.
RESULT = {"task": True, "dataset": True, "metrics": True, "source": False}
KEYS = {
    "task": {"type": True, "name": False},
    "dataset": {"type": True, "name": True, "config": False, "split": False, "revision": False, "args": False},
    "metrics": {"type": True, "value": True, "name": False, "config": False, "args": False, "verified": False},
    "source": {"name": False, "url": True},
}
URL = "https://example.org/leaderboard/records/x"


@pytest.fixture(scope="session")
def make_run(tmp_path_factory):
    return RunMaker(tmp_path_factory.mktemp)


@pytest.fixture
def export(capsys):
    def run(*arguments: object) -> tuple[int, dict[str, Any], str, str]:
        code = main(["leaderboard", "export", "--hf", *map(str, arguments)])
        out, err = capsys.readouterr()
        _, front, body = out.split("---\n", 2) if out else ("", "{}", "")
        return code, yaml.safe_load(front), body, err

    return run


def fits(value: dict[str, Any], keys: dict[str, bool]) -> bool:
    return {key for key, required in keys.items() if required} <= set(value) <= set(keys)


def test_a_card_has_the_documented_structure(make_run, export):
    code, card, _, _ = export(make_run().folder, "--url", URL)
    assert code == 0
    (model,) = card["model-index"]
    (result,) = model["results"]
    assert set(model) == {"name", "results"} and fits(result, RESULT)
    for key in ("task", "dataset", "source"):
        assert fits(result[key], KEYS[key]), key
    assert all(fits(metric, KEYS["metrics"]) for metric in result["metrics"])
    assert "verified" not in str(result)  # that word is the hub's, not the publisher's
    assert result["source"]["url"] == URL


def test_its_numbers_and_names_are_the_records(make_run, export):
    finished = make_run(augmentations=(("midas", {"alpha": 0.4}),), label_mode="soft")
    _, card, body, _ = export(finished.path, "--url", URL)
    record = finished.record
    (result,) = card["model-index"][0]["results"]
    shown = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert shown == {name: summary.mean for name, summary in record.aggregates.metrics.items()}
    uar = record.aggregates.metrics["uar"]
    assert f"mean of 5 units, 95 % interval {uar.low:.4f} to {uar.high:.4f}" in result["metrics"][0]["name"]
    assert result["dataset"]["type"] == "dfew" and result["dataset"]["config"] == "dfew-5fold@1"
    assert result["dataset"]["revision"] == record.data.fingerprint
    assert card["model-index"][0]["name"] == "Former-DFER (small) + midas (alpha=0.4), soft labels"
    assert entry_id(record) in result["source"]["name"] and entry_id(record) in body
    assert all(unit.checkpoint_sha256 in body for unit in record.units)


def test_without_an_address_there_is_no_source_and_that_is_said(make_run, export):
    _, card, _, err = export(make_run().folder)
    assert "source" not in card["model-index"][0]["results"][0]
    assert "--url" in err


def test_what_is_not_ranked_says_so_in_the_card(make_run, export):
    _, card, body, _ = export(make_run(failed=((0, 3),)).folder)
    said = card["model-index"][0]["results"][0]["dataset"]["name"]
    assert "not ranked: incomplete: seed 0, fold 3 failed" in said
    assert "**Not ranked:**" in body


def test_synthetic_results_are_not_exported(make_run, export):
    code, _, body, err = export(make_run(synthetic=True).folder)
    assert code == 2 and body == "" and "synthetic data" in err


def test_a_record_that_does_not_agree_with_its_predictions_is_not_exported(make_run, export, tmp_path):
    finished = make_run()
    shutil.copytree(finished.folder, tmp_path / "run")
    path = tmp_path / "run" / finished.record.units[0].predictions.test.path
    path.write_bytes(path.read_bytes() + b"\0")
    code, _, body, err = export(tmp_path / "run")
    assert code == 4 and body == "" and str(path) in err


def test_a_name_can_neither_end_the_front_matter_nor_become_markup(make_run, export):
    title = "x\n---\nlicense: mit\n# <script>"
    _, card, body, _ = export(make_run(title=title).folder)
    assert "license" not in card
    assert card["model-index"][0]["name"].startswith("x --- license: mit # <script>")
    assert "<script>" not in body
