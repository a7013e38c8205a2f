"""Settings that people give as `key=value`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from benchmark.errors import UsageError
from benchmark.files import canonical_json
from benchmark.plain_yaml import parse_yaml
from benchmark.units.setting_rules import check_allowed

PROTOCOL_PREFIX = "protocol."


def _locked(key: str) -> bool:
    return key.startswith(PROTOCOL_PREFIX)


def parse_settings(settings: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """The `key=value` pairs of an option, with values read as YAML (`0.1`, `true`, `[1, 2]`, text)."""
    parsed = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key:
            raise UsageError(f"{option} {setting}: expected key=value")
        try:
            parsed[key] = _number(parse_yaml(value))
            canonical_json(parsed[key])  # dates and infinities have no place in an identity
        except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())
            raise UsageError(
                f"{option} {setting}: the value must be a number, text, true, false, a list or a mapping: {reason}"
            ) from None
        if not _locked(key):
            check_allowed(option, key, parsed[key])
    return parsed


def _number(value: Any) -> Any:
    """YAML 1.1 reads `1e-3` as text; everyone else reads a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
