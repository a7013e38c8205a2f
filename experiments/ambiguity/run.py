"""Does learning from votes, or from mixed votes, show a model how much of each emotion is in a face?

    python -m experiments.ambiguity.run [-o FOLDER]

Run in the project's folder. Makes the clips, trains what is missing, and writes records/, mixtures.csv, RESULTS.md and
results.svg beside this file. Killed at any moment, the same command goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import sys
from pathlib import Path

from benchmark.cli.main import main as benchmark
from benchmark.cli.progress import counting
from benchmark.files import write_text
from benchmark.finished.rescoring import read_finished
from benchmark.planning.sweep_file import expand, find_sweep
from benchmark.plots.style import svg_text
from benchmark.records import RECORD
from experiments.ambiguity.clips import MIXTURES, synthesize
from experiments.ambiguity.measures import measure, read_mixtures, references, undo_softmax
from experiments.ambiguity.results import results_figure, results_text

HERE = Path(__file__).parent
SWEEP = HERE / "sweep.yaml"
COMMAND = "make ambiguity"
PARTS = {"train": 490, "val": 140, "test": 350}
TEXT, FIGURE, RECORDS = "RESULTS.md", "results.svg", "records"
# What a record is verified by; the rest of a run stays where it was made.
KEPT = (RECORD, "predictions.*")


def experiment(place: Path, out: Path, parts: dict[str, int], *options: str) -> int:
    """Make the clips and the runs in `place`; keep records, predictions and the truth in `out`, and write the results.

    options: further ones of `benchmark sweep`. Returns an exit code.
    """
    data, runs = place / "data", place / "runs"
    if not data.exists():
        with counting("clips") as report:
            synthesize(data, parts, seed=0, report=report)
    printed = io.StringIO()
    where = ("--data-root", str(data), "-o", str(runs))
    with contextlib.redirect_stdout(printed):
        code = benchmark(["sweep", str(SWEEP), "--preset", "small", *where, "--json", *options])
    if code:
        return code
    shutil.rmtree(out / RECORDS, ignore_errors=True)
    for row in json.loads(printed.getvalue())["rows"]:
        source = (runs / row["record"]).parent
        shutil.copytree(source, out / RECORDS / folder_of(row["row"]), ignore=_all_but_kept)
    shutil.copyfile(data / MIXTURES, out / MIXTURES)
    write_results(out)
    return 0


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
    sys.exit(experiment(parser.parse_args().output, HERE, PARTS))
