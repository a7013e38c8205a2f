"""Run a notebook from top to bottom in an empty folder, and keep what it gives: `python -m docs.generate.execute`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "notebooks/tour.ipynb"


def execute(path: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs, executed in `folder`; raises CellExecutionError where a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=1800, kernel_name="python3", resources=place).execute()
    for cell in notebook.cells:
        # When a cell ran is another each time, and nobody's business.
        cell.metadata.pop("execution", None)
    return notebook


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(execute(NOTEBOOK, Path(folder)), NOTEBOOK)
