"""Does learning from votes, or from mixed votes, show a model how much of each emotion is in a face?

    python -m experiments.ambiguity.run [-o FOLDER]

Run in the project's folder. Makes the clips, trains what is missing, and writes records/, mixtures.csv, RESULTS.md and
results.svg beside this file. Killed at any moment, the same command continues where it left off.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import benchmark
from benchmark import Choices, Watcher
from benchmark.errors import UnitFailed
from benchmark.files import write_text
from benchmark.finished.rescoring import read_finished
from benchmark.planning.sweep_file import expand, find_sweep
from benchmark.plots.style import svg_text
from benchmark.records import RECORD
from benchmark.units.unit import Unit
from experiments.ambiguity.clips import MIXTURES, synthesize
from experiments.ambiguity.measures import measure, read_mixtures, references, undo_softmax
from experiments.ambiguity.results import results_figure, results_text

HERE = Path(__file__).parent
SWEEP = HERE / "sweep.yaml"
CHOICES = Choices(preset="small")
COMMAND = "make ambiguity"
PARTS = {"train": 490, "val": 140, "test": 350}
TEXT, FIGURE, RECORDS = "RESULTS.md", "results.svg", "records"
# What a record is verified by; the rest of a run stays where it was made.
KEPT = (RECORD, "predictions.*")


class Lines(Watcher):
    """What happens, a line each on stderr: half an hour should not pass in silence."""

    def note(self, message: str) -> None:
        """A warning, or where a result was written."""
        print(message, file=sys.stderr)

    def started(self, unit: Unit, done: int) -> None:
        """A unit begins, or resumes after `done` epochs."""
        print(f"{unit.folder}: " + (f"resuming after epoch {done}" if done else "starting"), file=sys.stderr)

    def epoch(self, unit: Unit, row: Mapping[str, Any]) -> None:
        """One epoch of a unit is over."""
        print(f"{unit.folder}: epoch {row['epoch']}, loss {row['loss']:.3f}", file=sys.stderr)

    def failed(self, unit: Unit, reason: str) -> None:
        """A unit failed; the others continue."""
        print(f"failed: {unit.folder}: {reason}", file=sys.stderr)


def experiment(place: Path, out: Path, parts: dict[str, int], choices: Choices = CHOICES) -> None:
    """Make the clips and the runs in `place`; keep records, predictions and the truth in `out`, and write the results.

    Raises UnitFailed if a unit failed; what was finished is kept in `place`.
    """
    data, runs, watcher = place / "data", place / "runs", Lines()
    if not data.exists():
        with watcher.counting("clips") as report:
            synthesize(data, parts, seed=0, report=report)
    table = benchmark.sweep(SWEEP, choices, data_root=data, runs=runs, watcher=watcher)
    if any(row.finished < len(row.planned.units) for row in table.rows):
        raise UnitFailed("not every unit was finished; the same command tries them again")
    shutil.rmtree(out / RECORDS, ignore_errors=True)
    for row in table.rows:
        source = runs / row.planned.units[0].record_folder
        shutil.copytree(source, out / RECORDS / folder_of(row.planned.variant.label), ignore=_all_but_kept)
    shutil.copyfile(data / MIXTURES, out / MIXTURES)
    write_results(out)


def write_results(out: Path) -> None:
    """The page and the figure, from the records, predictions and mixtures in `out` alone."""
    mixtures = read_mixtures(out)
    records = {variant.label: out / RECORDS / folder_of(variant.label) for variant in expand(find_sweep(str(SWEEP)))}
    measured = [measure(label, record, mixtures) for label, record in records.items()]
    measured.append(measure("MIDAS, softmax undone", records["MIDAS"], mixtures, undo_softmax))
    tested = read_finished(records["MIDAS"], "test").predictions[0].ids
    known = references([mixtures[clip] for clip in tested])
    write_text(out / FIGURE, svg_text(results_figure(measured)))
    write_text(out / TEXT, results_text(measured, known, FIGURE, COMMAND))


def folder_of(label: str) -> str:
    """The name of a row's folder."""
    return label.lower().replace(" ", "-")


def _all_but_kept(folder: str, names: list[str]) -> list[str]:
    path = Path(folder)
    kept = {name for name in names for pattern in KEPT if (path / name).match(pattern)}
    return [name for name in names if name not in kept and not name.startswith(("seed-", "fold-"))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/ambiguity"), help="where clips and runs go")
    experiment(parser.parse_args().output, HERE, PARTS)
