"""Tell what a weight file is: which method's which network, with whose names, for how many classes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from benchmark.registry import Registry
from benchmark.specs import MethodSpec, Network
from benchmark.training.checkpoints import our_names
from benchmark.training.weights import Origin, WeightFile

# Not trained, but part of a state dict all the same.
_STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked")


@dataclass(frozen=True)
class Match:
    """A network that a file is of.

    naming: `official`, `ours` (the recognizer's names), or `part`: some of what tells the network's files is there, as
    in the pre-trained half of a model. head: the classifier's tensor in the file; None if it holds none.
    """

    method: MethodSpec
    name: str
    network: Network | None
    naming: Literal["official", "ours", "part"]
    head: str | None = None


@dataclass(frozen=True)
class Recognised:
    """All networks that a file may be of, and what stopped a plugin from being asked."""

    matches: tuple[Match, ...]
    problems: tuple[str, ...]


def recognise(file: WeightFile, known: Registry) -> Recognised:
    """Compare the file's tensor names with every registered network's signature, official and in our names.

    What a file of ours says of itself is believed. Otherwise several networks can match, or none; only if none does,
    those are named of which the largest share of the signature is there. A network whose signature is a part of
    another's does not match where the other does: its model is a part of the other's.
    """
    if file.origin:
        return Recognised(tuple(_as_it_says(file, file.origin, known)), ())
    matches: list[Match] = []
    parts: list[tuple[float, Match]] = []
    problems = []
    for method in known.methods.values():
        for name, network in method.networks.items():
            try:
                share, match = _compare(file.state, method, name, network)
            # A plugin is foreign code: whatever its renaming raises must cost only that plugin.
            except Exception as error:
                problems.append(f"method '{method.name}': {network.keys} failed: {type(error).__name__}: {error}")
                continue
            if match.naming == "part":
                parts.append((share, match))
            else:
                matches.append(match)
    if not matches:
        best = max((share for share, _ in parts), default=0.0)
        matches = [match for share, match in parts if share == best and share >= 0.5]
    told = {_signature(match) for match in matches}
    matches = [match for match in matches if not any(_signature(match) < other for other in told)]
    return Recognised(tuple(matches), tuple(problems))


def classes_of(file: WeightFile, match: Match) -> int | None:
    """The number of classes of the file's classifier; None if it holds none."""
    return file.state[match.head].shape[0] if match.head else None


def parameters_of(state: Mapping[str, Tensor]) -> int:
    """The number of values in a state dict, without the statistics of batch norms."""
    return sum(
        tensor.numel() for key, tensor in state.items() if tensor.is_floating_point() and not key.endswith(_STATISTICS)
    )


def readme_of(method: MethodSpec) -> Path | None:
    """The README in the folder of the method's plugin; None if it has none."""
    package = method.recipe.partition(":")[0].rpartition(".")[0]
    spec = importlib.util.find_spec(package) if package else None
    folders = (spec.submodule_search_locations if spec else None) or []
    return next((path for folder in folders if (path := Path(folder) / "README.md").is_file()), None)


def _signature(match: Match) -> frozenset[str]:
    return frozenset(match.network.signature if match.network else ())


def _as_it_says(file: WeightFile, origin: Origin, known: Registry) -> Iterator[Match]:
    if method := known.methods.get(origin.method):
        network = method.networks.get(origin.network)
        head = our_names(network, [network.head]).get(network.head, "") if network and network.head else ""
        yield Match(method, origin.network, network, "ours", head if head in file.state else None)


def _compare(state: Mapping[str, Tensor], method: MethodSpec, name: str, network: Network) -> tuple[float, Match]:
    """How much of the network's signature is in the file, 0 to 1, and the match that it would be."""
    head = network.head if network.head in state else None
    if network.signature and state.keys() >= set(network.signature):
        return 1.0, Match(method, name, network, "official", head)
    ours = our_names(network, [*network.signature, *([network.head] if network.head else [])])
    signature = {ours[key] for key in network.signature if key in ours}
    our_head = ours.get(network.head, "")
    if signature and state.keys() >= signature:
        return 1.0, Match(method, name, network, "ours", our_head if our_head in state else None)
    renamed = our_names(network, list(state))
    found = signature & set(renamed.values())
    official_head = next((theirs for theirs, key in renamed.items() if key == our_head), None)
    return len(found) / max(len(signature), 1), Match(method, name, network, "part", official_head)
