import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from scipy import stats
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark.errors import UsageError
from benchmark.specs import load_object
from benchmark.training.adapter import import_mmaction
from benchmark_plugins.midas import AUGMENTATION, figure

import_mmaction()

from mmaction.registry import MODELS  # noqa: E402
from mmaction.structures import ActionDataSample  # noqa: E402

from benchmark_plugins.midas.blending import draw_partners  # noqa: E402

CLASSES = 7


class FixedLambda:
    def __init__(self, value):
        self.value = value

    def sample(self, shape):
        return torch.full(shape, self.value, dtype=torch.float64)


def blending(lam=None, **options):
    mixer = MODELS.build(load_object(AUGMENTATION.build)(num_classes=CLASSES, **options))
    if lam is not None:
        mixer.beta = FixedLambda(lam)
    return mixer


def samples(targets, ids=None):
    ids = range(len(targets)) if ids is None else ids
    made = [ActionDataSample(metainfo={"clip_id": str(clip)}) for clip in ids]
    for sample, target in zip(made, targets, strict=True):
        sample.set_gt_label(target)
    return made


def votes(*counts):
    return torch.tensor(counts, dtype=torch.float32) / sum(counts)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", [(8, 3, 6, 6), (1, 3, 8, 6, 6)], ids=["NCHW", "NCTHW"])
