"""Clip transforms against Pillow's own operations, and what every one of them promises."""

import colorsys
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from benchmark.training.adapter import import_mmaction
from benchmark.training.randomness import clip_stream

import_mmaction()

from mmaction.registry import TRANSFORMS  # noqa: E402

from benchmark.training import transforms as ops  # noqa: E402

EVERY: list[dict[str, Any]] = [
    {"type": "ClipRandAugment"},
    {"type": "ClipErasing", "prob": 1.0},
    {"type": "ClipColorJitter", "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.4},
    {"type": "ClipRotate", "degrees": 30},
]
NAMES = [config["type"] for config in EVERY]


def noise(height=37, width=50, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height=60, width=80):
    """A picture without edges, on which interpolation rules hardly differ."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 11 + y / 17), np.cos(x / 13 - y / 9), np.sin(x / 19) * np.cos(y / 15)]
    return np.stack([127 + 100 * wave for wave in waves], axis=-1).astype(np.uint8)


def pillow(change, frame, *arguments):
    return np.asarray(change(Image.fromarray(frame), *arguments))


def difference(left, right):
    return np.abs(left.astype(int) - right.astype(int))


def run(config, frames, seed=0):
    with clip_stream(seed):
        return TRANSFORMS.build(dict(config))({"imgs": frames})["imgs"]


FRAMES = [noise(), smooth(), noise() // 4 + 90, np.full((9, 7, 3), 77, dtype=np.uint8)]


@pytest.mark.parametrize("frame", FRAMES, ids=["noise", "smooth", "narrow", "one colour"])
class TestAgainstPillow:
    def test_tables_are_equal(self, frame):
        assert np.array_equal(ops.autocontrast(frame), pillow(ImageOps.autocontrast, frame))
        assert np.array_equal(ops.equalize(frame), pillow(ImageOps.equalize, frame))
        assert np.array_equal(ops.invert(frame), pillow(ImageOps.invert, frame))
        for bits in range(1, 5):
            assert np.array_equal(ops.posterize(frame, bits), pillow(ImageOps.posterize, frame, bits))
        for threshold in (0, 77, 128, 256):
            assert np.array_equal(ops.solarize(frame, threshold), pillow(ImageOps.solarize, frame, threshold))

    @pytest.mark.parametrize("factor", [0.0, 0.1, 0.63, 1.0, 1.37, 1.9])
    def test_enhancements_differ_by_one_level_at_most(self, frame, factor):
        for change, reference in (
            (ops.adjust_brightness, ImageEnhance.Brightness),
            (ops.adjust_contrast, ImageEnhance.Contrast),
            (ops.adjust_saturation, ImageEnhance.Color),
            (ops.adjust_sharpness, ImageEnhance.Sharpness),
        ):
            expected = pillow(lambda image, of=reference: of(image).enhance(factor), frame)
            assert difference(change(frame, factor), expected).max() <= 2, reference


def assert_equal_inside(change, expected):
    """At the border Pillow repeats the last pixel while OpenCV blends it with the fill, so that is left out."""
    inside = change(np.full_like(smooth(), 200)) == 200
    assert inside.mean() > 0.4
    assert difference(change(smooth()), expected)[inside].max() <= 2


@pytest.mark.parametrize(
    "matrix",
    [(1, 0.2, 0, 0, 1, 0), (1, 0, 0, -0.25, 1, 0), (1, 0, 17.3, 0, 1, 0), (1, 0, 0, 0, 1, -21)],
    ids=["shear x", "shear y", "translate x", "translate y"],
)
def test_a_warp_is_pillows_affine_transform(matrix):
    expected = pillow(
        lambda image: image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC), smooth()
    )
    assert_equal_inside(lambda image: ops.warp(image, (matrix[:3], matrix[3:]), ops.GREY, cv2.INTER_CUBIC), expected)


@pytest.mark.parametrize("degrees", [-30, 4, 90])
def test_a_rotation_is_pillows(degrees):
    expected = pillow(lambda image: image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=ops.GREY), smooth())
    assert_equal_inside(lambda image: ops.rotate(image, degrees, ops.GREY, cv2.INTER_CUBIC), expected)


def test_a_whole_shift_moves_pixels_and_fills_with_the_colour():
    frame = noise(6, 8)
    made = ops.warp(frame, ((1, 0, 3), (0, 1, 0)), (1, 2, 3), cv2.INTER_CUBIC)
    assert np.array_equal(made[:, :5], frame[:, 3:])
    assert (made[:, 5:] == (1, 2, 3)).all()


def test_the_dark_half_gets_lighter():
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert ops.solarize_add(levels, 110)[0, [0, 127, 128, 255], 0].tolist() == [110, 237, 128, 255]


@pytest.mark.parametrize("turn", [-0.5, -0.2, 0.1, 0.4])
def test_a_hue_is_turned_by_its_share_of_the_circle(turn):
    frame = noise(8, 8)
    expected = []
    for pixel in frame.reshape(-1, 3) / 255:
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        expected.append(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value))
    assert difference(ops.adjust_hue(frame, turn), np.array(expected).reshape(frame.shape) * 255).max() <= 12


@pytest.mark.parametrize("config", EVERY, ids=NAMES)
class TestEveryTransform:
    def test_the_frames_that_came_in_are_left_as_they_were(self, config):
        frames = [noise(seed=seed) for seed in range(3)]
        for frame in frames:
            frame.setflags(write=False)
        before = [frame.copy() for frame in frames]
        for seed in range(30):
            run(config, frames, seed)
        assert all(np.array_equal(frame, copy) for frame, copy in zip(frames, before, strict=True))

    @pytest.mark.parametrize("shape", [(2, 3), (17, 40), (64, 64)])
    def test_shape_and_type_stay(self, config, shape):
        for seed in range(40):
            made = run(config, [noise(*shape)] * 2, seed)
            assert all(frame.shape == (*shape, 3) and frame.dtype == np.uint8 for frame in made)

    def test_the_clips_stream_decides_everything(self, config):
        frames = [noise(seed=seed) for seed in range(2)]
        draws = [np.stack(run(config, frames, seed)).tobytes() for seed in range(20)]
        assert draws == [np.stack(run(config, frames, seed)).tobytes() for seed in range(20)]
        assert len(set(draws)) > 10

    def test_views_with_odd_strides_are_frames_too(self, config):
        for seed in range(20):
            view = noise()[:, ::-1]
            assert np.array_equal(run(config, [view], seed)[0], run(config, [view.copy()], seed)[0])


@pytest.mark.parametrize("config", [EVERY[0], *EVERY[2:]], ids=[NAMES[0], *NAMES[2:]])
def test_equal_frames_stay_equal(config):
    for seed in range(50):
        first, second = run(config, [noise()] * 2, seed)
        assert np.array_equal(first, second)


@pytest.mark.parametrize("config", EVERY[1:], ids=NAMES[1:])
def test_with_probability_zero_nothing_happens(config):
    frames = [noise()]
    assert all(run({**config, "prob": 0.0}, frames, seed)[0] is frames[0] for seed in range(20))


class TestRandAugment:
    augment = ops.ClipRandAugment()

    @pytest.mark.parametrize("name", ops.ClipRandAugment.OPERATIONS)
    def test_an_operation_grows_stronger_with_the_magnitude(self, name):
        """Except for the three that have no strength, which do the same at every magnitude."""
        frame = smooth() // 2 + 60
        changes = [
            difference(self.augment.operation(name, strength, 1)(frame), frame).mean() for strength in (0.1, 0.5, 0.9)
        ]
        assert changes == sorted(changes)
        assert (changes[0] < changes[-1]) == (name not in ("autocontrast", "equalize", "invert"))

    def test_at_no_strength_the_directed_operations_do_nothing(self):
        frame = noise()
        for name in ("rotate", "saturation", "contrast", "brightness", "sharpness", "shear_x", "translate_y"):
            assert np.array_equal(self.augment.operation(name, 0, 1)(frame), frame), name

    def test_strengths_at_magnitude_seven(self):
        levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
        made = {name: self.augment.operation(name, 0.7, 1)(levels)[:, 0, 0] for name in self.augment.OPERATIONS}
        assert len(set(made["posterize"])) == 4
        assert made["solarize"][76] == 76 and made["solarize"][77] == 178
        assert made["solarize_add"][0] == int(0.7 * 110)
        assert made["brightness"][100] == 163
        wide = np.zeros((100, 100, 3), dtype=np.uint8)
        assert (self.augment.operation("translate_x", 0.7, 1)(wide)[:, :, 0] == 128).mean() == pytest.approx(
            0.315, 0.05
        )

    def test_as_many_operations_are_applied_as_half_the_draws(self, monkeypatch):
        applied = []
        monkeypatch.setattr(
            ops.ClipRandAugment,
            "operation",
            lambda _, name, strength, sign: applied.append((name, strength, sign)) or (lambda frame: frame),
        )
        for seed in range(1000):
            run(EVERY[0], [noise(4, 4)], seed)
        names, strengths, signs = zip(*applied, strict=True)
        assert len(applied) == pytest.approx(2000, rel=0.1)
        assert set(names) == set(ops.ClipRandAugment.OPERATIONS) and len(ops.ClipRandAugment.OPERATIONS) == 15
        assert np.mean(strengths) == pytest.approx(0.7, abs=0.01) and np.std(strengths) == pytest.approx(
            0.05, abs=0.005
        )
        assert np.mean(signs) == pytest.approx(0, abs=0.1)


class TestErasing:
    def test_one_box_for_the_clip_with_new_noise_in_every_frame(self):
        black = np.zeros((60, 80, 3), dtype=np.uint8)
        for seed in range(30):
            first, second = (frame.any(axis=2) for frame in run(EVERY[1], [black, black], seed))
            rows, columns = np.nonzero(first | second)
            box = np.zeros_like(first)
            box[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
            assert (first == box).mean() > 0.99 and (second == box).mean() > 0.99
            made = run(EVERY[1], [black, black], seed)
            assert not np.array_equal(*made)

    def test_the_box_covers_the_shares_and_shapes_that_were_asked_for(self):
        erasing = ops.ClipErasing()
        boxes = []
        for seed in range(500):
            with clip_stream(seed):
                box = erasing._box(200, 200)
            assert box
            rows, columns = box
            boxes.append((rows.stop - rows.start, columns.stop - columns.start))
            assert rows.start >= 0 and rows.stop <= 200 and columns.start >= 0 and columns.stop <= 200
        heights, widths = np.array(boxes).T
        shares, shapes = heights * widths / 40_000, heights / widths
        assert 0.018 < shares.min() < 0.04 and 0.30 < shares.max() < 0.34
        assert 0.28 < shapes.min() < 0.4 and 2.5 < shapes.max() < 3.6
        assert np.median(shapes) == pytest.approx(1, abs=0.15)

    def test_the_noise_is_standard_normal_after_normalisation(self):
        mean, std = (100.0, 120.0, 140.0), (10.0, 20.0, 30.0)
        frame = np.zeros((300, 300, 3), dtype=np.uint8)
        made = run({**EVERY[1], "mean": mean, "std": std, "area": (0.3, 0.33)}, [frame])[0]
        drawn = made[made.any(axis=2)]
        np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=1)
        np.testing.assert_allclose(drawn.std(axis=0), std, rtol=0.02)

    def test_it_happens_as_often_as_asked(self):
        frame = noise()
        changed = [not np.array_equal(run({"type": "ClipErasing"}, [frame], seed)[0], frame) for seed in range(1000)]
        assert np.mean(changed) == pytest.approx(0.25, abs=0.04)


class TestColorJitter:
    def test_a_factor_is_uniform_in_its_range(self):
        grey = np.full((2, 2, 3), 100, dtype=np.uint8)
        levels = [run({"type": "ClipColorJitter", "brightness": 0.6}, [grey], seed)[0][0, 0, 0] for seed in range(1000)]
        assert min(levels) in (40, 41) and max(levels) in (158, 159)
        assert np.mean(levels) == pytest.approx(100, abs=4)

    def test_the_order_of_the_steps_is_random(self):
        config = {"type": "ClipColorJitter", "brightness": 0.4, "contrast": 0.4}
        jitter, orders = TRANSFORMS.build(dict(config)), set()
        jitter.steps = [(lambda frame, _, number=number: np.append(frame, number), (0, 1)) for number in range(4)]
        for seed in range(300):
            with clip_stream(seed):
                orders.add(tuple(jitter({"imgs": [np.array([])]})["imgs"][0]))
        assert len(orders) == 24


def test_a_rotation_is_uniform_in_its_range(monkeypatch):
    angles = []
    monkeypatch.setattr(ops, "rotate", lambda frame, degrees, *_: angles.append(degrees) or frame)
    for seed in range(1000):
        run({"type": "ClipRotate", "degrees": 4, "prob": 0.5}, [noise()], seed)
    assert len(angles) == pytest.approx(500, abs=60)
    assert -4 <= min(angles) < -3.9 and 3.9 < max(angles) <= 4 and np.mean(angles) == pytest.approx(0, abs=0.4)
