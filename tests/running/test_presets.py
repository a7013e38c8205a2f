"""A preset on a dataset: what differs there, what `--set` changes of it, and the learning rate that it comes to."""

from __future__ import annotations

import dataclasses
import json

import pytest

from benchmark.errors import UsageError
from benchmark.registry import registry
from benchmark.specs import Preset, Sampling, load_object
from benchmark.units.presets import changed_preset, chosen_preset, effective_rate
from tests.conftest import benchmark

PRESET = Preset(
    size=32,
    sampling=Sampling(clips=1, length=16, stride=4),
    epochs=10,
    batch_size=96,
    reference_batch=256,
    model={"mixing": True, "depth": 2},
    datasets={"short": {"sampling": Sampling(clips=1, length=16), "batch_size": 120, "model": {"mixing": False}}},
)


def of(method, dataset, name="paper", **overrides):
    spec = registry().methods[method]
    preset = chosen_preset(spec, name, overrides, dataset)
    recipe = load_object(spec.recipe)(preset, 7)
    return preset, recipe, effective_rate(recipe, preset, overrides)


def test_a_preset_is_another_one_on_a_dataset_that_it_names():
    there = PRESET.on("short")
    assert (there.sampling.stride, there.batch_size, there.epochs) == (1, 120, 10)
    assert there.model == {"mixing": False, "depth": 2}
    assert PRESET.on("elsewhere") == dataclasses.replace(PRESET, datasets={})


def test_a_misspelt_field_of_a_dataset_is_an_error():
    with pytest.raises(TypeError, match="bach_size"):
        dataclasses.replace(PRESET, datasets={"short": {"bach_size": 3}}).on("short")


@pytest.mark.parametrize(
    ("method", "dataset", "sampling", "batch", "rate"),
    [
        ("mae-dfer", "dfew", Sampling(1, 16, 4), 96, 3.75e-4),
        ("mae-dfer", "mafw", Sampling(1, 16, 4), 96, 3.75e-4),
        ("mae-dfer", "ferv39k", Sampling(1, 16, 1), 120, 4.6875e-4),
        ("mae-dfer", "ferv39k-plus", Sampling(1, 16, 1), 120, 4.6875e-4),
        ("videomae", "ferv39k", Sampling(1, 16, 1), 64, 1.25e-4),
        ("s2d", "dfew", Sampling(16), 16, 2e-5),
        ("s2d", "ferv39k", Sampling(1, 16), 16, 2e-5),
        ("former-dfer", "ferv39k", Sampling(8, 2), 32, 0.01),
        ("former-dfer", "afew", Sampling(8, 2), 32, 0.001),
        ("m3dfel", "dfew", Sampling(16), 256, 5e-4),
    ],
)
def test_sampling_batch_and_rate_are_the_official_scripts(method, dataset, sampling, batch, rate):
    preset, _, effective = of(method, dataset)
    assert (preset.sampling, preset.batch_size) == (sampling, batch)
    assert effective == pytest.approx(rate)


def test_self_distillation_replaces_mixing_smoothing_and_dropout_on_ferv39k_alone():
    _, there, _ = of("s2d", "ferv39k")
    head = there.model["cls_head"]
    assert (head["sdl"], head["label_smooth_eps"], head["dropout_ratio"], there.mixing) == (True, 0.0, 0.0, None)
    _, elsewhere, _ = of("s2d", "mafw")
    assert elsewhere.model["cls_head"]["sdl"] is False
    assert elsewhere.mixing is not None


@pytest.mark.parametrize("method", sorted(registry().methods))
def test_every_rate_follows_the_batch(method):
    preset, _, rate = of(method, "dfew")
    doubled, _, twice = of(method, "dfew", batch_size=2 * preset.batch_size)
    assert doubled.batch_size == 2 * preset.batch_size
    assert twice == pytest.approx(2 * rate)


def test_a_rate_that_is_set_is_the_rate_whatever_the_batch():
    _, _, rate = of("mae-dfer", "dfew", **{"batch_size": 8, "optim_wrapper.optimizer.lr": 0.5})
    assert rate == 0.5


def test_the_config_that_trains_has_the_rate_for_its_batch():
    from benchmark.training.config import schedule_config

    preset, recipe, rate = of("mae-dfer", "ferv39k")
    assert schedule_config(recipe, preset, "0")["optim_wrapper"]["optimizer"]["lr"] == rate


def test_an_afew_training_keeps_its_rate_to_the_end():
    preset, recipe, _ = of("former-dfer", "afew")
    [schedule] = recipe.param_scheduler
    assert preset.epochs == 20 < schedule["step_size"]


@pytest.mark.parametrize("epochs", [1, 2, 3, 14, 50])
def test_tsm_keeps_its_full_rate_through_the_first_epoch(epochs):
    _, recipe, _ = of("tsm", "dfew", epochs=epochs)
    assert min(recipe.param_scheduler[0]["milestones"]) >= 1


def test_sampling_can_be_set():
    changed = changed_preset(PRESET, {"sampling.clips": 2, "sampling.stride": 3})
    assert changed.sampling == Sampling(clips=2, length=16, stride=3)


def test_options_of_the_preset_can_be_set_and_others_are_refused():
    assert changed_preset(PRESET, {"preset.mixing": False}).model == {"mixing": False, "depth": 2}
    with pytest.raises(UsageError, match="did you mean 'mixing'"):
        changed_preset(PRESET, {"preset.mixin": False})


@pytest.mark.parametrize("setting", ["sampling.clips=0", "sampling.stride=1.5", "preset.nothing=1"])
def test_a_setting_that_cannot_be_is_a_usage_error(setting, tmp_path):
    options = ("--protocol", "dfew-5fold", "--method", "mae-dfer", "--demo", "--dry-run", "-o", tmp_path)
    done = benchmark("run", *options, "--set", setting)
    assert done.returncode == 2
    assert setting.partition("=")[0] in done.stderr


def test_show_has_the_recipe_of_a_protocols_dataset():
    there = json.loads(benchmark("show", "mae-dfer", "--protocol", "ferv39k", "--frames", "25", "--json").stdout)
    paper = there["recipes"]["paper"]
    assert paper["sampling"] == "1 x 16, stride 1"
    assert paper["learning rate"] == "0.0004687 for a batch of 120 (0.001 per 256)"
    assert paper["of 25 frames"] == "5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"
    assert "--protocol P" in benchmark("show", "mae-dfer").stderr


def test_only_a_method_is_shown_under_a_protocol():
    done = benchmark("show", "dfew", "--protocol", "ferv39k")
    assert done.returncode == 2
    assert "'dfew' is not" in done.stderr
