"""Twenty steps of every method by the harness and by a loop written out from its paper end in the same weights."""

from __future__ import annotations

import pytest
import torch

from tests.training.by_hand import EPOCHS, STEPS, TRAININGS, by_the_harness

QUICK = ("tsm", "videomae")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in TRAININGS]
)
def test_twenty_steps_are_those_of_the_paper(name, synthetic_root, tmp_path, monkeypatch):
    training = TRAININGS[name]
    method = name.removesuffix("-ferv39k")
    recorder, model = by_the_harness(method, training.settings, synthetic_root, tmp_path, monkeypatch)
    losses = training.run(recorder, model)
    assert len(losses) == STEPS * EPOCHS
    assert recorder.losses == pytest.approx(losses, rel=1e-7)
    moved = 0.0
    for key, tensor in model.named_parameters():
        torch.testing.assert_close(recorder.last[key], tensor.detach(), rtol=1e-6, atol=1e-7)
        moved = max(moved, float((recorder.first[key] - tensor.detach()).abs().max()))
    # Or the weights would agree because nothing was learned.
    assert moved > 1e-4
