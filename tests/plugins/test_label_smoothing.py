import numpy as np
import pytest
import torch

from benchmark.errors import UsageError
from benchmark.specs import load_object
from benchmark.training.adapter import import_mmaction
from benchmark_plugins.label_smoothing import AUGMENTATION

import_mmaction()

from mmaction.registry import TRANSFORMS  # noqa: E402

import benchmark.training.data  # noqa: E402
import benchmark_plugins.label_smoothing.transform  # noqa: E402, F401


def smoothed(results, epsilon=0.1):
    build = load_object(AUGMENTATION.build)
    return TRANSFORMS.build(build(num_classes=7, epsilon=epsilon))(results)


def window(**changes):
    """A window of four frames, of which the second has no label."""
    return {
        "target": [0.0, 1.0, 0.0],
        "frames": [10, 12, 13],
        "frame_labels": [0, 1, 1],
        "frame_numbers": np.arange(10, 14),
        **changes,
    }


@pytest.mark.parametrize("target", [[0, 0, 1.0, 0, 0, 0, 0], [0.6, 0.2, 0.1, 0.1, 0, 0, 0]], ids=["hard", "soft"])
def test_the_target_is_mixed_with_the_uniform_distribution(target):
    after = smoothed({"target": target}, epsilon=0.3)["target"]
    assert after == pytest.approx([0.7 * share + 0.3 / 7 for share in target])
    assert sum(after) == pytest.approx(1)


def test_it_is_what_torch_smooths_in_its_loss():
    logits = torch.randn(1, 7, dtype=torch.float64)
    ours = torch.tensor([smoothed({"target": [0, 0, 1.0, 0, 0, 0, 0]})["target"]], dtype=torch.float64)
    loss = torch.nn.functional.cross_entropy
    assert loss(logits, ours).item() == pytest.approx(loss(logits, torch.tensor([2]), label_smoothing=0.1).item())


def test_the_target_that_came_in_is_left_as_it_was():
    target = [0.0, 1.0]
    smoothed({"target": target})
    assert target == [0.0, 1.0]


def test_labelled_frames_of_a_window_are_smoothed_like_the_window_and_the_others_have_none():
    results = benchmark.training.data.TargetToTensor()(smoothed(window(), epsilon=0.3))
    torch.testing.assert_close(results["target"], torch.tensor([0.1, 0.8, 0.1]))
    expected = torch.tensor([[0.8, 0.1, 0.1], [0.0, 0.0, 0.0], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    torch.testing.assert_close(results["frame_target"], expected)


def test_without_it_frames_stay_one_hot():
    frame_target = benchmark.training.data.TargetToTensor()(window())["frame_target"]
    assert torch.equal(frame_target, torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 1.0, 0], [0, 1.0, 0]]))


def test_smoothing_twice_smooths_window_and_frames_alike():
    results = benchmark.training.data.TargetToTensor()(smoothed(smoothed(window(), 0.2), 0.3))
    torch.testing.assert_close(results["frame_target"][2], results["target"])


@pytest.mark.parametrize("epsilon", [0.0, 1.0, -0.1])
def test_options_out_of_range_are_refused(epsilon):
    with pytest.raises(UsageError, match="label-smoothing: epsilon"):
        load_object(AUGMENTATION.build)(num_classes=7, epsilon=epsilon)
