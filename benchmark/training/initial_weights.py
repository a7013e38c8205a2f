"""Initial weights of a unit: each network's file, the one that the unit's identity holds, loaded and reported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from benchmark.errors import IntegrityError
from benchmark.files import hash_file
from benchmark.registry import registry
from benchmark.training.checkpoints import LoadReport, load_networks
from benchmark.units.unit import Unit


def load_initial(model: nn.Module, unit: Unit, files: Mapping[str, Path]) -> dict[str, LoadReport]:
    """Load each network's file into the model, its classifier in the protocol's class order; reports by network.

    Raises IntegrityError for a file that is not the one the unit was planned with, is damaged, or does not fit.
    """
    for name, path in files.items():
        if hash_file(path) != (unit.init or {}).get(name):
            raise IntegrityError(f"--init {name}={path}: is not the file with which this unit was planned")
    return load_networks(model, registry().find("methods", unit.method), files, unit.protocol.classes)
