"""The demo data needs motion, and every demo row learns it: the promises that the synthetic stand-in makes."""

from __future__ import annotations

import json

import pytest

from benchmark.planning import demo as demonstration
from tests.conftest import benchmark

CHANCE = 1 / 7

pytestmark = pytest.mark.slow


def uar(out, *arguments: str) -> list[list[float]]:
    """Test UAR of every row and fold of a demo run."""
    done = benchmark("run", "--protocol", "dfew-5fold", "--demo", "-o", out, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return [
        [unit["scores"]["test"]["metrics"]["uar"]["value"] for unit in record["units"]]
        for record in json.loads(done.stdout)
    ]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    return out, uar(out)


def test_every_demo_row_beats_chance_clearly(demo):
    _, rows = demo
    assert len(rows) == len(demonstration.demo().rows)
    for values in rows:
        assert len(values) == 5
        mean = sum(values) / 5
        spread = (sum((value - mean) ** 2 for value in values) / 4) ** 0.5
        # Three standard errors above chance, and twice chance.
        assert mean - 3 * spread / 5**0.5 > CHANCE
        assert mean > 2 * CHANCE


@pytest.mark.parametrize("order", ["shuffled", "single"])
def test_a_model_fed_without_the_order_of_frames_does_worse(demo, tmp_path, order):
    out, _ = demo
    method = ("--method", "videomae")
    (true,) = uar(out, *method)
    (without,) = uar(tmp_path, *method, "--unofficial", "--set", f"protocol.frames.order={order}")
    assert sum(without) / 5 < sum(true) / 5 - 0.1


@pytest.mark.parametrize("order", ["shuffled", "single"])
def test_a_trained_model_tested_without_the_order_does_worse(demo, order):
    """The same weights, trained on the true order of frames."""
    from benchmark.datasets.layouts.dfew import read
    from benchmark.planning.request import find_protocol
    from benchmark.protocol import Protocol, override
    from benchmark.scoring.metrics import confusion_matrix
    from benchmark.scoring.metrics import uar as uar_of
    from benchmark.scoring.predictions import read_predictions
    from benchmark.training.hooks import BEST
    from benchmark.training.unit import Job, predict
    from benchmark.units.state import CHECKPOINTS, predictions_name, read_state
    from benchmark.video.cache import cache_folder

    protocol: Protocol = find_protocol("dfew-5fold")
    (root,) = cache_folder().glob("demo-*/dfew")
    labels = {clip.id: protocol.classes.index(clip.label) for clip in read(root, votes=False)}
    changed = override(protocol, {"frames.order": order})
    true, without = [], []
    for folder in sorted(demo[0].glob("dfew-5fold-synthetic/videomae@small/hard/seed-0/fold-*")):
        unit = read_state(folder).unit.model_copy(update={"protocol": changed})
        job = Job(unit, folder, root, root, cache_folder() / "frames", workers=0)
        tested = predict(job, folder / CHECKPOINTS / BEST, ("test",), lambda done, total: None)
        for predictions, scores in (
            (read_predictions(folder / predictions_name("test"), protocol.classes), true),
            (tested.predictions["test"], without),
        ):
            scores.append(uar_of(confusion_matrix([labels[i] for i in predictions.ids], predictions.predicted, 7)))
    assert len(true) == 5
    assert sum(without) / 5 < sum(true) / 5 - 0.1
