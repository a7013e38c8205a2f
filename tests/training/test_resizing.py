"""Frames are resized as the official codes do it: by Pillow's filter where these load frames with Pillow."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmark.registry import registry
from benchmark.specs import load_object
from benchmark.training.adapter import import_mmaction

import_mmaction()

from mmaction.registry import TRANSFORMS  # noqa: E402

import benchmark.training.resizing  # noqa: E402, F401


def resized(frames, **options):
    transform = TRANSFORMS.build({"type": "AntialiasedResize", **options})
    return transform({"imgs": frames, "img_shape": frames[0].shape[:2], "modality": "RGB"})


def noise(height, width):
    return np.random.RandomState(0).randint(256, size=(height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(224, 224), (97, 131), (50, 60)])
def test_frames_are_those_of_pillow_to_the_last_bit(size):
    frame = noise(*size)
    results = resized([frame], scale=(112, 80), keep_ratio=False)
    expected = Image.fromarray(frame).resize((112, 80), Image.Resampling.BILINEAR)
    assert np.array_equal(results["imgs"][0], np.asarray(expected))
    assert results["img_shape"] == (80, 112)


def test_lines_finer_than_the_new_pixels_turn_grey():
    stripes = np.zeros((96, 96, 3), np.uint8)
    stripes[:, ::3] = 255
    small = resized([stripes], scale=(24, 24), keep_ratio=False)["imgs"][0][2:-2, 2:-2]
    assert small.min() > 60
    assert small.max() < 110


def test_proportions_can_be_kept_and_frames_can_be_written_to():
    small = resized([noise(100, 200)], scale=(-1, 50))["imgs"][0]
    assert small.shape == (50, 100, 3)
    small[0] = 0


@pytest.mark.parametrize("method", ["former-dfer", "aen", "gca-ial", "m3dfel"])
def test_what_official_codes_load_with_pillow_is_resized_as_pillow_does(method):
    spec = registry().methods[method]
    recipe = load_object(spec.recipe)(spec.presets["paper"], 7)
    kinds = [step["type"] for step in (*recipe.train_transforms, *recipe.test_transforms)]
    assert "AntialiasedResize" in kinds
    assert "Resize" not in kinds
