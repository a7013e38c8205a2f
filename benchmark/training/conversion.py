"""Convert weight files to the benchmark's own names and format, checked against the model that they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from benchmark.errors import IntegrityError
from benchmark.files import hash_file
from benchmark.specs import MethodSpec
from benchmark.training.checkpoints import LoadReport, heads_of, in_our_names, load_file, our_names
from benchmark.training.model import build_recognizer
from benchmark.training.weights import Origin, WeightFile
from benchmark.units.initial_weights import network_of

# For a file without a classifier any number does.
DEFAULT_CLASSES = 7


@dataclass(frozen=True)
class Converted:
    """A network's tensors under the recognizer's names, how the file compares with the model, and what they are.

    missing: tensors of the network other than its classifier's that the file lacks; such a conversion is not whole.
    """

    state: Mapping[str, Tensor]
    origin: Origin
    classes: int | None
    report: LoadReport
    missing: tuple[str, ...]


def convert(file: WeightFile, method: MethodSpec, name: str, preset: str) -> Converted:
    """The network `name` of the method from a file, official or ours.

    Raises IntegrityError for a file that is of another network, size or preset.
    """
    network = network_of(method, name)
    model = build_recognizer(method, method.presets[preset], DEFAULT_CLASSES)
    state, official = in_our_names(file.state, network, model.state_dict().keys())
    head = our_names(network, [network.head]).get(network.head, "") if network and network.head else ""
    classes = int(state[head].shape[0]) if head in state else None
    if classes not in (None, DEFAULT_CLASSES):
        model = build_recognizer(method, method.presets[preset], classes)
    report = load_file(model, method, name, file)
    if report.reinitialised:
        raise IntegrityError(
            f"{file.path}: nothing says how many classes these are of: {', '.join(report.reinitialised)} would not fit"
        )
    order = network.class_order if official and network else file.origin.class_order if file.origin else ()
    loaded = model.state_dict()
    return Converted(
        state={key: loaded[key] for key in report.loaded},
        origin=Origin(
            method.name,
            name,
            preset,
            order if len(order) == classes else (),
            source_sha256=hash_file(file.path),
            history=file.history if file.origin else (),
            crops=file.origin.crops if file.origin else "",
        ),
        classes=classes,
        report=report,
        missing=tuple(key for key in report.missing if not key.startswith(heads_of(method))),
    )
