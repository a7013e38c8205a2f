"""`benchmark weights`: say what a weight file is, and convert it to the benchmark's own names and format."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import add_json, note, print_json
from benchmark.errors import IntegrityError, UsageError
from benchmark.registry import registry

if TYPE_CHECKING:
    from benchmark.specs import MethodSpec
    from benchmark.training.conversion import Converted
    from benchmark.training.recognition import Match
    from benchmark.training.weights import WeightFile

NAMING = {
    "official": "under its official names",
    "ours": "under the benchmark's names",
    "part": "a part of it, as in the pre-trained half of a model",
}


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    weights = commands.add_parser("weights", help="look at weight files and convert them; nothing in them is executed")
    actions = weights.add_subparsers(dest="action", required=True, metavar="ACTION")

    inspect = actions.add_parser("inspect", help="what a weight file is: method, network, classes, format")
    inspect.add_argument(
        "file", type=Path, metavar="FILE", help="weights in any format that torch or safetensors writes"
    )
    add_json(inspect)
    inspect.set_defaults(function=inspect_file)

    importer = actions.add_parser("import", help="convert a weight file to our names, checked against the model")
    importer.add_argument("--method", required=True, metavar="M", help="a name from `benchmark list methods`")
    importer.add_argument("--network", metavar="NAME", help="which of its networks; default: what the file looks like")
    importer.add_argument("--preset", default="paper", metavar="NAME", help="default: paper")
    importer.add_argument("file", type=Path, metavar="FILE", help="what to convert")
    importer.add_argument("output", type=Path, metavar="OUT.safetensors", help="what to write; it must not exist")
    importer.set_defaults(function=import_file)


def inspect_file(options: argparse.Namespace) -> None:
    """`benchmark weights inspect FILE`."""
    from benchmark.training.recognition import recognise
    from benchmark.training.weights import read_weight_file

    file = read_weight_file(options.file)
    found = recognise(file, registry())
    document = _document(file, found.matches)
    if options.json:
        print_json(document)
    else:
        _print(document, file)
    for problem in found.problems:
        note(f"warning: {problem}")


def _document(file: WeightFile, matches: tuple[Match, ...]) -> dict[str, Any]:
    from benchmark.files import hash_file
    from benchmark.training.recognition import parameters_of

    return {
        "file": str(file.path),
        "sha256": hash_file(file.path),
        "format": file.format,
        "wrapper": list(file.wrapper),
        "prefix": file.prefix,
        "tensors": len(file.state),
        "parameters": parameters_of(file.state),
        "others": list(file.others),
        "matches": [_match(file, match) for match in matches],
    }


def _match(file: WeightFile, match: Match) -> dict[str, Any]:
    from benchmark.training.recognition import classes_of, readme_of

    declared = match.network.class_order if match.network else ()
    readme = readme_of(match.method)
    return {
        "method": match.method.name,
        "title": match.method.title,
        "network": match.name,
        "network_title": match.network.title if match.network else "",
        "naming": match.naming,
        "preset": file.origin.preset if file.origin else None,
        "classes": classes_of(file, match),
        "class_order": list(file.origin.class_order if file.origin else declared),
        "readme": str(readme) if readme else None,
    }


def _print(document: dict[str, Any], file: WeightFile) -> None:
    from benchmark.training.checkpoints import some

    matches = document["matches"]
    rows: list[tuple[str, str]] = [("file", document["file"])]
    around = [f"under {' > '.join(file.wrapper)}"] if file.wrapper else []
    around += [f"prefix {file.prefix} removed"] if file.prefix else []
    rows.append(("format", ", ".join([file.format, *around])))
    rows.append(("holds", f"{document['tensors']} tensors, {document['parameters']:,} parameters"))
    if file.choice:
        rows.append(("chosen", file.choice))
    if document["others"]:
        rows.append(("beside them", some(document["others"], 12)))
    if not matches and file.origin:
        rows.append(("found", f"weights of {file.origin.method}, which is not installed here"))
    elif not matches:
        rows.append(("found", "nothing: no installed method's official or own names are these"))
        rows.append(("names", some(file.state, 6)))
    elif len(matches) > 1:
        rows.append(("found", f"{len(matches)} networks whose files look like this one"))
    for match in matches:
        rows += _lines(match)
    width = max(len(name) for name, _ in rows) + 2
    for name, text in rows:
        print(f"{name + ':':<{width}}{text}")


def _lines(match: dict[str, Any]) -> list[tuple[str, str]]:
    title = f": {match['network_title']}" if match["network_title"] else ""
    rows = [("method", f"{match['method']} ({match['title']})"), ("network", f"{match['network']}{title}")]
    rows.append(("names", NAMING[match["naming"]] + (f", preset {match['preset']}" if match["preset"] else "")))
    count, order = match["classes"], match["class_order"]
    rows.append(("classes", "no classifier" if count is None else str(count)))
    if order and count in (None, len(order)):
        rows.append(("class order", ", ".join(order)))
    elif count is not None:
        known = f"; the plugin declares one of {len(order)}: {', '.join(order)}" if order else ""
        rows.append(("class order", f"not known for these {count} classes{known}"))
    if match["readme"]:
        rows.append(("read more", match["readme"]))
    return rows


def import_file(options: argparse.Namespace) -> None:
    """`benchmark weights import`."""
    from benchmark.units.initial_weights import network_of

    method = registry().find("methods", options.method)
    if options.preset not in method.presets:
        raise UsageError(f"{method.name} has no preset '{options.preset}'; it has: {', '.join(method.presets)}")
    if options.network:
        network_of(method, options.network)
    if options.output.suffix != ".safetensors":
        raise UsageError(f"{options.output}: what is written is safetensors; give it a name that ends so")
    if options.output.exists():
        raise UsageError(f"{options.output}: exists and is not overwritten; delete it, or choose another name")

    from benchmark.training.conversion import convert
    from benchmark.training.recognition import recognise
    from benchmark.training.weights import read_weight_file, write_weights

    file = read_weight_file(options.file)
    matches = recognise(file, registry()).matches
    name = options.network or _network_among(matches, method)
    converted = convert(file, method, name, options.preset)
    _print_report(converted, name)
    if converted.missing:
        like = sorted({match.method.name for match in matches} - {method.name})
        raise IntegrityError(
            f"{options.file}: lacks {len(converted.missing)} tensors of {method.name} (network {name}, preset "
            f"{options.preset}), so nothing was written. "
            + (f"It looks like a file of {' or '.join(like)}. " if like else "")
            + "If it is meant to be a part of it, a run can start from it as it is: "
            f"benchmark run --method {method.name} --init {'' if name == 'model' else name + '='}{options.file}"
        )
    write_weights(options.output, converted.state, converted.origin)
    note(f"written: {options.output}")


def _network_among(matches: Sequence[Match], method: MethodSpec) -> str:
    """The network that the file looks like; else the one that classifies, or the only one."""
    from benchmark.units.initial_weights import MODEL

    found = [match.name for match in matches if match.method.name == method.name]
    if found:
        return MODEL if MODEL in found else found[0]
    return MODEL if MODEL in method.networks or len(method.networks) != 1 else next(iter(method.networks))


def _print_report(converted: Converted, name: str) -> None:
    """Every key that did not go one to one: this is what the command was asked for."""
    report, origin = converted.report, converted.origin
    classes = "no classifier" if converted.classes is None else f"{converted.classes} classes"
    order = f" ({', '.join(origin.class_order)})" if origin.class_order else ""
    print(f"{origin.method}, network {name}, preset {origin.preset}: {len(report.loaded)} tensors, {classes}{order}")
    for what, names in (("missing", report.missing), ("unexpected", report.unexpected)):
        for key in names:
            print(f"{what}: {key}")
