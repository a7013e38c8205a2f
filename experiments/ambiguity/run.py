"""Does learning from votes, or from mixed votes, show a model how much of each emotion is in a face?

    python -m experiments.ambiguity.run [-o FOLDER]

Run in the project's folder. Makes the clips, trains what is missing, and writes RESULTS.md and results.svg beside this
file. Killed at any moment, the same command goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from pathlib import Path

from benchmark.cli.main import main as benchmark
from benchmark.cli.progress import counting
from benchmark.datasets.layouts import table
from benchmark.files import write_text
from benchmark.plots.style import svg_text
from experiments.ambiguity.clips import synthesize
from experiments.ambiguity.measures import measure, read_mixtures, references, undo_softmax
from experiments.ambiguity.results import results_figure, results_text

HERE = Path(__file__).parent
COMMAND = "make ambiguity"
PARTS = {"train": 490, "val": 140, "test": 350}
TEXT, FIGURE = "RESULTS.md", "results.svg"


def experiment(place: Path, out: Path, parts: dict[str, int], *options: str) -> int:
    """Make the clips and the runs in `place`, and write the page and the figure to `out`; returns an exit code.

    options: further ones of `benchmark sweep`.
    """
    data = place / "data"
    if not data.exists():
        with counting("clips") as report:
            synthesize(data, parts, seed=0, report=report)
    printed = io.StringIO()
    where = ("--data-root", str(data), "-o", str(place / "runs"))
    with contextlib.redirect_stdout(printed):
        code = benchmark(["sweep", str(HERE / "sweep.yaml"), "--preset", "small", *where, "--json", *options])
    if code:
        return code
    rows = json.loads(printed.getvalue())["rows"]
    mixtures = read_mixtures(data)
    records = {row["row"]: place / "runs" / row["record"] for row in rows}
    measured = [measure(label, record, mixtures) for label, record in records.items()]
    measured.append(measure("MIDAS, softmax undone", records["MIDAS"], mixtures, undo_softmax))
    tested = [mixtures[clip.id] for clip in table.read(data, votes=False) if clip.parts[1] == "test"]
    write_text(out / FIGURE, svg_text(results_figure(measured)))
    write_text(out / TEXT, results_text(measured, references(tested), FIGURE, COMMAND))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/ambiguity"), help="where clips and runs go")
    sys.exit(experiment(parser.parse_args().output, HERE, PARTS))
