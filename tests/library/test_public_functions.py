"""What a notebook does, through the public functions alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmark
from benchmark import Request, Resources, Variant
from benchmark.errors import UsageError
from tests.small_runs import Remembering

QUICK: dict[str, Any] = {"preset": "small", "folds": (1,), "settings": ("epochs=1",)}
ON_CPU = Resources(device="cpu", jobs=1)


@pytest.fixture(scope="module")
def finished(synthetic_root, tmp_path_factory):
    """Two methods, run in one call."""
    runs = tmp_path_factory.mktemp("runs")
    watcher = Remembering()
    request = Request("dfew-5fold", (Variant("tsm"), Variant("former-dfer")), **QUICK)
    records = benchmark.run(request, data_root=synthetic_root, runs=runs, resources=ON_CPU, watcher=watcher)
    return records, runs, watcher


def test_two_methods_are_run_and_told_of(finished):
    records, runs, watcher = finished
    assert [record.method.name for record in records] == ["tsm", "former-dfer"]
    assert watcher.epochs == [1, 1]
    assert watcher.failures == []
    assert (runs / "SYNTHETIC.md").is_file()


def test_what_is_finished_is_not_run_again_and_gives_the_same_records(finished, synthetic_root):
    records, runs, _ = finished
    watcher = Remembering()
    request = Request("dfew-5fold", (Variant("tsm"), Variant("former-dfer")), **QUICK)
    again = benchmark.run(request, data_root=synthetic_root, runs=runs, resources=ON_CPU, watcher=watcher)
    assert again == records
    assert watcher.epochs == []


def test_runs_are_loaded_as_arrays(finished):
    _, runs, _ = finished
    loaded = benchmark.load(runs)
    assert sorted(run.record.method.name for run in loaded) == ["former-dfer", "tsm"]
    for run in loaded:
        (unit,) = run.units
        assert unit.probabilities.shape == (len(unit.ids), len(run.classes))
        assert np.allclose(unit.probabilities.sum(axis=1), 1, atol=1e-4)
        hits = unit.confusion.trace() / unit.confusion.sum()
        assert unit.scores["war"] == pytest.approx(hits, abs=1e-6)
        assert {row["metric"] for row in run.table()} == set(unit.scores)


def test_runs_are_scored_compared_and_plotted(finished, synthetic_root, tmp_path):
    _, runs, _ = finished
    paths = [run.path for run in benchmark.load(runs)]
    scored = benchmark.score(paths[0], metrics=["war", "ece"], data_root=synthetic_root)
    assert set(scored.metrics) == {"war", "ece"}
    compared = benchmark.compare(paths, data_root=synthetic_root)
    assert (len(compared.pairs), compared.optimism) == (1, False)
    plotted = benchmark.plot(paths[0], output=tmp_path, data_root=synthetic_root)
    assert {"confusion", "recall", "coexistence"} <= set(plotted.figures)
    assert all(file.is_file() for files in plotted.files.values() for file in files)


def test_a_trained_model_looks_at_any_clip(finished, synthetic_root):
    _, runs, _ = finished
    clip = next((synthetic_root / "Clip/clip_224x224").iterdir())
    weights = next(runs.rglob("tsm*/**/best.pth"))
    seen = benchmark.predict([clip], "tsm", weights, window=8, device="cpu")
    assert seen.clips[0].whole.emotion in seen.classes
    assert len(seen.clips[0].timeline) > 1


def test_nothing_is_printed(synthetic_root, tmp_path, capfd):
    request = Request("dfew-5fold", (Variant("tsm"),), **QUICK, limit=14)
    benchmark.run(request, data_root=synthetic_root, runs=tmp_path, resources=ON_CPU)
    assert capfd.readouterr().out == ""


def test_a_request_that_cannot_be_run_is_an_exception(synthetic_root, tmp_path):
    with pytest.raises(UsageError, match="did you mean 'tsm'"):
        benchmark.run(Request("dfew-5fold", (Variant("tmm"),)), data_root=synthetic_root, runs=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_dir_lists_the_public_names_and_none_is_imported_before_it_is_asked_for():
    code = (
        "import sys, benchmark\n"
        "heavy = {'torch', 'mmengine', 'cv2', 'matplotlib', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "names = [name for name in dir(benchmark) if not name.startswith('_')]\n"
        "assert all(getattr(benchmark, name) for name in names)\n"
        "print(*names)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert {"run", "pretrain", "sweep", "predict", "score", "compare", "load", "plot"} <= set(done.stdout.split())


def test_the_types_travel_with_the_packages():
    import benchmark_plugins

    for package in (benchmark, benchmark_plugins):
        assert (Path(str(package.__file__)).parent / "py.typed").is_file()
