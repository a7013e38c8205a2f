"""Sweeps: a grid of methods, augmentations, label modes and settings as a file, and the rows that it stands for."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from benchmark.errors import UsageError
from benchmark.files import canonical_json
from benchmark.protocol.reading import read_mapping
from benchmark.registry import registry, unknown_name
from benchmark.shipped import shipped
from benchmark.specs import LabelMode
from benchmark.validation import problems_of


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class RowTemplate(_Strict):
    """One row, or the part of it that the grid leaves open; what neither gives is no augmentation and hard labels.

    label: the row's name in the table. augment: as for `--augment`, in this order. settings: as for `--set`.
    """

    label: str | None = None
    method: str | None = None
    augment: tuple[str, ...] | None = None
    labels: LabelMode | None = None
    settings: dict[str, Any] = Field(default_factory=dict, alias="set")


class Grid(_Strict):
    """Alternatives, of which every combination is taken, for every row; each value of `set` is a list of them."""

    method: tuple[str, ...] | None = Field(default=None, min_length=1)
    augment: tuple[tuple[str, ...], ...] | None = Field(default=None, min_length=1)
    labels: tuple[LabelMode, ...] | None = Field(default=None, min_length=1)
    settings: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = Field(default_factory=dict, alias="set")


class Baseline(_Strict):
    """What each row is compared with: the row called `row`, or the row that differs from it in these values alone.

    protocol: under which the baseline was run; by default the row's own.
    """

    row: str | None = None
    method: str | None = None
    augment: tuple[str, ...] | None = None
    labels: LabelMode | None = None
    settings: dict[str, Any] | None = Field(default=None, alias="set")
    protocol: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """What the baseline has instead of the row's own value."""
        names = ("method", "augment", "labels", "settings")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _one_way(self) -> Baseline:
        if self.row is not None and self.values:
            raise ValueError("'row' names the baseline already; leave out the other keys but 'protocol'")
        return self


def _named(value: Any) -> Any:
    return {"row": value} if isinstance(value, str) else value


class Sweep(_Strict):
    """A table to be: rows under protocols.

    presets: by method, the one that is meant where `--preset` says `paper`, which is the default.
    metrics: those that the table shows and tests. groupings: whose scores it shows as well, for the same metrics.
    compare: the baseline of the paired tests; by default the first row. notes: what to know beside the numbers.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    citation: str = ""
    protocols: tuple[str, ...] = Field(min_length=1)
    rows: tuple[RowTemplate, ...] = Field(default=(RowTemplate(),), min_length=1)
    grid: Grid = Grid()
    presets: dict[str, str] = Field(default_factory=dict)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    metrics: tuple[str, ...] = Field(default=("uar", "war"), min_length=1)
    groupings: tuple[str, ...] = ()
    compare: Annotated[Baseline | None, BeforeValidator(_named)] = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class NamedVariant:
    """One row of a sweep, whatever the protocol: `label` is its name, the rest is as `benchmark run` takes it."""

    label: str
    method: str
    augment: tuple[str, ...]
    labels: LabelMode
    settings: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Equal for variants that are the same but for their names."""
        return canonical_json([self.method, self.augment, self.labels, dict(self.settings)])

    @property
    def set_options(self) -> tuple[str, ...]:
        """The settings as `key=value`, the form of `--set`."""
        return tuple(f"{key}={json.dumps(value)}" for key, value in self.settings.items())


def find_sweep(name: str) -> Sweep:
    """The sweep file at that path, or the one that ships under that name."""
    if name.endswith((".yaml", ".yml")):
        return read_sweep(Path(name))
    known = shipped_sweeps()
    if name not in known:
        raise UsageError(unknown_name("sweep", name, known))
    return read_sweep(known[name])


def shipped_sweeps() -> dict[str, Path]:
    """The files that ship with the benchmark, by name."""
    return {path.stem: path for path in sorted(shipped("sweeps").glob("*.yaml"))}


def read_sweep(path: Path) -> Sweep:
    """Read one sweep file; every error names the file, the key and what is expected there."""
    return make_sweep(read_mapping(path), str(path))


def make_sweep(value: dict[str, Any], where: str) -> Sweep:
    """The sweep that a plain value describes; UsageError with one line per problem, each beginning with `where`."""
    try:
        return Sweep.model_validate(value)
    except ValidationError as error:
        raise UsageError("\n".join(problems_of(error, where, Sweep))) from error


