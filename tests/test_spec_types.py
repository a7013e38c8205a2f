"""Plugins' specs are held to the types that their dataclasses state."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest

from benchmark.registry import load_registry
from benchmark.spec_types import fault_of
from benchmark.specs import MetricSpec, Preset, Recipe, Sampling

PRESET = Preset(size=32, sampling=Sampling(8), epochs=1, batch_size=2)


def changed(**values):
    return dataclasses.replace(PRESET, **values)


def test_every_built_in_spec_is_sound():
    found = load_registry()
    specs = [
        spec for kind in ("methods", "augmentations", "datasets", "metrics") for spec in getattr(found, kind).values()
    ]
    assert len(specs) > 30
    assert [fault_of(spec) for spec in specs] == [None] * len(specs)


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        (changed(epochs=0), "epochs: must be at least 1, not 0"),
        (changed(epochs=True), "epochs: must be a whole number, not True"),
        (changed(epochs=2.0), "epochs: must be a whole number, not 2.0"),
        (changed(size="32"), "size: must be a whole number, not '32'"),
        (changed(size=None), "size: must be a whole number, not None"),
        (changed(decode_size="big"), "decode_size: must be a whole number or None, not 'big'"),
        (changed(balanced=1), "balanced: must be True or False, not 1"),
        (changed(mean=(0.0, 0.0)), "mean: must have 3 values, not 2"),
        (changed(mean=[0.0, 0.0, 0.0]), "mean: must be a tuple, not a list"),
        (changed(std=(1.0, 0.0, 1.0)), "std[1]: must be above 0, not 0.0"),
        (changed(gflops=float("nan")), "gflops: must be a number, not nan"),
        (changed(sampling=Sampling(0)), "sampling.clips: must be at least 1, not 0"),
        (changed(sampling=8), "sampling: must be a Sampling, not 8"),
        (changed(model={1: 2}), "model: a key: must be text, not 1"),
        (MetricSpec("a/b", "T", "C", "m:f"), "name: must be letters, digits, -, _ and ., not 'a/b'"),
        (MetricSpec("..", "T", "C", "m:f"), "name: must be letters, digits, -, _ and ., not '..'"),
        (MetricSpec("kappa", " ", "C", "m:f"), "title: must not be empty, not ' '"),
        (MetricSpec("kappa", "T", "C", "m.f"), "compute: must be an import path `package.module:name`, not 'm.f'"),
        (
            MetricSpec("kappa", "T", "C", "m:f", input=cast(Any, "votes")),
            "input: must be one of 'confusion', 'blends', 'probabilities'",
        ),
        (Recipe({}, cast(Any, "CHWN"), [], [], {}, []), "format_shape: must be one of 'NCHW', 'NCTHW', not 'CHWN'"),
        (Recipe({}, "NCHW", cast(Any, [7]), [], {}, []), "train_transforms[0]: must be a dict, not 7"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_must_be(spec, fault):
    assert (fault_of(spec) or "").startswith(fault)


def test_a_subclass_that_does_things_when_looked_at_is_refused():
    class Sly(str):
        def __eq__(self, other):
            raise SystemExit

        __hash__ = str.__hash__

    assert fault_of(MetricSpec(Sly("kappa"), "T", "C", "m:f")) == "name: must be text, not a Sly"
