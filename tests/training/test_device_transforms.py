"""Changes of clips on the device give the bytes that the CPU's transforms give."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from benchmark.planning.request import Request, Variant
from benchmark.running.steps import run_unit
from benchmark.training import transforms
from benchmark.training.adapter import import_mmaction
from benchmark.training.device_transforms import CHANGES, apply_changes, leave_to_device
from benchmark.training.randomness import clip_stream
from tests.small_runs import Remembering, planned

import_mmaction()

from mmaction.registry import TRANSFORMS  # noqa: E402

SIZE = 48
AUGMENT = transforms.ClipRandAugment()
STRONG: list[dict[str, Any]] = [
    {"type": "ClipRandAugment", "magnitude": 7, "num_ops": 4, "magnitude_std": 0.5},
    {"type": "RandomResizedCrop", "area_range": (0.08, 1.0), "aspect_ratio_range": (3 / 4, 4 / 3)},
    {"type": "Resize", "scale": (SIZE, SIZE), "keep_ratio": False},
    {"type": "Flip", "flip_ratio": 0.5},
    {"type": "ClipErasing", "prob": 0.25},
]
PACKING: list[dict[str, Any]] = [
    {"type": "FormatShape", "input_format": "NCTHW"},
    {"type": "PackActionInputs", "meta_keys": ("clip_id",), "algorithm_keys": ()},
]


def clip(seed, shape=(SIZE, SIZE), frames=3):
    """Frames with smooth parts, sharp edges, and few levels in the last of them."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (frames, *shape, 3), dtype=np.uint8)
    coarse = random.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, shape[::-1])
    return [noise[0], smooth, *(noise[2:] // 200 * 30 + 7)]


def tensor(frames):
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)


def pixels(frames):
    return list(frames.permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize("shape", [(48, 48), (37, 61), (1, 5)], ids=str)
@pytest.mark.parametrize("name", transforms.ClipRandAugment.OPERATIONS)
def test_an_operation_gives_the_same_bytes(name, shape):
    frames = clip(0, shape)
    for strength in (0.0, 0.655, 0.7, 1.0):
        for sign in (-1.0, 1.0):
            expected = [AUGMENT.operation(name, strength, sign)(frame) for frame in frames]
            made = apply_changes(tensor(frames), [AUGMENT.change(name, strength, sign, *shape)])
            assert np.array_equal(expected, pixels(made)), (strength, sign)


def test_levels_are_stretched_alike_from_every_range():
    for spread in range(1, 201, 4):
        levels = np.arange(spread + 1, dtype=np.uint8)[:, None, None] + np.array([0, 17, 55], dtype=np.uint8)
        expected = transforms.autocontrast(levels)
        assert np.array_equal(expected, pixels(CHANGES["autocontrast"](tensor([levels])))[0]), spread


@pytest.mark.parametrize("factor", [0.1, 0.37, 1.37, 1.63, 1.9])
def test_mixing_two_levels_rounds_alike_for_every_pair(factor):
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 256, axis=1)
    pairs = np.stack([levels, levels.T, levels], axis=2)
    expected = transforms.adjust_saturation(pairs, factor)
    assert np.array_equal(expected, pixels(CHANGES["adjust_saturation"](tensor([pairs]), factor))[0])


def test_a_crop_is_enlarged_to_the_same_bytes():
    frames = clip(1, (224, 224))
    random = np.random.default_rng(2)
    for width, height in [*random.integers(1, 225, (12, 2)).tolist(), (224, 224), (112, 112), (1, 1)]:
        left, top = random.integers(0, 225 - width), random.integers(0, 225 - height)
        box = [frame[top : top + height, left : left + width] for frame in frames]
        expected = [cv2.resize(part, (224, 224), interpolation=cv2.INTER_LINEAR) for part in box]
        made = CHANGES["crop"](tensor(frames), left, top, left + width, top + height, 224, 224)
        assert np.array_equal(expected, pixels(made)), (width, height)


def through(steps, frames, seed):
    """The packed inputs of a clip."""
    init_default_scope("mmaction")
    results = {"imgs": list(frames), "img_shape": frames[0].shape[:2], "modality": "RGB", "clip_id": "a"}
    results |= {"num_clips": 1, "clip_len": len(frames)}
    with clip_stream(seed):
        for step in steps:
            results = TRANSFORMS.build(dict(step))(results)
        after = np.random.random()
    inputs = results["inputs"]
    return apply_changes(inputs, getattr(results["data_samples"], "changes", ())), inputs, after


@pytest.mark.parametrize("shape", ["NCTHW", "NCHW"])
def test_a_whole_pipeline_gives_the_same_bytes_and_draws_as_much(shape):
    steps = [*STRONG, {**PACKING[0], "input_format": shape}, PACKING[1]]
    changed = 0
    for seed in range(16):
        expected, _, after = through(steps, clip(seed), seed)
        made, read, same = through(leave_to_device(steps), clip(seed), seed)
        assert torch.equal(made, expected) and after == same, seed
        changed += not torch.equal(made, read)
    assert changed == 16


def test_frames_of_another_size_are_changed_where_they_are_read():
    steps = [*STRONG, *PACKING]
    expected, _, _ = through(steps, clip(3, (64, 50)), 3)
    made, read, _ = through(leave_to_device(steps), clip(3, (64, 50)), 3)
    assert torch.equal(made, expected) and torch.equal(read, expected)


@pytest.mark.parametrize(
    "steps",
    [STRONG[1:], [STRONG[0]], [*STRONG, {"type": "CutOutFrames"}], [STRONG[0], {"type": "AntialiasedResize"}]],
    ids=["no RandAugment", "no crop", "an unknown step", "another resize"],
)
def test_other_pipelines_are_left_as_they_are(steps):
    assert leave_to_device([*steps, *PACKING]) == [*steps, *PACKING]


def test_a_unit_ends_with_the_same_predictions_wherever_its_clips_are_changed(synthetic_root, tmp_path, monkeypatch):
    settings = ("epochs=1", "preset.strong=true", "decode_size=32")
    request = Request("dfew-5fold", (Variant("videomae"),), preset="small", folds=(1,), settings=settings, limit=16)

    def predictions(place, workers):
        group, machine = planned(request, synthetic_root, place)
        machine = dataclasses.replace(machine, workers=workers)
        return run_unit(group.units[0], group.data.folds[1], machine, Remembering()).predictions

    expected = predictions(tmp_path / "cpu", 0)
    left = []

    def leave(config):
        dataset = config.train_dataloader.dataset
        dataset.pipeline = leave_to_device(dataset.pipeline)
        left.append([step["type"] for step in dataset.pipeline])

    monkeypatch.setattr("benchmark.training.unit.leave_to_accelerator", leave)
    assert predictions(tmp_path / "device", 1) == expected
    assert left[0][:3] == ["ReadFrames", "DrawChanges", "FormatShape"]
