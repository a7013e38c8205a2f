from functools import partial

import pytest
import torch
from scipy import stats

from benchmark.errors import UsageError
from benchmark.specs import load_object
from benchmark_plugins.cutmix import AUGMENTATION
from tests.plugins.mixing import CLASSES, blending_of, mix

SHAPES = pytest.mark.parametrize("shape", [(4, 3, 20, 24), (1, 3, 4, 20, 24)], ids=["NCHW", "NCTHW"])


blending = partial(blending_of, AUGMENTATION)
mixed = partial(mix, AUGMENTATION)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@SHAPES
def test_one_box_of_all_frames_comes_from_the_partner(shape, monkeypatch):
    monkeypatch.setattr(torch, "randperm", lambda n: torch.tensor([1, 2, 0]))
    clips = torch.randn(3, *shape)
    for _ in range(20):
        after, _ = mixed(clips, torch.eye(CLASSES)[:3])
        taken = after != clips
        assert torch.equal(after[taken], clips[[1, 2, 0]][taken])
        box = taken.flatten(0, -3)
        assert torch.equal(box.any(0), box.all(0))
        rows, columns = box[0].any(1).nonzero(), box[0].any(0).nonzero()
        assert box[0].sum() == len(rows) * len(columns)


@SHAPES
def test_the_target_is_mixed_by_the_area_that_was_really_replaced(shape, monkeypatch):
    """Also where the box reached over the edge: the ratio is not the lambda that was drawn."""
    monkeypatch.setattr(torch, "randperm", lambda n: torch.tensor([1, 0]))
    clips = torch.stack([torch.zeros(shape), torch.ones(shape)])
    targets = torch.rand(2, CLASSES).softmax(1)
    for _ in range(50):
        after, labels = mixed(clips, targets)
        area = after[0].mean()
        torch.testing.assert_close(labels[0], (1 - area) * targets[0] + area * targets[1])


def test_the_share_that_is_drawn_follows_the_beta_distribution():
    draws = torch.stack([blending(alpha=1.0).beta.sample() for _ in range(1000)])
    assert stats.kstest(draws.numpy(), "uniform").pvalue > 0.01


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_targets_stay_distributions(batch):
    for targets in (torch.rand(batch, CLASSES).softmax(1), torch.eye(CLASSES).repeat(3, 1)[:batch]):
        for _ in range(10):
            _, labels = mixed(torch.rand(batch, 1, 3, 6, 6), targets)
            torch.testing.assert_close(labels.sum(1), torch.ones(batch))


def test_identical_clips_come_out_exactly_as_they_went_in():
    clips = torch.randn(1, 2, 3, 8, 8).expand(6, -1, -1, -1, -1).contiguous()
    assert torch.equal(mixed(clips, torch.eye(CLASSES)[:6])[0], clips)


def test_the_global_seed_fixes_the_mixing():
    clips, targets = torch.rand(7, 1, 3, 8, 8), torch.eye(CLASSES)
    runs = []
    for _ in range(2):
        torch.manual_seed(7)
        runs.append(mixed(clips, targets))
    assert all(map(torch.equal, *runs))


@pytest.mark.parametrize("alpha", [0.0, -1.0])
def test_options_out_of_range_are_refused(alpha):
    with pytest.raises(UsageError, match="cutmix: alpha"):
        load_object(AUGMENTATION.build)(num_classes=CLASSES, alpha=alpha)
