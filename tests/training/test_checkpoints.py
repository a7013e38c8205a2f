import contextlib
import os
import pickle
import random
import subprocess
import sys
import textwrap
import types

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.training.checkpoints import load_networks
from benchmark.training.weights import read_weight_file
from benchmark_plugins.former_dfer import METHOD
from tests.golden import reference


def read_weights(path):
    return dict(read_weight_file(path).state)


def load(model, path):
    """The report of loading a file into a Former-DFER."""
    return load_networks(model, METHOD, {"model": path})["model"]


@pytest.fixture(scope="module")
def official_file(tmp_path_factory):
    """A file as Former-DFER's training script writes it: by a process whose `__main__` defines RecorderMeter."""
    folder = tmp_path_factory.mktemp("official")
    torch.save(reference.official_state("former_dfer"), folder / "bare.pt")
    script = """
        import sys
        import numpy as np
        import torch

        class RecorderMeter:
            def __init__(self, epochs):
                self.epoch_losses = np.zeros((epochs, 2), dtype=np.float32)
                self.best = np.float64(0.5)

        bare, out = sys.argv[1:]
        state = {f"module.{key}": tensor for key, tensor in torch.load(bare).items()}
        weight = torch.nn.Parameter(torch.zeros(2))
        optimizer = torch.optim.SGD([weight], lr=0.01, momentum=0.9)
        weight.sum().backward()
        optimizer.step()
        torch.save(
            {
                "epoch": 100,
                "state_dict": state,
                "best_acc": torch.tensor(66.2),
                "optimizer": optimizer.state_dict(),
                "recorder": RecorderMeter(100),
            },
            out,
        )
    """
    out = folder / "model_best.pth"
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), folder / "bare.pt", out], check=True)
    return out


def test_an_official_former_dfer_file_gives_the_official_logits(official_file):
    recipe, model = reference.build(METHOD)
    report = load(model, official_file)
    assert (report.missing, report.unexpected, report.reinitialised) == ((), (), ())
    frames = reference.make_scene_frames(0, 2, 16, 112, 112)
    torch.testing.assert_close(
        reference.logits(recipe, model, frames),
        reference.golden_logits("former_dfer", "golden_scene.json", "default"),
        atol=1e-5,
        rtol=1e-5,
    )


def test_reading_creates_no_recorder_and_leaves_the_process_as_it_was(official_file):
    before = set(torch.serialization.get_safe_globals())
    state = read_weights(official_file)
    assert all(type(tensor) is torch.Tensor for tensor in state.values())
    assert set(torch.serialization.get_safe_globals()) == before
    assert not hasattr(sys.modules["__main__"], "RecorderMeter")


def test_the_classifier_starts_afresh_for_another_number_of_classes(official_file):
    _, model = reference.build(METHOD, num_classes=11)
    fresh = model.cls_head.fc_cls.weight.clone()
    report = load(model, official_file)
    assert set(report.reinitialised) == {"cls_head.fc_cls.weight", "cls_head.fc_cls.bias"}
    assert torch.equal(model.cls_head.fc_cls.weight, fresh)
    assert torch.equal(model.backbone.s_former.conv1.weight, read_weights(official_file)["s_former.conv1.weight"])


def test_another_size_of_the_same_model_is_refused(official_file):
    _, model = reference.build(METHOD, "small")
    with pytest.raises(IntegrityError, match="another size of the model"):
        load(model, official_file)


def test_another_model_is_refused(official_file):
    with pytest.raises(IntegrityError, match="another model"):
        load(torch.nn.Linear(2, 2), official_file)


def test_our_own_names_need_no_renaming(tmp_path):
    _, model = reference.build(METHOD, "small")
    _, other = reference.build(METHOD, "small")
    torch.save(model.state_dict(), tmp_path / "own.pth")
    report = load(other, tmp_path / "own.pth")
    assert (report.missing, report.unexpected) == ((), ())
    assert torch.equal(other.cls_head.fc_cls.weight, model.cls_head.fc_cls.weight)


