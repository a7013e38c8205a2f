"""Every built-in passes what `benchmark check-plugin` asks of anybody's plugin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmark import testing
from benchmark.registry import registry
from benchmark.testing import Check

# Quick for what is drawn or computed here, and minutes for units, trees of clips and paper-size models.
SPECS = {kind: sorted(getattr(registry(), kind)) for kind in ("methods", "augmentations", "metrics", "trackers")}
SLOW_SPECS = {kind: sorted(getattr(registry(), kind)) for kind in ("datasets", "protocols")}
# What says nothing more of a built-in than its other checks, or a test of its own elsewhere, does.
SLOW_CHECKS = {"classes", "soft-targets", "initial-weights", "no-network", "micro-batches"}


def is_slow(check: Check) -> bool:
    large = check.name.startswith("size-") and check.name != "size-small"
    return check.level == "unit" or large or check.name in SLOW_CHECKS


def every_check() -> Iterator[object]:
    for kind, names in {**SPECS, **SLOW_SPECS}.items():
        for name in names:
            for check in testing.checks(name):
                if check.subject != f"{kind.removesuffix('s')} {name}":
                    continue
                marks = [pytest.mark.slow] if is_slow(check) else []
                yield pytest.param(check, marks=marks, id=f"{name}-{check}")


@pytest.mark.parametrize("check", every_check())
def test_a_built_in_passes(check):
    check()
