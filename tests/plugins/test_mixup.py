from functools import partial
from pathlib import Path

import pytest
import torch
from scipy import stats

from benchmark.errors import UsageError
from benchmark.planning.request import Request, Variant, parse_augmentation
from benchmark.specs import load_object
from benchmark.training.config import build_config
from benchmark_plugins.mixup import AUGMENTATION
from tests.plugins.mixing import CLASSES, blending_of, mix
from tests.small_runs import planned

blending = partial(blending_of, AUGMENTATION)
mixed = partial(mix, AUGMENTATION)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", [(4, 3, 6, 6), (1, 3, 4, 6, 6)], ids=["NCHW", "NCTHW"])
def test_every_frame_and_the_target_are_mixed_by_the_same_lambda(shape, monkeypatch):
    clips, targets = torch.randn(3, *shape), torch.rand(3, CLASSES).softmax(1)
    mixer = blending()
    monkeypatch.setattr(mixer.beta, "sample", lambda: torch.tensor(0.3))
    monkeypatch.setattr(torch, "randperm", lambda n: torch.tensor([1, 2, 0]))
    frames, labels = mixer.do_blending(clips, targets)
    torch.testing.assert_close(frames, 0.3 * clips + 0.7 * clips[[1, 2, 0]], atol=1e-6, rtol=0)
    torch.testing.assert_close(labels, 0.3 * targets + 0.7 * targets[[1, 2, 0]], atol=1e-6, rtol=0)


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_targets_stay_distributions(batch):
    for targets in (torch.rand(batch, CLASSES).softmax(1), torch.eye(CLASSES).repeat(3, 1)[:batch]):
        _, labels = mixed(torch.rand(batch, 1, 3, 2, 2), targets)
        torch.testing.assert_close(labels.sum(1), torch.ones(batch))


def test_a_class_index_counts_as_its_distribution():
    clips = torch.rand(3, 1, 3, 2, 2)
    torch.manual_seed(1)
    from_index = mixed(clips, [torch.tensor([k]) for k in (2, 5, 0)])
    torch.manual_seed(1)
    from_distribution = mixed(clips, torch.eye(CLASSES)[[2, 5, 0]])
    for left, right in zip(from_index, from_distribution, strict=True):
        torch.testing.assert_close(left, right)


def test_identical_clips_come_out_as_they_went_in():
    clips = torch.randn(1, 2, 3, 5, 5).expand(6, -1, -1, -1, -1).contiguous()
    torch.testing.assert_close(mixed(clips, torch.eye(CLASSES)[:6])[0], clips, atol=1e-6, rtol=0)


@pytest.mark.parametrize("alpha", [0.2, 0.8])
def test_lambda_follows_the_beta_distribution(alpha, monkeypatch):
    mixer, black_and_white = blending(alpha=alpha), torch.tensor([[0.0], [1.0]])
    monkeypatch.setattr(torch, "randperm", lambda n: torch.tensor([1, 0]))
    lambdas = [mixer.do_blending(black_and_white, torch.eye(2))[0][1].item() for _ in range(1000)]
    assert stats.kstest(lambdas, stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_the_global_seed_fixes_the_mixing():
    clips, targets = torch.rand(8, 1, 3, 2, 2), torch.eye(CLASSES)[[0, 1, 2, 3, 4, 5, 6, 0]]
    runs = []
    for _ in range(2):
        torch.manual_seed(7)
        runs.append(mixed(clips, targets))
    assert all(map(torch.equal, *runs))


def test_a_recipes_own_mixing_gives_way_and_can_be_switched_off(synthetic_root):
    def unit(*augmentations, settings=()):
        rows = (Variant("videomae", tuple(map(parse_augmentation, augmentations))),)
        request = Request("dfew-5fold", rows, folds=(1,), settings=settings)
        return planned(request, synthetic_root, Path())[0].units[0]

    def mixing(unit):
        config = build_config(unit, Path("unit"), synthetic_root, synthetic_root, Path("cache"), workers=0)
        return config.model.data_preprocessor.blending

    off = unit(settings=("model.data_preprocessor.blending=null",))
    assert mixing(unit()).type == "RandomBatchAugment"
    assert mixing(unit("mixup:alpha=0.8")) == {"type": "MixupBlending", "num_classes": 7, "alpha": 0.8}
    assert mixing(off) is None
    assert len({unit().identity, unit("mixup").identity, off.identity}) == 3


@pytest.mark.parametrize("alpha", [0.0, -1.0])
def test_options_out_of_range_are_refused(alpha):
    with pytest.raises(UsageError, match="mixup: alpha"):
        load_object(AUGMENTATION.build)(num_classes=CLASSES, alpha=alpha)
