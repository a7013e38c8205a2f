"""Empty stand-ins for modules that MMEngine and MMAction2 import and nothing here uses.

They must be there before either is imported. What they stand for takes longer to import than all the rest but torch,
and every command that trains, every process of it and every test would wait for that.
"""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Iterator
from typing import Any

# Training in shards, by name of the module and of the class that is imported from it.
UNUSED = {
    "mmengine.optim.optimizer.zero_optimizer": "ZeroRedundancyOptimizer",
    "mmengine.model.wrappers.fully_sharded_distributed": "MMFullyShardedDataParallel",
    "mmengine.runner._flexible_runner": "FlexibleRunner",
}


def stand_in(name: str, **content: Any) -> None:
    """Put a module of that name and content where Python looks for imported ones, if none is there."""
    module = types.ModuleType(name)
    module.__dict__.update(content)
    sys.modules.setdefault(name, module)


def leave_out_unused() -> None:
    """Have MMEngine import empty classes for what nobody uses."""
    for module, name in UNUSED.items():
        stand_in(module, **{name: type(name, (), {})})


@contextlib.contextmanager
def scipy_later() -> Iterator[None]:
    """Inside, `from scipy.stats import mode` imports no SciPy yet; it does when the function is called."""
    name = "scipy.stats"
    if name in sys.modules:
        yield
        return
    stand_in(name, mode=_mode)
    try:
        yield
    finally:
        del sys.modules[name]


def _mode(*arguments: Any, **options: Any) -> Any:
    from scipy.stats import mode

    return mode(*arguments, **options)
