"""Every method on the demo: five folds with the small preset against chance, twice, and after a pre-training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.records import read_record
from benchmark.registry import registry
from benchmark.scoring.predictions import read_predictions
from tests.conftest import benchmark

pytestmark = pytest.mark.slow

CHANCE = 1 / 7
METHODS = sorted(registry().methods)
# Another frame encoder than the recipe's has to be chosen for the ResNet.
OTHER_MODEL = {("v-naw", "resnet")}
PRETRAININGS = [
    (name, stage)
    for name in METHODS
    for stage in registry().methods[name].pretrainings
    if (name, stage) not in OTHER_MODEL
]


def run(out: Path, method: str, *extra: object):
    options = ("--protocol", "dfew-5fold", "--demo", "--device", "cpu", "--method", method, "-o", out)
    done = benchmark("run", *options, *extra)
    assert done.returncode == 0, done.stderr
    (path,) = out.rglob("record.json")
    return read_record(path), path.parent


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The record and folder of a method's five folds, made when first asked for."""
    made = {}

    def of(method):
        if method not in made:
            made[method] = run(tmp_path_factory.mktemp(method), method)
        return made[method]

    return of


@pytest.mark.parametrize("method", METHODS)
def test_a_method_beats_chance_clearly(runs, method):
    record, _ = runs(method)
    uar = record.aggregates.metrics["uar"]
    assert len(record.units) == 5
    assert uar.low > 1.5 * CHANCE


@pytest.mark.parametrize("method", METHODS)
def test_a_method_gives_the_same_predictions_again(runs, method, tmp_path):
    record, folder = runs(method)
    again, other = run(tmp_path, method, "--folds", "1")
    classes = record.protocol.definition["classes"]
    first, second = (
        read_predictions(path / found.units[0].predictions.test.path, classes)
        for path, found in ((folder, record), (other, again))
    )
    assert first.ids == second.ids
    assert (first.probabilities == second.probabilities).all()


@pytest.mark.parametrize(("method", "stage"), PRETRAININGS)
def test_a_pre_training_helps_or_does_no_harm(runs, method, stage, tmp_path):
    done = benchmark("pretrain", "--method", method, "--stage", stage, "--demo", "--device", "cpu", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    weights = Path(done.stdout.strip())
    losses = [json.loads(line)["loss"] for line in (weights.parent / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]

    network = registry().methods[method].pretrainings[stage].network
    record, _ = run(tmp_path / "runs", method, "--init", f"{network}={weights}")
    scratch, tuned = (found.aggregates.metrics["uar"] for found in (runs(method)[0], record))
    # Not worse: within the interval of training from scratch, or better.
    assert tuned.mean > scratch.low
