import numpy as np
import pytest

from benchmark.specs import Sampling
from benchmark.video.sampling import reorder, sample_frames

TSM = Sampling(clips=8)
FORMER_DFER = Sampling(clips=8, length=2)
VIDEOMAE = Sampling(clips=1, length=16, stride=4)


def test_testing_takes_the_middle_of_each_segment():
    assert sample_frames(80, TSM, None).tolist() == [5, 15, 25, 35, 45, 55, 65, 75]


@pytest.mark.parametrize("count", [10, 16, 33, 144, 847])
def test_testing_follows_former_dfers_rule(count):
    """Zhao and Liu, 2021: tick = (N - 1) / 8, start_k = int(tick / 2 + tick k), then the next frame."""
    tick = (count - 1) / 8
    starts = [int(tick / 2 + tick * k) for k in range(8)]
    expected = [frame for start in starts for frame in (start, min(start + 1, count - 1))]
    assert sample_frames(count, FORMER_DFER, None).tolist() == expected


def test_one_run_is_taken_from_the_middle():
    indices = sample_frames(77, VIDEOMAE, None)
    assert indices.tolist() == list(range(8, 8 + 64, 4))


def test_a_short_clip_repeats_its_last_frame():
    assert sample_frames(20, VIDEOMAE, None).tolist() == [0, 4, 8, 12, 16, *[19] * 11]
    assert sample_frames(1, FORMER_DFER, None).tolist() == [0] * 16


@pytest.mark.parametrize("sampling", [TSM, FORMER_DFER, VIDEOMAE])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 61, 300])
def test_training_stays_inside_the_clip_and_in_order(sampling, count):
    rng = np.random.RandomState(0)
    for _ in range(50):
        indices = sample_frames(count, sampling, rng)
        assert indices.shape == (sampling.frames,)
        assert 0 <= indices.min() <= indices.max() < count
        starts = indices[:: sampling.length]
        assert (np.diff(starts) >= 0).all()


def test_training_draws_every_start_of_a_segment():
    rng = np.random.RandomState(0)
    first = {int(sample_frames(80, TSM, rng)[0]) for _ in range(500)}
    assert first == set(range(10))


def test_controls_destroy_the_order_and_nothing_else():
    indices = np.arange(0, 80, 10)
    shuffled = reorder(indices, "shuffled", np.random.RandomState(0))
    assert sorted(shuffled) == indices.tolist() != shuffled.tolist()
    assert reorder(indices, "single", np.random.RandomState(0)).tolist() == [40] * 8
    assert reorder(indices, "temporal", np.random.RandomState(0)) is indices