def expand(sweep: Sweep) -> list[NamedVariant]:
    """Every row in every combination of the grid: the grid's first key varies slowest, the rows fastest.

    Raises UsageError for a row without a method, a value that both the row and the grid give, and rows that are the
    same or have the same name.
    """
    axes: list[tuple[str, Sequence[Any]]] = [
        (name, values) for name in ("method", "augment", "labels") if (values := getattr(sweep.grid, name)) is not None
    ]
    axes += [(f"set.{key}", values) for key, values in sweep.grid.settings.items()]
    variants = [
        _variant(sweep, row, dict(zip([name for name, _ in axes], point, strict=True)))
        for point in product(*(values for _, values in axes))
        for row in sweep.rows
    ]
    seen: dict[str, str] = {}
    for variant in variants:
        if variant.key in seen:
            raise UsageError(f"sweep {sweep.name}: rows '{seen[variant.key]}' and '{variant.label}' are the same")
        if variant.label in seen.values():
            raise UsageError(f"sweep {sweep.name}: two rows are called '{variant.label}'")
        seen[variant.key] = variant.label
    return variants


def baseline_of(
    sweep: Sweep, variants: Sequence[NamedVariant], variant: NamedVariant, protocol: str
) -> tuple[NamedVariant, str]:
    """What `variant` is compared with under `protocol`, which may be itself, and the protocol that it is run under."""
    compare = sweep.compare or Baseline(row=variants[0].label)
    where = compare.protocol or protocol
    if where not in sweep.protocols:
        raise UsageError(f"sweep {sweep.name}: compare.protocol: '{where}' is not one of {list(sweep.protocols)}")
    key = replace(variant, **compare.values).key
    for other in variants:
        if other.label == compare.row if compare.row is not None else other.key == key:
            return other, where
    if compare.row is not None:
        raise UsageError(f"sweep {sweep.name}: compare: no row is called '{compare.row}'")
    raise UsageError(
        f"sweep {sweep.name}: compare: no row differs from '{variant.label}' in just these values: "
        f"{json.dumps(compare.values)}"
    )


def _variant(sweep: Sweep, row: RowTemplate, point: Mapping[str, Any]) -> NamedVariant:
    settings = {key.removeprefix("set."): value for key, value in point.items() if key.startswith("set.")}
    given = {name: value for name in ("method", "augment", "labels") if (value := getattr(row, name)) is not None}
    twice = [name for name in given if name in point] + [f"set.{key}" for key in row.settings if key in settings]
    if twice:
        raise UsageError(f"sweep {sweep.name}: {twice[0]}: both a row and the grid give it")
    values = {**given, **{key: value for key, value in point.items() if not key.startswith("set.")}}
    if "method" not in values:
        raise UsageError(f"sweep {sweep.name}: row '{row.label or ''}': no method, neither in the row nor in the grid")
    variant = NamedVariant(
        label="",
        method=values["method"],
        augment=values.get("augment", ()),
        labels=values.get("labels", "hard"),
        settings={**row.settings, **settings},
    )
    # What does not vary need not be said by the name that a row was given.
    varied = [name for name in point if len(_alternatives(sweep.grid, name)) > 1]
    if row.label is None:
        shown = {
            "method",
            *varied,
            *(["labels"] if variant.labels == "soft" else []),
            *(["augment"] if variant.augment else []),
        }
        return replace(variant, label=_describe(variant, shown, variant.settings))
    prefix = _describe(variant, varied, {key: value for key, value in settings.items() if f"set.{key}" in varied})
    return replace(variant, label=f"{prefix}: {row.label}" if prefix else row.label)


def _alternatives(grid: Grid, axis: str) -> Sequence[Any]:
    key = axis.removeprefix("set.")
    return grid.settings[key] if key != axis else getattr(grid, axis)


def _describe(variant: NamedVariant, names: Collection[str], settings: Mapping[str, Any]) -> str:
    """A name made of those values of a variant that are called `names`, and of settings."""
    parts = [
        *([registry().find("methods", variant.method).title] if "method" in names else []),
        *([f"{variant.labels} labels"] if "labels" in names else []),
        *([" + ".join(variant.augment) or "no augmentation"] if "augment" in names else []),
        # The last part of a setting's name is what tells it from the others in nearly every case.
        *(f"{key.rpartition('.')[2]}={json.dumps(value)}" for key, value in settings.items()),
    ]
    return ", ".join(parts)
