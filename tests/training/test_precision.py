"""Training in 16 bits follows training in float32, and its classifiers, losses and probabilities stay in float32."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

import benchmark
import benchmark.records
from benchmark import Request, Resources, Variant, Watcher
from benchmark.cli.main import main
from benchmark.errors import UsageError
from benchmark.running.steps import _prepare, job_of
from benchmark.training.computing import compute_in
from benchmark.training.hooks import SeedEpochs, TellEpoch
from benchmark.training.loop import make_runner
from benchmark.training.optimizing import StepWrapper, optimising
from benchmark.training.weights import read_checkpoint
from benchmark.units.computing import Computing
from benchmark.units.precision import PRECISIONS
from benchmark.units.state import UnitState
from tests.small_runs import planned
from tests.training.noise import METHODS, batch, build

STEPS, BATCH = 4, 8


@pytest.fixture(autouse=True)
def one_thread():
    """As in every unit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Losses(Hook):
    """The loss of each step."""

    def __init__(self):
        self.all = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        assert outputs["loss"].dtype == torch.float32
        self.all.append(outputs["loss"].item())


def job_for(method, root, place, epochs):
    """The job of a small unit of four steps an epoch, with its split files written."""
    request = Request(
        "dfew-5fold",
        (Variant(method),),
        preset="small",
        folds=(1,),
        settings=(f"epochs={epochs}", f"batch_size={BATCH}"),
        limit=STEPS * BATCH,
    )
    group, machine = planned(request, root, place)
    [unit] = group.units
    folder = machine.runs / unit.folder
    _prepare(UnitState.model_construct(), unit, group.data.folds[1], machine, folder)
    return job_of(unit, machine, folder)


def epoch_losses(method, computing, epochs, root, place):
    """The mean loss of every epoch."""
    job, seen = job_for(method, root, place, epochs), Losses()
    hooks = [SeedEpochs("0/1"), TellEpoch(), seen]
    make_runner(job.config(), job.folder, hooks, place / "none.pth", computing).train()
    return np.array(seen.all).reshape(epochs, STEPS).mean(axis=1)


QUICK = {"former-dfer", "tsm"}


@pytest.mark.parametrize(
    ("method", "epochs"),
    [(name, 3) if name in QUICK else pytest.param(name, 13, marks=pytest.mark.slow) for name in METHODS],
)
def test_bfloat16_learns_as_float32_does(method, epochs, synthetic_root, tmp_path):
    expected, found = (
        epoch_losses(method, Computing(precision=precision), epochs, synthetic_root, tmp_path / precision)
        for precision in ("fp32", "bf16")
    )
    assert found == pytest.approx(expected, rel=0.1)
    # The first epochs differ by rounding alone; later ones also by what was learned since.
    assert found[0] == pytest.approx(expected[0], rel=0.02)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("c++") or shutil.which("g++")), reason="there is no C++ compiler")
def test_a_compiled_model_learns_as_one_that_is_not(synthetic_root, tmp_path):
    expected, found = (
        epoch_losses("former-dfer", Computing(compile=compiled), 2, synthetic_root, tmp_path / str(compiled))
        for compiled in (False, True)
    )
    # Fused kernels round otherwise, and training makes the difference larger.
    assert found == pytest.approx(expected, rel=0.01)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0


