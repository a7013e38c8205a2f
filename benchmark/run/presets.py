"""A method's preset with those `--set` values that name one of its fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import PositiveInt, TypeAdapter, ValidationError

from benchmark.errors import UsageError
from benchmark.specs import MethodSpec, Preset

# Preset fields that `--set` may name directly, and what they can be.
PRESET_KEYS: dict[str, Any] = {
    "epochs": PositiveInt,
    "batch_size": PositiveInt,
    "copies": PositiveInt,
    "balanced": bool,
    "size": PositiveInt,
    "decode_size": PositiveInt | None,
}


def chosen_preset(method: MethodSpec, name: str, overrides: Mapping[str, Any]) -> Preset:
    """The method's preset called `name`, changed; see `changed_preset`."""
    if name not in method.presets:
        raise UsageError(f"{method.name} has no preset '{name}'; it has: {', '.join(method.presets)}")
    return changed_preset(method.presets[name], overrides)


def changed_preset(preset: Preset, overrides: Mapping[str, Any]) -> Preset:
    """The preset with those `--set` values that name one of its fields; UsageError for a value it cannot have."""
    changes = {key: value for key, value in overrides.items() if key in PRESET_KEYS}
    for key, value in changes.items():
        try:
            TypeAdapter(PRESET_KEYS[key]).validate_python(value, strict=True)
        except ValidationError as error:
            raise UsageError(f"--set {key}={value}: {error.errors()[0]['msg']}") from None
    return dataclasses.replace(preset, **changes)
