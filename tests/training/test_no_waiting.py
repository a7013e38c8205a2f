"""No step of a training reads anything back from the device, for which an accelerator would have to be waited for.

The device is torch's `meta`, whose tensors have no values: reading one raises. What is decided on the processor (masks,
partners, boxes) has values, as in a training.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark.registry import registry
from benchmark.specs import load_object
from benchmark.training.batches import collate_clips
from benchmark.training.device_transforms import apply_changes
from benchmark.training.hooks import KeepCheckpoints, ReportSteps, SeedEpochs, TellEpoch
from benchmark.training.loop import initialise, make_runner
from benchmark.training.model import build_recipe
from benchmark.training.optimizing import optimising
from benchmark.training.transforms import ClipRandAugment
from benchmark.units.computing import Computing
from tests.training.noise import CLASSES, METHODS, PRETRAININGS, batch, inputs_for
from tests.training.test_precision import job_for

META = torch.device("meta")
# Its router sends tokens to experts, which have to know how many they get.
EXPECTED = {"s4d": {"nonzero"}}


class Waits(TorchDispatchMode):
    """Names the operations whose result, or whose size, has to come back from the device."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        name, options = function.overloadpacket.__name__, options or {}
        if arguments and isinstance(arguments[0], torch.Tensor) and arguments[0].device == META:
            if name in ("_local_scalar_dense", "nonzero") or (name == "_to_copy" and "cpu" in str(options)):
                self.seen.add(name)
            if name == "nonzero":
                return torch.empty(4, arguments[0].dim(), dtype=torch.int64, device=META)
        elif name == "_to_copy" and options.get("device") == META and not options.get("non_blocking"):
            self.seen.add("a copy to the device that waits for it")
        return function(*arguments, **options)


@pytest.fixture(autouse=True)
def mmaction():
    init_default_scope("mmaction")


# Of every kind of what the network does on the processor; the others take a second each.
QUICK = {("aen", None), ("dfer-clip", None), ("mae-dfer", "masked"), ("s4d", None), ("videomae", None)}
CASES = [*((name, None) for name in METHODS), *PRETRAININGS]


@pytest.mark.parametrize(
    ("name", "stage"), [case if case in QUICK else pytest.param(*case, marks=pytest.mark.slow) for case in CASES]
)
def test_a_step_waits_for_nothing(name, stage):
    method = registry().methods[name]
    source = method.pretrainings[stage] if stage else method
    preset, labelled = source.presets["small"], not stage or source.data != "videos"
    recipe = load_object(source.recipe)(preset, CLASSES if labelled else 0)
    model = build_recipe(recipe, preset).train().to(META)
    # Asked in the first step of an epoch.
    model._guided = True
    config = {**recipe.optim_wrapper, "clip_grad": {"max_norm": 1.0}}
    wrapper = build_optim_wrapper(model, optimising(config, Computing(), accelerated=False))
    samples = batch(name)["data_samples"]
    for sample in () if labelled else samples:
        del sample.target
    clips = inputs_for(recipe, preset, len(samples))
    data = [{"inputs": clip, "data_samples": sample} for clip, sample in zip(clips, samples, strict=True)]
    with Waits() as waits:
        model.train_step(collate_clips(data), wrapper)
    assert waits.seen <= EXPECTED.get(name, set())


def test_anchors_are_renewed_without_asking_which_classes_there_are():
    from benchmark_plugins.s2d.losses import EmotionAnchors

    anchors = EmotionAnchors(7, 4).to(META)
    anchors.set_epoch(50, 100)
    with Waits() as waits:
        anchors.update(*(torch.empty(shape, device=META) for shape in ((3, 4), (3, 7), (3,))))
    assert not waits.seen


@pytest.mark.parametrize("name", ClipRandAugment.OPERATIONS)
def test_what_is_changed_on_the_device_waits_for_nothing(name):
    noise, box = np.zeros((2, 4, 4, 3), np.uint8), (slice(0, 4), slice(0, 4))
    changes = [ClipRandAugment().change(name, 0.7, 1.0, 12, 12), ("crop", 1, 1, 9, 9, 12, 12), ("erase", box, noise)]
    with Waits() as waits:
        changed = apply_changes(torch.empty((2, 3, 12, 12), dtype=torch.uint8, device=META), changes)
    assert changed.shape == (2, 3, 12, 12) and not waits.seen


def test_the_loop_around_a_step_waits_for_nothing(synthetic_root, tmp_path, monkeypatch):
    job = job_for("tsm", synthetic_root, tmp_path, epochs=1)
    monkeypatch.setattr(KeepCheckpoints, "_finish", lambda *_: None)
    keeper = KeepCheckpoints(tmp_path, tmp_path / "metrics", watched=False, select=None, report=print)
    hooks = [SeedEpochs("0/1"), TellEpoch(), keeper, ReportSteps(lambda *_: None)]
    runner = make_runner(job.config(), job.folder, hooks, tmp_path / "none.pth", Computing())
    initialise(runner)
    runner.model.to(META)
    with Waits() as waits:
        runner.train()
    assert len(keeper._losses) == 4 and not waits.seen
