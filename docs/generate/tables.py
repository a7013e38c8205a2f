"""What is put into pages that are written by hand: tables, and the files of the packages that `benchmark new` writes.

A comment `<!-- table: NAME -->` becomes the table called so, `<!-- package: TEMPLATE NAME -->` the files of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from benchmark import testing
from benchmark.planning.request import find_protocol
from benchmark.protocol import Protocol
from benchmark.protocol.model import HeldOut
from benchmark.registry import registry
from benchmark.scaffold import TEMPLATES, renamed
from benchmark.testing.finding import KINDS
from docs.generate.docstrings import cell

TABLE = re.compile(r"<!-- table: ([a-z-]+) -->")
PACKAGE = re.compile(r"<!-- package: ([a-z_]+) ([a-z-]+) -->")


def with_tables(markdown: str) -> str:
    """The page with every table and package that it names."""
    with_packages = PACKAGE.sub(lambda match: package(match[1], match[2]), markdown)
    return TABLE.sub(lambda match: TABLES[match[1]](), with_packages)


def package(template: str, name: str) -> str:
    """The files that say something in a package of that name, as `benchmark new` writes them."""
    shown = []
    for path in sorted((TEMPLATES / template / "my_plugin").rglob("*")):
        if path.suffix in (".py", ".yaml"):
            place = renamed(f"{name}/{path.relative_to(TEMPLATES / template)}", name)
            language = "python" if path.suffix == ".py" else "yaml"
            text = renamed(path.read_text(encoding="utf-8"), name).rstrip()
            shown.append(f'``` {{ .{language} title="{place}" }}\n{text}\n```')
    return "\n\n".join(shown)


def protocols() -> str:
    """Every protocol that ships, and what it fixes."""
    rows = []
    for name in sorted(registry().protocols):
        protocol = find_protocol(name)
        tested = f", tested on `{protocol.test_on.dataset}`" if protocol.test_on else ""
        rows.append(
            f"| `{name}` | `{protocol.dataset}`{tested} | {len(protocol.folds)} | {len(protocol.classes)} | "
            f"{_held_out(protocol)} | {_selection(protocol)} | {_title(protocol.ranking)} |"
        )
    header = "| protocol | dataset | folds | classes | val | reported epoch | ranked by |"
    return "\n".join([header, "|---|---|---|---|---|---|---|", *rows])


def _held_out(protocol: Protocol) -> str:
    val = protocol.split.val
    if val is None:
        return "none"
    if isinstance(val, HeldOut):
        group = f", by {val.group}" if val.group else ""
        return f"{100 * val.fraction:g} % of {val.source}{group}"
    return f"official {val}"


def _selection(protocol: Protocol) -> str:
    chosen, metric = protocol.selection, _title(protocol.selection.metric)
    if chosen.policy == "val":
        return f"best {metric} on val"
    return ("the last" if chosen.policy == "last" else f"best {metric} on **test**") + "; not ranked"


def _title(metric: str) -> str:
    return registry().metrics[metric].title


def official_evaluations() -> str:
    """Where each method's official evaluation departs from an honest protocol, in its spec's own words."""
    rows = [
        f"| [`{name}`](methods/{folder_of(spec.recipe)}.md) | {cell(spec.official_evaluation)} |"
        for name, spec in sorted(registry().methods.items())
    ]
    return "\n".join(["| method | its official evaluation |", "|---|---|", *rows])


def folder_of(import_path: str) -> str:
    """The folder of a built-in plugin, from the import path of its recipe."""
    return import_path.split(".")[1]


def metrics() -> str:
    """Every metric, and what it needs."""
    rows = [
        f"| `{name}` | {cell(spec.title)} | {spec.input} | {'higher' if spec.higher_is_better else 'lower'} | "
        f"{cell(spec.citation)} |"
        for name, spec in sorted(registry().metrics.items())
    ]
    return "\n".join(["| metric | title | follows from | better | source |", "|---|---|---|---|---|", *rows])


def datasets() -> str:
    """Every dataset that has a layout."""
    rows = [
        f"| `{name}` | {cell(spec.title)} | {'yes' if spec.votes else 'no'} | {cell(spec.licence)} |"
        for name, spec in sorted(registry().datasets.items())
    ]
    return "\n".join(["| dataset | title | annotators' votes | terms |", "|---|---|---|---|", *rows])


def trackers() -> str:
    """Every tracker."""
    rows = [f"| `--track {name}` | {cell(spec.title)} |" for name, spec in sorted(registry().trackers.items())]
    return "\n".join(["| option | what it shows the curves in |", "|---|---|", *rows])


def checks() -> str:
    """Every check of `benchmark.testing`, kind by kind, in the words of the function that makes it."""
    rows: dict[str, dict[str, str]] = {"any spec": {}}
    for kind in (kind.removesuffix("s") for kind in KINDS):
        own = rows.setdefault(f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}", {})
        for name in getattr(registry(), f"{kind}s"):
            for check in testing.checks(name):
                made, title = check.run, check.name
                if check.subject != f"{kind} {name}":
                    continue
                if not isinstance(made, partial):
                    own[title] = _summary(made)
                elif check.level == "spec":
                    rows["any spec"][title] = _summary(made.func)
                else:  # one for each preset, or pre-training
                    own[f"{title.partition('-')[0]}-NAME"] = _summary(made.func)
    tables = []
    for of, said in rows.items():
        lines = [f"| `{title}` | {cell(text)} |" for title, text in said.items()]
        tables.append("\n".join([f"### Checks of {of}", "", "| check | what must hold |", "|---|---|", *lines]))
    return "\n\n".join(tables)


def _summary(function: Callable[..., object]) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]


TABLES: dict[str, Callable[[], str]] = {
    "protocols": protocols,
    "official-evaluations": official_evaluations,
    "metrics": metrics,
    "datasets": datasets,
    "trackers": trackers,
    "checks": checks,
}
