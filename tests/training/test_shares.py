"""A batch that is cut into micro-batches teaches what the whole batch teaches."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope

from benchmark.errors import UsageError
from benchmark.plugin_functions import make_recipe
from benchmark.registry import registry
from benchmark.training.adapter import quiet_logger
from benchmark.training.config import import_modules, model_config
from benchmark.training.model import build_recognizer
from benchmark.training.shares import Cut, Step

# Cut into micro-batches of at most two: of one, two and two clips.
BATCH, MICRO_BATCH, CLASSES = 5, 2, 7
# Of every kind of loss one; the others take their time.
QUICK = {"frame-average", "videomae-masked", "s2d-static"}
STAGES = {
    f"{method.name}-{stage}" if stage else method.name: (method, stage)
    for method in registry().methods.values()
    for stage in (None, *method.pretrainings)
    if method.recipe.startswith("benchmark_plugins.")
}


class Holding(OptimWrapper):
    """An optimiser that keeps the gradients of its step, and changes nothing."""

    def __init__(self, model):
        super().__init__(torch.optim.SGD(model.parameters(), lr=0.0))
        self.model, self.gradients = model, {}

    def step(self, **_):
        assert not self.gradients, "one step for a batch"
        self.gradients = {k: p.grad.clone() for k, p in self.model.named_parameters() if p.grad is not None}


def small(method, stage, **model):
    """The small network of a method or of a stage of it, on the CPU, without anything that is random or of a batch.

    Batch norms use their running statistics: over parts of a batch they would have others.
    """
    where = method.pretrainings[stage] if stage else method
    preset = where.presets["small"]
    recipe = make_recipe(where.recipe, replace(preset, model={**preset.model, **model}), CLASSES)
    import_modules(recipe.imports)
    from mmaction.registry import MODELS

    torch.manual_seed(0)
    quiet_logger()
    with DefaultScope.overwrite_default_scope("mmaction"):
        built = MODELS.build(model_config(recipe, preset, recipe.mixing))
    built.init_weights()
    if hasattr(built, "guide"):
        torch.nn.init.normal_(built.guide.fc2D.weight)
    built.eval()
    if hasattr(built, "cls_head"):
        # Dropout and the like are parts of it, and stay as they are.
        built.cls_head.training = True
    return built, preset, recipe.format_shape


def a_batch(preset, shape, **fields):
    from mmaction.structures import ActionDataSample

    draw = np.random.default_rng(0)
    frames, size = preset.sampling.frames, preset.size
    places = (1, 3, frames, size, size) if shape == "NCTHW" else (frames, 3, size, size)
    samples = []
    for number in range(BATCH):
        sample = ActionDataSample()
        sample.set_field(torch.tensor(draw.dirichlet(np.ones(CLASSES)), dtype=torch.float32), "target")
        for name, values in fields.items():
            sample.set_field(values[number], name)
        samples.append(sample)
    inputs = [torch.from_numpy(draw.integers(0, 256, places, dtype=np.uint8)) for _ in range(BATCH)]
    return {"inputs": inputs, "data_samples": samples}


def learned(model, data, micro_batch):
    """The losses and the gradients of a step."""
    torch.manual_seed(1)
    np.random.seed(1)
    holding = Holding(model)
    losses = Step(Cut.of(BATCH, micro_batch), "seed")(model, copy.deepcopy(data), holding, epoch=0, step=0)
    model.zero_grad()
    return {name: float(value.detach()) for name, value in losses.items()}, holding.gradients


def check_same(model, data):
    losses, gradients = learned(model, data, None)
    others, found = learned(model, data, MICRO_BATCH)
    assert others == pytest.approx(losses, rel=1e-4, abs=1e-6)
    assert gradients
    assert found.keys() == gradients.keys()
    largest = max(float(value.abs().max()) for value in gradients.values())
    for name, value in gradients.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-5 * largest)


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in STAGES])
def test_micro_batches_add_up_to_the_whole_batch(name):
    model, preset, shape = small(*STAGES[name])
    check_same(model, a_batch(preset, shape))


def test_sums_over_frames_of_which_some_have_no_label_add_up():
    """V-NAW's official loss: means over labelled frames, of which clips have different numbers, and a sum."""
    model, preset, shape = small(registry().methods["v-naw"], None, loss="official")
    targets = torch.eye(CLASSES)[torch.arange(BATCH * 8).reshape(BATCH, 8) % CLASSES]
    for clip in range(BATCH):
        targets[clip, clip + 2 :] = 0.0
    targets[0] = 0.0
    check_same(model, a_batch(preset, shape, frame_target=targets))