@pytest.mark.parametrize(("precision", "kind"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_a_network_computes_in_16_bits_and_its_classifier_and_probabilities_in_32(precision, kind):
    model = build("tsm").train()
    compute_in(model, Computing(precision=precision))
    kinds = {}
    for name, module in (("network", model.backbone.layer4), ("classifier", model.cls_head.fc_cls)):
        module.register_forward_hook(lambda _, __, out, name=name: kinds.setdefault(name, []).append(out.dtype))
    losses = model(**model.data_preprocessor(batch("tsm"), training=True), mode="loss")
    with torch.inference_mode():
        samples = model.eval().test_step(batch("tsm"))
    assert kinds == {"network": [kind] * 2, "classifier": [torch.float32] * 2}
    assert losses["loss_cls"].dtype == samples[0].pred_score.dtype == torch.float32


def test_in_float32_a_model_is_left_as_it_is():
    model = build("tsm")
    compute_in(model, Computing())
    assert "forward" not in vars(model) and "loss" not in vars(model.cls_head)


def wrapped(weight, **options):
    return StepWrapper(optimizer=torch.optim.SGD([weight], lr=1.0), **options)


def test_gradients_are_clipped_by_their_size_before_they_were_scaled():
    weight = torch.nn.Parameter(torch.zeros(()))
    wrapped(weight, scaled=True, clip_grad={"max_norm": 1.0}).update_params(3 * weight)
    assert weight.item() == pytest.approx(-1.0)


def test_a_step_whose_gradients_overflow_is_left_out_and_the_factor_halved():
    weight = torch.nn.Parameter(torch.zeros(()))
    wrapper = wrapped(weight, scaled=True)
    before = wrapper.state_dict()["scaler"]["scale"]
    wrapper.update_params(weight * torch.inf)
    assert weight.item() == 0.0
    other = wrapped(torch.nn.Parameter(torch.zeros(())), scaled=True)
    other.load_state_dict(wrapper.state_dict())
    assert other.state_dict()["scaler"]["scale"] == before / 2


def test_only_float16_needs_scaled_losses_and_only_an_accelerator_one_kernel():
    plain = {"optimizer": {"type": "AdamW", "lr": 0.1}}
    kinds = {kind: optimising(plain, Computing(precision=kind), accelerated=False)["scaled"] for kind in PRECISIONS}
    assert kinds == {"fp32": False, "tf32": False, "bf16": False, "fp16": True}
    assert "fused" not in optimising(plain, Computing(), accelerated=False)["optimizer"]
    assert optimising(plain, Computing(), accelerated=True)["optimizer"]["fused"]
    assert "fused" not in optimising({"optimizer": {"type": "LBFGS"}}, Computing(), accelerated=True)["optimizer"]


def test_a_wrapper_of_a_recipes_own_is_kept_but_scales_no_losses():
    own = {"type": "TheirWrapper", "optimizer": {"type": "SGD", "lr": 0.1}}
    assert optimising(own, Computing(precision="bf16"), accelerated=False) == own
    with pytest.raises(UsageError, match="TheirWrapper, does not scale losses; use bf16"):
        optimising(own, Computing(precision="fp16"), accelerated=False)


class Stopping(Watcher):
    def epoch(self, unit, row):
        raise KeyboardInterrupt


@pytest.mark.slow
def test_a_unit_in_float16_goes_on_after_an_interruption_as_if_there_had_been_none(synthetic_root, tmp_path, capsys):
    settings = ("epochs=2", "batch_size=4")
    request = Request("dfew-5fold", (Variant("tsm"),), preset="small", folds=(1,), settings=settings, limit=8)
    resources = Resources("cpu", jobs=1, precision="fp16")
    options = {"data_root": synthetic_root, "resources": resources}
    [whole] = benchmark.run(request, runs=tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        benchmark.run(request, runs=tmp_path / "halved", watcher=Stopping(), **options)
    [last] = (tmp_path / "halved").rglob("last.pth")
    assert "scale" in read_checkpoint(last)["optimizer"]["scaler"]
    command = [
        "run",
        "--protocol",
        "dfew-5fold",
        "--method",
        "tsm",
        "--preset",
        "small",
        "--folds",
        "1",
        "--limit",
        "8",
    ]
    command += [part for setting in settings for part in ("--set", setting)]
    command += ["--data-root", str(synthetic_root), "-o", str(tmp_path / "halved"), "--device", "cpu", "--jobs", "1"]
    assert main(command) == 1
    assert "was begun with --precision fp16, and anything else gives other last digits" in capsys.readouterr().err
    assert main([*command, "--precision", "fp16"]) == 0
    [halved] = [benchmark.records.read_record(path) for path in (tmp_path / "halved").rglob("record.json")]
    assert halved.units[0].predictions == whole.units[0].predictions
    assert halved.units[0].cost.computing == Computing(precision="fp16")
