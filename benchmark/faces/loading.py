"""Making a detector ready, from the weights that it is known by."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path

from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.faces.centerface import CenterFace
from benchmark.faces.detectors import find_detector
from benchmark.faces.face import Detector
from benchmark.faces.haar import Haar
from benchmark.files import hash_file

_BUILD: dict[str, Callable[[Path], Detector]] = {"haar": Haar, "centerface": CenterFace}


@functools.cache
def load_detector(name: str) -> Detector:
    """The detector, ready; its weights are those that its spec names, byte for byte.

    Raises EnvironmentProblem where the package with the weights is missing, IntegrityError for other weights.
    """
    spec = find_detector(name)
    # The package is looked up and not imported: only its file is wanted.
    found = importlib.util.find_spec(spec.package)
    place = next(iter(found.submodule_search_locations or ()), None) if found else None
    path = Path(place) / spec.file if place else None
    if path is None or not path.is_file():
        raise EnvironmentProblem(
            f"{spec.title} needs the file {spec.file} of the package {spec.package}: {spec.install}"
        )
    digest = hash_file(path)
    if digest != spec.sha256:
        raise IntegrityError(f"{path}: is not the file that {spec.title} is known by (its SHA-256 is {digest})")
    return _BUILD[name](path)
