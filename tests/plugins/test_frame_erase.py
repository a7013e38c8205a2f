import numpy as np
import pytest
from scipy import stats

from benchmark.errors import UsageError
from benchmark.specs import load_object
from benchmark.training.adapter import import_mmaction
from benchmark_plugins.frame_erase import AUGMENTATION

import_mmaction()

from mmaction.registry import TRANSFORMS  # noqa: E402

import benchmark_plugins.frame_erase.transform  # noqa: E402, F401

SHAPES = ("pixels", "block")


def erasing(**options):
    return TRANSFORMS.build(load_object(AUGMENTATION.build)(num_classes=7, **options))


def clip(frames=4, height=20, width=30):
    """Without a single black pixel."""
    return [np.random.randint(1, 256, (height, width, 3), dtype=np.uint8) for _ in range(frames)]


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("height", "width", "erased"), [(20, 30, 120), (224, 224, 10_035), (32, 32, 205), (112, 112, 2_509), (7, 40, 56)]
)
def test_exactly_a_fifth_of_the_positions_is_masked(shape, height, width, erased):
    for _ in range(20):
        mask = erasing(shape=shape).mask(height, width)
        assert mask.shape == (height, width)
        assert (mask == 0).sum() == erased == round(0.2 * height * width)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_frame_loses_the_same_positions_and_nothing_else(shape):
    before = clip()
    after = erasing(shape=shape)({"imgs": before})["imgs"]
    black = [(frame == 0).all(axis=2) for frame in after]
    assert black[0].sum() == 120
    for old, new, gone in zip(before, after, black, strict=True):
        assert new.dtype == np.uint8
        assert np.array_equal(gone, black[0])
        assert np.array_equal(new[~gone], old[~gone])


def test_clips_lose_different_positions():
    erase = erasing()
    assert not np.array_equal(erase.mask(20, 30), erase.mask(20, 30))


def test_the_frames_that_came_in_are_left_as_they_were():
    frames = clip()
    before = [frame.copy() for frame in frames]
    erasing()({"imgs": frames})
    assert all(map(np.array_equal, frames, before))


def test_every_position_is_equally_likely():
    erase = erasing()
    counts = sum(1 - erase.mask(5, 8).astype(int) for _ in range(5000))
    assert counts.sum() == 5000 * 8
    # Positions are drawn without replacement, which narrows the counts by this factor.
    statistic = ((counts - 1000) ** 2 / 1000).sum() / (1 - 0.2) * (39 / 40)
    assert stats.chi2(39).sf(statistic) > 0.001


def test_a_block_is_a_box_except_for_its_last_row():
    for _ in range(200):
        gone = erasing(shape="block").mask(23, 17) == 0
        rows, columns = np.flatnonzero(gone.any(axis=1)), np.flatnonzero(gone.any(axis=0))
        box = gone[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert box[:-1].all()
        assert np.array_equal(box[-1], np.sort(box[-1])[::-1])


def test_a_block_reaches_every_corner():
    masks = np.stack([erasing(shape="block").mask(8, 8) for _ in range(500)])
    assert not masks[:, [0, 0, -1], [0, -1, 0]].all(axis=0).any()


@pytest.mark.parametrize("share", [0.01, 0.5, 0.97])
@pytest.mark.parametrize("shape", SHAPES)
def test_any_share_is_exact(share, shape):
    for height, width in ((10, 10), (4, 25)):
        assert (erasing(share=share, shape=shape).mask(height, width) == 0).sum() == round(share * 100)


@pytest.mark.parametrize("options", [{"share": 0.0}, {"share": 1.0}, {"shape": "circle"}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match=f"frame-erase: {next(iter(options))}"):
        load_object(AUGMENTATION.build)(num_classes=7, **options)
