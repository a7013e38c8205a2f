"""What every plugin owes: a spec that is sound and says where it comes from, and modules that import no torch."""

from __future__ import annotations

import functools
import subprocess
import sys
from importlib.metadata import entry_points

from benchmark.registry import BUILT_IN, ENTRY_POINT_GROUP, registry
from benchmark.spec_types import fault_of
from benchmark.specs import AugmentationSpec, DatasetLayout, MethodSpec, MetricSpec, TrackerSpec
from benchmark.testing.check import Skipped, require

Spec = MethodSpec | AugmentationSpec | DatasetLayout | MetricSpec | TrackerSpec
HEAVY = ("torch", "mmengine", "mmaction", "mmcv")
# What the registry does with a plugin: import its module, and ask its hooks.
_IMPORT = """
import importlib, sys
module = importlib.import_module(sys.argv[1])
for name in dir(module):
    if name.startswith("benchmark_") and callable(getattr(module, name)):
        list(getattr(module, name)())
print("\\nimported:", *(name for name in sys.argv[2:] if name in sys.modules), file=sys.stderr)
"""


def check_spec(spec: Spec) -> None:
    """The spec's values are of their types, and none of those is empty that tell people of it."""
    fault = fault_of(spec)
    require(fault is None, f"{fault}")
    for field in ("title", "citation", "licence", "official_evaluation"):
        require(getattr(spec, field, "x").strip(), f"{field} is empty: say it, or why there is none")
    problems = [line for line in registry().problems if f"'{spec.name}'" in line]
    require(not problems, "; ".join(problems))


def check_light_import(origin: str) -> None:
    """Listing what there is must not cost everybody the seconds that importing torch takes."""
    module = module_of(origin)
    if module is None:
        raise Skipped(f"'{origin}' is not installed as a package: pip install -e . in its folder")
    heavy = _heavy(module)
    require(
        not heavy,
        f"importing {module} and asking its hooks imports {', '.join(heavy)}: move what needs it into the module that "
        "the spec's import paths name, which is imported when something is built",
    )


def module_of(origin: str) -> str | None:
    """The module that the registry imports for a plugin."""
    if origin == BUILT_IN:
        return "benchmark.builtins"
    return next((point.module for point in entry_points(group=ENTRY_POINT_GROUP) if point.name == origin), None)


@functools.cache
def _heavy(module: str) -> tuple[str, ...]:
    command = [sys.executable, "-c", _IMPORT, module, *HEAVY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stderr.strip().splitlines()
    require(done.returncode == 0, f"importing {module} failed: {lines[-1] if lines else 'it ended the interpreter'}")
    return tuple(lines[-1].split()[1:])