def test_missing_and_unexpected_tensors_are_reported(tmp_path):
    torch.save({"weight": torch.ones(3, 2), "scale": torch.ones(1)}, tmp_path / "some.pth")
    report = load(torch.nn.Linear(2, 3), tmp_path / "some.pth")
    assert (report.missing, report.unexpected) == (("bias",), ("scale",))


@pytest.mark.parametrize(
    "content",
    [
        {"weight": torch.ones(2)},
        {"state_dict": {"module.weight": torch.ones(2)}, "epoch": 3},
        {"model": {"weight": torch.ones(2)}, "args": types.SimpleNamespace},
        {"module": {"weight": torch.ones(2)}},
        {"model_state_dict": {"weight": torch.ones(2)}, "loss": np.float32(1.0), "when": np.int64(3)},
        {"model": {"state_dict": {"weight": torch.nn.Parameter(torch.ones(2))}}},
    ],
    ids=["bare", "state_dict", "model and args", "module", "model_state_dict", "nested"],
)
def test_wrappers_of_training_scripts_are_taken_off(tmp_path, content):
    if "args" in content:
        from argparse import Namespace

        content = {**content, "args": Namespace(lr=0.1, output="runs")}
    torch.save(content, tmp_path / "weights.pth")
    state = read_weights(tmp_path / "weights.pth")
    assert list(state) == ["weight"]
    assert torch.equal(state["weight"], torch.ones(2))


@pytest.mark.parametrize(
    ("content", "wrapper", "prefix"),
    [
        ({"_orig_mod.weight": 1}, (), "_orig_mod."),
        ({"module._orig_mod.weight": 1}, (), "module._orig_mod."),
        ({"state_dict": {"model.weight": 1}, "epoch": 3}, ("state_dict",), "model."),
        ({"module": {"_forward_module.weight": 1}}, ("module",), "_forward_module."),
        ({"net": {"weight": 1}}, ("net",), ""),
        ({"network": {"weight": 1}}, ("network",), ""),
        ({"ema": {"weight": 1}}, ("ema",), ""),
        ({"ema": {"module": {"weight": 1}, "decay": 0.9}}, ("ema", "module"), ""),
        ({"model_ema": {"weight": 0}, "model": {"weight": 1}}, ("model",), ""),
        ({"model": {"name": "r3d"}, "state_dict_ema": {"weight": 1}}, ("state_dict_ema",), ""),
    ],
)
def test_the_spellings_that_trainers_leave_are_taken_off(tmp_path, content, wrapper, prefix):
    def with_tensors(value):
        if isinstance(value, dict):
            return {key: with_tensors(inside) for key, inside in value.items()}
        return torch.full((2,), float(value)) if isinstance(value, int) else value

    torch.save(with_tensors(content), tmp_path / "w.pth")
    file = read_weight_file(tmp_path / "w.pth")
    assert (file.wrapper, file.prefix, list(file.state)) == (wrapper, prefix, ["weight"])
    assert torch.equal(file.state["weight"], torch.ones(2))


def test_which_weights_were_taken_is_said_where_there_are_several(tmp_path):
    torch.save({"model": {"weight": torch.ones(3, 2)}, "model_ema": {"weight": torch.zeros(3, 2)}}, tmp_path / "w.pth")
    report = load(torch.nn.Linear(2, 3), tmp_path / "w.pth")
    assert "taken from 'model', not from 'model_ema' beside it" in report.summary


def test_safetensors_are_known_by_their_content(tmp_path):
    save_file({"weight": torch.ones(2)}, tmp_path / "weights.pth")
    assert read_weight_file(tmp_path / "weights.pth").format == "safetensors"
    torch.save({"weight": torch.ones(2)}, tmp_path / "weights.bin")
    assert read_weight_file(tmp_path / "weights.bin").format == "torch"


