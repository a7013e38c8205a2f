"""`--init`: which network of a method starts from which weight file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.files import hash_file
from benchmark.registry import unknown_name
from benchmark.specs import MethodSpec, Network

# The network that classifies, and the one that a file without a name is for.
MODEL = "model"
_NAMED = re.compile(r"([A-Za-z][\w-]*)=(.+)")


def parse_init(values: Sequence[str], option: str = "--init") -> dict[str, Path]:
    """`FILE` or `NAME=FILE` for each network, by name; raises UsageError for a missing file or a name given twice."""
    files: dict[str, Path] = {}
    for value in values:
        # Folders of runs have `=` in their names; what exists as it stands is a path.
        named = None if Path(value).exists() else _NAMED.fullmatch(value)
        name, path = (named[1], Path(named[2])) if named else (MODEL, Path(value))
        if name in files:
            raise UsageError(f"{option} {value}: the network '{name}' is to start from {files[name]} already")
        if not path.is_file():
            raise UsageError(f"{option} {value}: {'is a folder' if path.is_dir() else 'no such file'}")
        files[name] = path
    return files


def network_of(method: MethodSpec, name: str) -> Network | None:
    """The method's network called `name`; None for the model of a method that declares none.

    Such a model starts from a file with its own names. Raises UsageError, with the nearest name, for any other.
    """
    if name in method.networks:
        return method.networks[name]
    if name == MODEL:
        return None
    raise UsageError(f"{method.name}: {unknown_name('network', name, {MODEL, *method.networks})}")


def hash_files(files: Mapping[str, Path]) -> dict[str, str] | None:
    """SHA-256 of each file by network, as a unit's identity holds it; None if there are none."""
    return {name: hash_file(path) for name, path in sorted(files.items())} or None
