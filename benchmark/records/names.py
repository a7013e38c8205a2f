"""What a record's row is called: only what differs from a default is said."""

from __future__ import annotations

from benchmark.records.model import AugmentationUse, Record
from benchmark.registry import registry

# The preset and the label mode that go without saying.
PRESET, LABELS = "paper", "hard"


def method_name(record: Record) -> str:
    """The method's title, with its preset if that is not the paper's."""
    method = record.method
    return method.title if method.preset == PRESET else f"{method.title} ({method.preset})"


def augmentation_name(used: AugmentationUse) -> str:
    """An augmentation, with those options that differ from the defaults of its version, where these are known here."""
    spec = registry().augmentations.get(used.name)
    known = spec.options if spec is not None and spec.version == used.version else {}
    changed = {key: value for key, value in sorted(used.options.items()) if key not in known or known[key] != value}
    return f"{used.name} ({', '.join(f'{key}={value}' for key, value in changed.items())})" if changed else used.name


def row_name(record: Record) -> str:
    """Method, augmentations, labels and changes of the recipe."""
    parts = [method_name(record), *(f"+ {augmentation_name(used)}" for used in record.augmentations)]
    changes = [f"{key}={value}" for key, value in sorted(record.overrides.recipe.items())]
    labels = [] if record.label_mode == LABELS else [f"{record.label_mode} labels"]
    return ", ".join([" ".join(parts), *labels, *changes])
