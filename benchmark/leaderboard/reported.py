"""Results that papers print, kept apart from results that were run here: shown beside them, never ranked.

A file of `leaderboard/reported/` transcribes one table, figure by figure as printed, and says which protocol, metric
and class each figure belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from benchmark.emotions import EMOTIONS
from benchmark.errors import IntegrityError
from benchmark.leaderboard.markdown import LONGEST, escape, render_table
from benchmark.plain_yaml import read_yaml
from benchmark.protocol import Protocol
from benchmark.records import AugmentationUse
from benchmark.registry import registry
from benchmark.shipped import shipped
from benchmark.validation import problem_of

DISCLAIMER = "Quoted from the literature, not run here, never ranked."
SELECTIONS = {
    "val": "checkpoints selected on validation data",
    "test": "checkpoints selected on test",
    "unknown": "how checkpoints were selected is not said",
}
# The metric that is the mean over classes of another one.
MEAN_OF = {"recall": "uar", "f1": "macro_f1"}
# Inputs and result are each rounded to 0.01, so that their errors add up to at most this.
ROUNDING = Decimal("0.01")


def _as_printed(text: Any) -> tuple[Decimal | None, ...]:
    """Numbers between spaces, `-` where the paper prints none; text, because YAML would make 43.90 of 43.9."""
    if not isinstance(text, str):
        raise ValueError("write the figures as text in quotes, separated by spaces")
    try:
        return tuple(None if word == "-" else Decimal(word) for word in text.split())
    except InvalidOperation:
        raise ValueError(f"not all of '{text}' are numbers or '-'") from None


# What `escape` would cut off is refused here; a note shares its cell with another remark.
Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]
Note = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST - 30)]
Percent = Annotated[Decimal, Field(ge=0, le=100)]
Figures = Annotated[tuple[Percent | None, ...], BeforeValidator(_as_printed)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ReportedColumn(_Strict):
    """What a column of figures holds.

    emotion: key `class` in the file, a canonical name, for `recall` and `f1` only.
    grouping: name of the grouping that a score was computed over, None for the classes themselves.
    """

    heading: Text
    metric: Literal["recall", "f1", "uar", "war", "macro_f1", "presence", "salience", "blend_score"]
    emotion: str | None = Field(default=None, alias="class")
    grouping: Text | None = None
    protocol: Text | None = None

    @model_validator(mode="after")
    def _class_of_class_metrics(self) -> ReportedColumn:
        if self.emotion not in (None, *EMOTIONS):
            raise ValueError(f"class: '{self.emotion}' is not one of {', '.join(EMOTIONS)}")
        if (self.metric in MEAN_OF) != (self.emotion is not None):
            raise ValueError("'class' belongs to the metrics recall and f1, and only to them")
        return self


class ReportedAugmentation(_Strict):
    """An augmentation of this benchmark, with the options that the paper states; the others are the plugin's own."""

    name: Text
    options: dict[Text, float | bool | str] = Field(default_factory=dict)


class ReportedRow(_Strict):
    """One printed row.

    method: as printed, without the paper's reference number.
    setting: the printed cells beside it, by heading.
    plugin: the method of this benchmark that it is, or None.
    fold: the only fold of the protocol that the figures are of; None if they are of all.
    printed_mean_differs: the printed mean over classes minus that of the row's own figures, where rounding can't
        explain it.
    """

    method: Text
    setting: dict[Text, str] = Field(default_factory=dict)
    plugin: Text | None = None
    labels: Literal["hard", "soft"] | None = None
    augmentations: tuple[ReportedAugmentation, ...] = ()
    protocol: Text | None = None
    fold: int | None = None
    figures: Figures
    printed_mean_differs: Decimal | None = None
    note: Note | None = None

    @property
    def doubt(self) -> str:
        """What marks a row whose numbers do not add up; empty for the others."""
        return "" if self.printed_mean_differs is None else f"printed mean off by {self.printed_mean_differs:+.2f}"


