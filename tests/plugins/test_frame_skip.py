import numpy as np
import pytest
from scipy import stats

from benchmark.errors import UsageError
from benchmark.specs import load_object
from benchmark.training.adapter import import_mmaction
from benchmark_plugins.frame_skip import AUGMENTATION

import_mmaction()

from mmaction.registry import TRANSFORMS  # noqa: E402

import benchmark_plugins.frame_skip.transform  # noqa: E402, F401


def skipping(**options):
    return TRANSFORMS.build(load_object(AUGMENTATION.build)(num_classes=7, **options))


def clip(frames):
    """Frame t is t everywhere."""
    return [np.full((2, 2, 3), t, dtype=np.uint8) for t in range(frames)]


def seen(frames):
    return [int(frame[0, 0, 0]) for frame in frames]


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(0)


def test_a_frame_is_kept_by_a_bernoulli_draw_at_a_rate_drawn_for_the_clip():
    """The number of kept frames, over a uniform rate, has a closed form: a beta integral per count."""
    frames, draws = 10, 20_000
    counts = np.bincount([len(skipping(low=0.0, high=0.999999).keep(frames)) for _ in range(draws)], minlength=11)
    # With a rate uniform in 0..1 every count from 0 to T is equally likely; none kept becomes one kept.
    expected = np.array([0, 2, *[1] * 9]) * draws / 11
    assert counts[0] == 0
    assert stats.chisquare(counts[1:], expected[1:]).pvalue > 0.001


def test_the_rate_follows_the_papers_uniform_distribution():
    skip = skipping()
    rates = [1 - len(skip.keep(100_000)) / 100_000 for _ in range(300)]
    assert stats.kstest(rates, stats.uniform(0.2, 0.2).cdf).pvalue > 0.01


@pytest.mark.parametrize("place", [0, 7, 15])
def test_every_place_is_kept_equally_often(place):
    kept = sum(place in skipping(low=0.3, high=0.3).keep(16) for _ in range(4000))
    assert stats.binomtest(kept, 4000, 0.7).pvalue > 0.001


@pytest.mark.parametrize("refill", ["resample", "pad"])
@pytest.mark.parametrize("frames", [1, 2, 16])
def test_the_method_gets_its_number_of_frames_in_order(refill, frames):
    for _ in range(100):
        places = seen(skipping(refill=refill)({"imgs": clip(frames)})["imgs"])
        assert len(places) == frames
        assert places == sorted(places)


def test_resampling_spreads_what_is_left_and_padding_repeats_the_last():
    kept = np.array([0, 3, 4, 6])
    assert skipping(refill="resample").fill(kept, 8).tolist() == [0, 0, 3, 3, 4, 4, 6, 6]
    assert skipping(refill="resample").fill(kept, 6).tolist() == [0, 0, 3, 4, 4, 6]
    assert skipping(refill="pad").fill(kept, 8).tolist() == [0, 3, 4, 6, 6, 6, 6, 6]


def test_nothing_is_skipped_at_a_rate_of_zero():
    for refill in ("resample", "pad"):
        skip = skipping(low=0.0, high=0.0, refill=refill)
        assert seen(skip({"imgs": clip(9)})["imgs"]) == list(range(9))


def test_a_frame_takes_its_number_along():
    results = skipping()({"imgs": clip(16), "frame_numbers": np.arange(16) + 100})
    assert results["frame_numbers"].tolist() == [100 + t for t in seen(results["imgs"])]


def test_one_frame_stays_where_chance_drops_all():
    assert {tuple(skipping(low=0.999, high=0.999).keep(2)) for _ in range(50)} == {(0,), (1,)}


@pytest.mark.parametrize("options", [{"low": 0.5}, {"low": -0.1}, {"low": 1.0, "high": 1.0}, {"refill": "loop"}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match="frame-skip: "):
        load_object(AUGMENTATION.build)(num_classes=7, **options)