def test_a_mask_may_be_infinite_and_weights_may_not(tmp_path):
    mask = torch.zeros(4, 4).masked_fill(torch.ones(4, 4).triu(1).bool(), -torch.inf)
    torch.save({"weight": torch.ones(2), "mask": mask}, tmp_path / "w.pth")
    assert set(read_weights(tmp_path / "w.pth")) == {"weight", "mask"}
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.complex64):
        weight = torch.ones(3, dtype=dtype)
        torch.save({"weight": weight, "running_mean": weight * float("nan")}, tmp_path / "w.pth")
        with pytest.raises(IntegrityError, match=r"1 of its 2 tensors hold NaN or infinity \(running_mean\)"):
            read_weights(tmp_path / "w.pth")


def test_safetensors_are_read(tmp_path):
    save_file({"module.weight": torch.ones(2)}, tmp_path / "weights.safetensors")
    assert list(read_weights(tmp_path / "weights.safetensors")) == ["weight"]


class Malicious:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("function", [os.system, eval, getattr, subprocess.check_call], ids=lambda f: f.__name__)
def test_a_malicious_file_is_refused_and_runs_nothing(tmp_path, function, legacy):
    trace = tmp_path / "trace"
    payload = {"system": f"touch {trace}", "eval": f"open({str(trace)!r}, 'w')", "check_call": ["touch", str(trace)]}
    arguments = ("text", "upper") if function is getattr else (payload[function.__name__],)
    content = {"state_dict": {"weight": torch.ones(2)}, "recorder": Malicious(function, *arguments)}
    path = tmp_path / "weights.pth"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(IntegrityError, match=function.__name__) as refusal:
        read_weights(path)
    assert "safetensors" in str(refusal.value)
    assert "weights_only" not in str(refusal.value)
    assert not trace.exists()


def test_a_plain_pickle_is_refused(tmp_path):
    trace = tmp_path / "trace"
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps(Malicious(os.system, f"touch {trace}"), protocol=2))
    with pytest.raises(IntegrityError, match="system"):
        read_weights(tmp_path / "weights.pkl")
    assert not trace.exists()


def test_what_the_process_allows_for_its_own_files_is_not_allowed_here(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": {"weight": torch.ones(2)}, "extra": Malicious(getattr, "text", "upper")}, path)
    with torch.serialization.safe_globals([getattr]), pytest.raises(IntegrityError, match="getattr"):
        read_weights(path)


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.99])
def test_a_truncated_file_is_reported_as_damaged(tmp_path, official_file, kept):
    whole = official_file.read_bytes()
    path = tmp_path / "half.pth"
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(IntegrityError, match=r"half\.pth cannot be read") as refusal:
        read_weights(path)
    assert "weights_only" not in str(refusal.value)


def test_a_truncated_safetensors_file_is_reported_as_damaged(tmp_path):
    save_file({"weight": torch.ones(100)}, tmp_path / "half.safetensors")
    (tmp_path / "half.safetensors").write_bytes((tmp_path / "half.safetensors").read_bytes()[:-50])
    with pytest.raises(IntegrityError, match="cannot be read"):
        read_weights(tmp_path / "half.safetensors")


def test_a_file_without_tensors_is_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "weights.pth")
    with pytest.raises(IntegrityError, match="no named tensors"):
        read_weights(tmp_path / "weights.pth")


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(EnvironmentProblem, match="no weight file"):
        read_weights(tmp_path / "absent.pth")


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_whatever_is_overwritten_in_a_file_is_either_read_or_refused(tmp_path, kind):
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind == "safetensors":
        save_file({"weight": torch.ones(3, 2)}, path)
    else:
        content = {"epoch": 3, "state_dict": {"weight": torch.ones(3, 2)}, "loss": np.float64(1.0)}
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    draw = random.Random(0)
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(IntegrityError):
            read_weights(path)