class ReportedTable(_Strict):
    """One table of one paper.

    The protocol that figures compare with is said once: by the table, by its rows or by its columns. `cite` names the
    paper where there is little room. `caption` and `notes` are not the paper's words.
    """

    paper: Text
    cite: Note
    table: Text
    caption: Text
    datasets: tuple[Text, ...] = Field(min_length=1)
    protocol: Text | None = None
    selection: Literal["val", "test", "unknown"]
    selection_note: Text
    notes: tuple[Text, ...] = ()
    unit: Literal["percent"]
    columns: tuple[ReportedColumn, ...] = Field(min_length=1)
    rows: tuple[ReportedRow, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> ReportedTable:
        for number, row in enumerate(self.rows):
            if len(row.figures) != len(self.columns):
                raise ValueError(f"rows.{number}.figures: {len(row.figures)}, not {len(self.columns)} as columns")
            if list(row.setting) != list(self.rows[0].setting):
                raise ValueError(f"rows.{number}.setting: must have the headings {list(self.rows[0].setting)}")
        stated = [
            self.protocol is not None,
            any(row.protocol for row in self.rows),
            any(column.protocol for column in self.columns),
        ]
        if sum(stated) > 1:
            raise ValueError("protocol: say it for the table, for rows or for columns, not for two of them")
        return self

    @property
    def source(self) -> str:
        """Where the figures stand, briefly and as plain text."""
        return f"{self.cite}, Table {self.table}"

    def protocol_of(self, row: ReportedRow, column: ReportedColumn) -> str | None:
        """The name of the protocol that a figure compares with; None if there is none like the paper's."""
        return column.protocol or row.protocol or self.protocol

    def header(self) -> list[str]:
        """The headings of `cells`, as plain text."""
        return ["Method", *self.rows[0].setting, *(column.heading for column in self.columns), "Remarks"]

    def cells(self, row: ReportedRow) -> list[str]:
        """A row as plain text, figures as printed."""
        figures = ["-" if figure is None else str(figure) for figure in row.figures]
        return [row.method, *row.setting.values(), *figures, "; ".join(filter(None, [row.doubt, row.note])) or "-"]


@dataclass(frozen=True)
class Quotation:
    """A printed score in 0..1, the table that prints it, and what speaks against the score (empty if nothing does)."""

    value: float
    source: str
    doubt: str


def shipped_tables() -> Path:
    """The folder of tables that comes with the benchmark, installed or not."""
    return shipped("leaderboard/reported")


def load_reported(folder: Path) -> list[ReportedTable]:
    """The tables of a folder, ordered by file name; none if there is no such folder.

    Raises IntegrityError naming the first file that is wrong, and the key.
    """
    return [read_table(path) for path in sorted(folder.glob("*.yaml"))]


def read_table(path: Path) -> ReportedTable:
    """One table; IntegrityError names the file and the key that is wrong."""
    try:
        return ReportedTable.model_validate(read_yaml(path, links=False))
    except ValidationError as error:
        raise IntegrityError(problem_of(error, str(path))) from error
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read: {error.strerror}") from error


def check_arithmetic(table: ReportedTable) -> list[str]:
    """One line for each row whose printed mean and own figures are not what its `printed_mean_differs` says."""
    problems = []
    for number, row in enumerate(table.rows):
        found = _difference(table, row)
        if found != row.printed_mean_differs:
            problems.append(
                f"{table.source}: rows.{number} ({row.method}): the printed mean is off by {found or 'nothing'}, "
                f"but printed_mean_differs says {row.printed_mean_differs or 'nothing'}"
            )
    return problems


def render_reported(tables: Sequence[ReportedTable]) -> str:
    """Markdown sections, one for each table; empty if there is none."""
    return "\n".join(map(_section, tables))


def reported_for(
    tables: Sequence[ReportedTable],
    protocol: Protocol,
    plugin: str,
    preset: str,
    labels: str,
    augmentations: Sequence[AugmentationUse],
) -> list[Quotation]:
    """What papers print for the ranking metric of exactly such a row over all folds, each different value once.

    Only the preset `paper` compares with a paper. More than one value means that sources contradict each other.
    """
    if preset != "paper":
        return []
    wanted = [_identity(used) for used in augmentations]
    values: dict[Decimal, Quotation] = {}
    for table in tables:
        for row in table.rows:
            same = (row.plugin, row.labels, row.fold) == (plugin, labels, None)
            if not same or [_identity(stated) for stated in row.augmentations] != wanted:
                continue
            for column, figure in zip(table.columns, row.figures, strict=True):
                counts = column.metric == protocol.ranking and column.grouping is None
                if figure is not None and counts and table.protocol_of(row, column) == protocol.name:
                    values.setdefault(figure, Quotation(float(figure / 100), table.source, row.doubt))
    return list(values.values())


def _difference(table: ReportedTable, row: ReportedRow) -> Decimal | None:
    """The printed mean over classes minus that of the row's own figures; None where it is rounding, or not printed."""
    cells = list(zip(table.columns, row.figures, strict=True))
    parts = [figure for column, figure in cells if column.emotion]
    known = [figure for figure in parts if figure is not None]
    means = {MEAN_OF[column.metric] for column in table.columns if column.emotion}
    for column, printed in cells:
        if column.metric in means and column.grouping is None and printed is not None and known == parts:
            difference = printed - sum(known, Decimal(0)) / len(known)
            return None if abs(difference) <= ROUNDING else difference.quantize(ROUNDING)
    return None


def _section(table: ReportedTable) -> str:
    rows = [[escape(cell) for cell in table.cells(row)] for row in table.rows]
    notes = [f"* {escape(note)}" for note in table.notes]
    lines = [
        f"### {escape(table.paper)}, Table {escape(table.table)}\n",
        f"{escape(table.caption)}. Data: {escape(', '.join(table.datasets))}. Percent.\n",
        f"Selection: {SELECTIONS[table.selection]} ({escape(table.selection_note)}).\n",
        *([*notes, ""] if notes else []),
        render_table([escape(heading) for heading in table.header()], rows) + "\n",
    ]
    return "\n".join(lines)


def _identity(used: AugmentationUse | ReportedAugmentation) -> tuple[str, dict[str, Any]]:
    """An augmentation with all its options; those that are not stated are the plugin's."""
    known = registry().augmentations.get(used.name)
    return used.name, {**(known.options if known else {}), **used.options}
