"""Load weight files into a method's model: the whole recognizer from one file, or one file for each network."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor, nn

from benchmark.errors import IntegrityError
from benchmark.plugin_functions import rename_tensors
from benchmark.specs import MethodSpec, Network
from benchmark.training.weights import WeightFile, read_weight_file
from benchmark.units.initial_weights import network_of

HEAD = "cls_head."

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class LoadReport:
    """What did not go one to one from a file into a model, by tensor name.

    missing: the network's, not in the file. unexpected: the file's, under its own names, not in the model.
    reinitialised: of the classifier, in both, but for other classes: left at their fresh initialisation. reordered: of
    the classifier, brought from the file's class order into the protocol's. order_unknown: the classifier was taken as
    it is although nothing says which of its outputs is which class. classifier: what was loaded of a classifier that
    has learned these classes from somebody's labels. filled: the method's networks that got their weights from the
    file, with their classifiers where they are parts of a whole.
    loaded: everything that was copied. choice: see `WeightFile`.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    reinitialised: tuple[str, ...] = ()
    reordered: tuple[str, ...] = ()
    order_unknown: bool = False
    classifier: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    loaded: tuple[str, ...] = field(default=(), repr=False)
    choice: str = ""

    @property
    def summary(self) -> str:
        """One line: counts, and the first few names of what did not fit."""
        parts = [f"{len(self.loaded)} tensors loaded"]
        for what, names in (
            ("missing, left freshly initialised", self.missing),
            ("unexpected, not used", self.unexpected),
            ("of the classifier for other classes, left freshly initialised", self.reinitialised),
            ("of the classifier put into the protocol's class order", self.reordered),
        ):
            if names:
                parts.append(f"{len(names)} {what} ({some(names)})")
        if self.choice:
            parts.append(self.choice)
        if self.order_unknown:
            parts.append("the classifier's class order is not known and taken to be the protocol's")
        return "; ".join(parts)


@dataclass(frozen=True)
class _Given:
    """A file's tensors under the recognizer's names, and what is known of its classifier.

    heads: beginnings of the classifier's names. order: emotion names in its index order; empty if that is not known.
    wanted: those in the model's; empty if nothing is to be reordered.
    """

    state: State
    heads: tuple[str, ...] = (HEAD,)
    order: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()


def load_networks(
    model: nn.Module, method: MethodSpec, files: Mapping[str, Path], classes: Sequence[str] | None = None
) -> dict[str, LoadReport]:
    """Load weight files, official or ours, into the method's recognizer, in place; a report for each network.

    files: by the name of the network that starts from it. classes: the emotion names that the model's outputs stand
    for; a classifier whose own order is known is put into this order, and left fresh if its classes are others. Without
    them it is taken as it is. Raises UsageError for a network that the method does not have, EnvironmentProblem for a
    missing file, IntegrityError for a damaged one or one of another model; the model may then be half loaded.
    """
    for name in files:
        network_of(method, name)
    reports = {}
    for name, path in files.items():
        file = read_weight_file(path)
        reports[name] = load_file(model, method, name, file, others=files.keys() - {name}, classes=classes or ())
    return reports


def load_file(
    model: nn.Module,
    method: MethodSpec,
    name: str,
    file: WeightFile,
    others: Collection[str] = (),
    classes: Sequence[str] = (),
) -> LoadReport:
    """Load a file that has been read into the network `name`; see `load_networks`.

    others: networks that have a file of their own.
    """
    network = network_of(method, name)
    own = model.state_dict().keys()
    state, official = in_our_names(file.state, network, own)
    given = _Given(
        state=state,
        heads=heads_of(method),
        order=network.class_order if official and network else file.origin.class_order if file.origin else (),
        wanted=tuple(classes),
    )
    try:
        report = _load(model, given, _asked_for(method, network, others, own, state))
    except IntegrityError as error:
        raise IntegrityError(f"{file.path}: {error}; see `benchmark weights inspect {file.path}`") from error
    theirs = {id(tensor): key for key, tensor in file.state.items()}
    unexpected = tuple(theirs.get(id(state[key]), key) for key in report.unexpected)
    return replace(report, unexpected=unexpected, choice=file.choice, filled=_filled(method, name, report.loaded))


def _filled(method: MethodSpec, name: str, loaded: Sequence[str]) -> tuple[str, ...]:
    """The networks that tensors belong to: by their prefix, and the rest to the one that the file was for.

    One with a prefix is a part, whose classifier, if it has one, is what it is there for.
    """
    parts = {other: network for other, network in method.networks.items() if network.prefix}
    found = {next((other for other in parts if key.startswith(parts[other].prefix)), name) for key in loaded}
    heads = {other: our_names(part, [part.head]).get(part.head) for other, part in parts.items() if part.head}
    return tuple(sorted(other for other in found if heads.get(other) is None or heads[other] in loaded))