def test_every_frame_and_the_target_are_mixed_by_the_same_lambda(shape):
    clips = torch.randn(2, *shape)
    first, second = votes(6, 2, 1, 1, 0, 0, 0), votes(0, 0, 0, 3, 7, 0, 0)
    mixed, made = blending(0.3)(clips.clone(), samples([first, second]))
    torch.testing.assert_close(mixed[0], 0.3 * clips[0] + 0.7 * clips[1], atol=1e-6, rtol=0)
    torch.testing.assert_close(mixed[1], 0.3 * clips[1] + 0.7 * clips[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(made[0].gt_label, (0.3 * first + 0.7 * second).softmax(0), atol=1e-6, rtol=0)
    torch.testing.assert_close(made[1].gt_label, (0.3 * second + 0.7 * first).softmax(0), atol=1e-6, rtol=0)


def test_without_normalisation_the_target_is_the_mixture():
    first, second = votes(6, 2, 1, 1, 0, 0, 0), votes(0, 0, 0, 3, 7, 0, 0)
    _, made = blending(0.3, normalise="none")(torch.rand(2, 4, 3, 2, 2), samples([first, second]))
    torch.testing.assert_close(made[0].gt_label, 0.3 * first + 0.7 * second, atol=1e-6, rtol=0)


def test_the_batch_that_came_in_is_left_as_it_was():
    clips = torch.randn(4, 2, 3, 4, 4)
    before = clips.clone()
    blending(0.3)(clips, samples(torch.eye(CLASSES)[:4]))
    assert torch.equal(clips, before)


def test_the_batch_is_copied_once():
    class Copies(TorchDispatchMode):
        made = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor) and out.numel() == clips.numel():
                storages = [arg.untyped_storage().data_ptr() for arg in args if isinstance(arg, torch.Tensor)]
                self.made += out.untyped_storage().data_ptr() not in storages
            return out

    clips, targets = torch.randn(4, 2, 3, 16, 16), torch.eye(CLASSES)[:4]
    with Copies() as copies:
        blending().do_blending(clips, targets)
    assert copies.made == 1


def test_hard_labels_become_one_hot_first():
    hard, soft = samples([2, 5]), samples(torch.eye(CLASSES)[[2, 5]])
    _, from_hard = blending(0.3)(torch.rand(2, 1, 3, 2, 2), hard)
    _, from_soft = blending(0.3)(torch.rand(2, 1, 3, 2, 2), soft)
    for left, right in zip(from_hard, from_soft, strict=True):
        torch.testing.assert_close(left.gt_label, right.gt_label)


def test_softmax_flattens_a_one_hot_target_to_the_documented_figures():
    _, made = blending()(torch.rand(1, 1, 3, 2, 2), samples([torch.eye(CLASSES)[3]]))
    target = made[0].gt_label
    assert target[3].item() == pytest.approx(math.e / (math.e + 6)) == pytest.approx(0.3118, abs=1e-4)
    assert target[0].item() == pytest.approx(0.1147, abs=1e-4)


def test_the_readmes_figure_shows_what_the_softmax_does():
    def words(text):
        return re.findall(r">([^<>]+)</text>", text)

    assert words((Path(__file__).parents[2] / figure.FILE).read_text()) == words(figure.figure_text())
    _, made = blending()(torch.rand(1, 1, 3, 2, 2), samples([torch.tensor(figure.VOTES)]))
    assert {f"{share:.2f}" for share in made[0].gt_label.tolist()} <= set(words(figure.figure_text()))


@pytest.mark.parametrize("normalise", ["softmax", "none"])
@pytest.mark.parametrize("per_pair", [False, True])
def test_targets_stay_distributions(normalise, per_pair):
    for size in (1, 2, 3, 16):
        targets = torch.rand(size, CLASSES).softmax(1)
        _, made = blending(normalise=normalise, per_pair=per_pair)(torch.rand(size, 1, 3, 2, 2), samples(targets))
        assert [m.gt_label.sum().item() for m in made] == pytest.approx([1.0] * size, abs=1e-6)


def test_identical_clips_come_out_exactly_as_they_went_in():
    clips = torch.randn(1, 2, 3, 5, 5).expand(6, -1, -1, -1, -1).contiguous()
    mixed, _ = blending()(clips, samples(torch.eye(CLASSES)[:6]))
    assert torch.equal(mixed, clips)


def test_no_clip_meets_itself_or_its_duplicate_in_ten_thousand_batches():
    for _ in range(10_000):
        size = int(torch.randint(2, 17, ()))
        ids = torch.randint(0, 12, (size,))
        partner = draw_partners(ids.tolist())
        if len(ids.unique()) > 1:
            assert not (ids[partner] == ids).any()


def test_partners_are_a_permutation_whenever_one_exists():
    for ids in (range(16), [0, 0, 1, 2], [0, 0, 0, 1, 2, 3], [0, 0, 0, 1, 1, 1]):
        for _ in range(100):
            assert sorted(draw_partners(list(ids)).tolist()) == list(range(len(ids)))


def test_a_clip_that_fills_most_of_the_batch_is_still_mixed_with_others():
    for _ in range(100):
        partner = draw_partners(["a"] * 13 + ["b", "c", "d"])
        assert set(partner[:13].tolist()) <= {13, 14, 15}


def test_every_other_clip_is_equally_likely():
    draws = torch.stack([draw_partners(range(4)) for _ in range(3000)])
    for clip in range(4):
        counts = draws[:, clip].bincount(minlength=4)
        assert counts[clip] == 0
        assert stats.chisquare(counts[torch.arange(4) != clip].numpy()).pvalue > 0.001


def test_a_batch_of_two_swaps():
    assert all(draw_partners(["a", "b"]).tolist() == [1, 0] for _ in range(20))


@pytest.mark.parametrize("ids", [["a"], ["a", "a", "a"]], ids=["batch of one", "one clip three times"])
def test_a_clip_without_a_partner_is_left_unmixed_and_its_target_normalised(ids):
    clips, targets = torch.randn(len(ids), 2, 3, 4, 4), torch.eye(CLASSES)[: len(ids)]
    mixed, made = blending()(clips, samples(targets, ids))
    assert torch.equal(mixed, clips)
    torch.testing.assert_close(torch.stack([m.gt_label for m in made]), targets.softmax(1))


@pytest.mark.parametrize("alpha", [0.3, 0.8])
def test_lambda_follows_the_beta_distribution(alpha):
    black_and_white = torch.stack([torch.zeros(1), torch.ones(1)]).double()
    mixer = blending(alpha=alpha)
    lambdas = [1 - mixer.do_blending(black_and_white, torch.eye(2))[0][0].item() for _ in range(2000)]
    assert stats.kstest(lambdas, stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_one_lambda_for_the_batch_unless_one_per_pair_is_asked_for():
    ramp = torch.arange(16.0).view(16, 1)
    for per_pair, kinds in ((False, 1), (True, 16)):
        mixed, target = blending(per_pair=per_pair, normalise="none").do_blending(ramp, torch.eye(16))
        own = target.diagonal()
        assert len(own.round(decimals=5).unique()) == kinds
        torch.testing.assert_close(mixed.flatten(), target @ ramp.flatten())


def test_the_global_seed_fixes_the_mixing():
    def run():
        torch.manual_seed(7)
        return blending().do_blending(torch.arange(8.0).view(8, 1), torch.eye(8))[0]

    assert all(torch.equal(a, b) for a, b in pairwise(run() for _ in range(3)))


@pytest.mark.parametrize("options", [{"alpha": 0.0}, {"alpha": -1.0}, {"normalise": "sum"}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match=f"midas: {next(iter(options))}"):
        load_object(AUGMENTATION.build)(num_classes=CLASSES, **options)