def test_anchors_are_renewed_when_the_batch_is_over():
    """S2D's self-distillation: no clip's target may depend on the clips before it in the batch."""
    model, preset, shape = small(registry().methods["s2d"], None, mixing=False, dropout=0.0, sdl=True)
    anchors, found = model.cls_head.anchors, []
    anchors.set_epoch(60, 100)
    before = copy.deepcopy(anchors.state_dict())
    for micro_batch in (None, 1):
        anchors.load_state_dict(before)
        losses, _ = learned(model, a_batch(preset, shape), micro_batch)
        found.append((losses["loss_sdl"], copy.deepcopy(anchors.state_dict())))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for name, values in found[0][1].items():
        assert not torch.equal(values, before[name])
        torch.testing.assert_close(found[1][1][name], values)


class Dropping(torch.nn.Module):
    """Anything that draws in its forward pass."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.data_preprocessor = lambda data, training: data

    def forward(self, inputs, data_samples, mode):
        self.seen.append(torch.rand(()).item())
        return {"loss": self.weight * inputs.mean()}

    def parse_losses(self, losses):
        return losses["loss"], losses


def drawn(rank, processes, micro_batch=2, step=0):
    model, cut = Dropping(), Cut.of(8, micro_batch, rank, processes)
    share = cut.share
    data = {"inputs": torch.arange(8.0)[share], "data_samples": [None] * (share.stop - share.start)}
    Step(cut, "seed")(model, data, Holding(model), epoch=0, step=step)
    return model.seen


def test_what_a_micro_batch_draws_does_not_depend_on_who_computes_it():
    alone = drawn(0, 1)
    assert drawn(0, 2) + drawn(1, 2) == alone
    assert len(set(alone)) == 4
    assert set(drawn(0, 1, step=1)).isdisjoint(alone)


def test_a_step_leaves_the_stream_that_batches_are_mixed_from_where_it_was():
    torch.manual_seed(5)
    expected = torch.rand(())
    torch.manual_seed(5)
    drawn(0, 1)
    assert torch.rand(()) == expected


@pytest.mark.parametrize(
    ("batch", "most", "processes", "sizes"),
    [
        (8, None, 1, [[8]]),
        (8, 3, 1, [[2, 3, 3]]),
        (8, 8, 2, [[4], [4]]),
        (8, 2, 2, [[2, 2], [2, 2]]),
        (7, 2, 2, [[1, 2], [2, 2]]),
        (5, 1, 2, [[1, 1], [1, 2]]),
    ],
)
def test_a_batch_is_cut_evenly_and_in_step(batch, most, processes, sizes):
    cuts = [Cut.of(batch, most, rank, processes) for rank in range(processes)]
    found = [[part.stop - part.start for _, part in cut.own] for cut in cuts]
    assert found == sizes
    assert len({len(own) for own in found}) == 1, "collectives would wait for each other for ever"
    clips = [clip for cut in cuts for _, part in cut.own for clip in range(batch)[part]]
    assert clips == list(range(batch))


def test_a_batch_that_is_too_small_for_its_processes_is_refused():
    with pytest.raises(UsageError, match="a batch of 3 clips cannot be shared by 4 processes"):
        Cut.of(3, None, 0, 4)


def test_the_recognizer_is_the_one_that_is_trained():
    """The networks tested here are those of the presets."""
    method = registry().methods["tsm"]
    names = small(method, None)[0].state_dict().keys()
    assert names == build_recognizer(method, method.presets["small"], CLASSES).state_dict().keys()