def our_names(network: Network, official: Collection[str]) -> dict[str, str]:
    """The recognizer's names of official tensors, by official name; those that it does not use are left out."""
    renamed = rename_tensors(network.keys, {name: name for name in official})
    return {theirs: ours for ours, theirs in renamed.items()}


def heads_of(method: MethodSpec) -> tuple[str, ...]:
    """The beginnings of the names of all classifiers in the method's recognizer: what depends on the classes."""
    named = [our_names(network, [network.head]) for network in method.networks.values() if network.head]
    stems = [name.rpartition(".")[0] + "." for names in named for name in names.values()]
    return tuple(dict.fromkeys([HEAD, *(stem for stem in stems if not stem.startswith(HEAD))]))


def some(names: Collection[str], most: int = 4) -> str:
    """The first few of many names, none of them longer than a line."""
    return ", ".join(name[:80] for name in list(names)[:most]) + (", ..." if len(names) > most else "")


def in_our_names(state: State, network: Network | None, own: AbstractSet[str]) -> tuple[State, bool]:
    """The file's tensors under the recognizer's names, and whether they had the official ones."""
    if network is not None:
        renamed = rename_tensors(network.keys, state)
        if len(own & renamed.keys()) > len(own & state.keys()):
            return renamed, True
    return state, False


def _asked_for(
    method: MethodSpec, network: Network | None, others: Collection[str], own: AbstractSet[str], state: State
) -> AbstractSet[str]:
    """The recognizer's tensors that are expected of a network's file.

    A network with a prefix has what begins with it. One without has everything that no other network claims, and of
    what is claimed that of which the file holds at least a part and for which there is no file of its own: so that a
    checkpoint of the whole recognizer is enough.
    """
    if network and network.prefix:
        return dict.fromkeys(key for key in own if key.startswith(network.prefix)).keys()
    left_out = tuple(
        each.prefix
        for other, each in method.networks.items()
        if each.prefix and (other in others or not any(key.startswith(each.prefix) for key in state))
    )
    return dict.fromkeys(key for key in own if not key.startswith(left_out)).keys()


def _load(model: nn.Module, given: _Given, expected: AbstractSet[str]) -> LoadReport:
    """expected: the model's tensors that are looked for in the file; no other is touched."""
    own = model.state_dict()
    fitting = {key: given.state[key] for key in own if key in expected and key in given.state}
    # A classifier alone tells nothing: half the field calls it `fc` and gives it 512 inputs.
    if all(key.startswith(given.heads) for key in fitting):
        raise IntegrityError(
            f"these weights are of another model: apart from a classifier, none of their {len(given.state)} tensors "
            f"({some(given.state)}) is among the model's ({some(expected)})"
        )
    other_shape = [key for key, tensor in fitting.items() if tensor.shape != own[key].shape]
    body = [key for key in other_shape if not key.startswith(given.heads)]
    if body:
        key = body[0]
        raise IntegrityError(
            f"these weights are of another size of the model: {key} is {tuple(fitting[key].shape)} in the file and "
            f"{tuple(own[key].shape)} in the model ({len(body)} tensors differ); choose the preset they were made with"
        )
    for key in other_shape:
        del fitting[key]
    report = LoadReport(
        missing=tuple(key for key in own if key in expected and key not in given.state),
        unexpected=tuple(key for key in given.state if key not in own),
        reinitialised=tuple(other_shape),
    )
    report = _put_in_order(fitting, given, report)
    model.load_state_dict(fitting, strict=False)
    return replace(report, loaded=tuple(fitting))


def _put_in_order(fitting: dict[str, Tensor], given: _Given, report: LoadReport) -> LoadReport:
    """Bring the rows of the classifier into the wanted class order, in place, or drop those of other classes."""
    order, wanted = given.order, given.wanted
    rows = [key for key, value in fitting.items() if key.startswith(given.heads) and value.shape[:1] == (len(wanted),)]
    kept = replace(report, classifier=tuple(rows))
    if not rows or order == wanted:
        return kept
    # A declared order is of the dataset that most use; a file for another number of classes has an order of its own.
    if len(order) != len(wanted):
        return replace(kept, order_unknown=True)
    if set(order) != set(wanted):
        for key in rows:
            del fitting[key]
        return replace(report, reinitialised=(*report.reinitialised, *rows))
    index = [order.index(name) for name in wanted]
    for key in rows:
        fitting[key] = fitting[key][index]
    return replace(kept, reordered=tuple(rows))
