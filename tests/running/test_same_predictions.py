"""The same units give the same bytes, however many run at a time and whatever the environment says about threads."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import benchmark
from benchmark import Request, Resources, Variant, Watcher
from benchmark.cli.main import main
from tests.conftest import benchmark as command

# Of the small networks, this one adds in an order that depends on the number of threads even in batches of four.
SETTINGS = ("batch_size=4", "epochs=2")
ROW = ("--method", "videomae", "--preset", "small", *(part for text in SETTINGS for part in ("--set", text)))
PREDICTIONS = "predictions.*.csv.gz"


def run(root: Path, out: Path, *options: object, omp: str | None = None):
    variables = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    env = variables | ({"OMP_NUM_THREADS": omp} if omp else {})
    return command(*arguments(root, out), *options, env=env)


def arguments(root: Path, out: Path) -> tuple[object, ...]:
    units = ("run", "--protocol", "dfew-5fold", *ROW, "--limit", "8", "--device", "cpu")
    return (*units, "--data-root", root, "-o", out)


def predictions(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob(PREDICTIONS))}


@pytest.fixture(scope="module")
def one_by_one(synthetic_root, tmp_path_factory):
    out = tmp_path_factory.mktemp("one-by-one")
    done = run(synthetic_root, out, "--folds", "1,2", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    return out


def test_neither_jobs_nor_thread_variables_change_a_prediction(one_by_one, synthetic_root, tmp_path):
    done = run(synthetic_root, tmp_path, "--folds", "1,2", "--jobs", 2, omp="1")
    assert done.returncode == 0, done.stderr
    assert len(predictions(tmp_path)) == 2 * 2
    assert predictions(tmp_path) == predictions(one_by_one)


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "omp"), [(4, None), (4, "3"), (2, None), (1, "3")])
def test_nor_do_more_of_them(one_by_one, synthetic_root, tmp_path, jobs, omp):
    done = run(synthetic_root, tmp_path, "--folds", "1-4", "--jobs", jobs, omp=omp)
    assert done.returncode == 0, done.stderr
    assert len(predictions(tmp_path)) == 2 * 4
    assert predictions(one_by_one).items() <= predictions(tmp_path).items()


def test_a_record_says_how_many_threads_computed_each_unit(one_by_one):
    (path,) = one_by_one.rglob("record.json")
    assert [unit["cost"]["computing"]["threads"] for unit in json.loads(path.read_text())["units"]] == [1] * 2


class Stopping(Watcher):
    """Interrupts at the end of an epoch, or before the first prediction."""

    def __init__(self, moment: str):
        self.moment = moment

    def epoch(self, unit, row):
        if self.moment == "training":
            raise KeyboardInterrupt

    def predicting(self, unit, done, total):
        raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["training", "predicting"])
def test_a_unit_is_finished_with_as_many_threads_as_it_was_begun_with(
    one_by_one, synthetic_root, tmp_path, capsys, moment
):
    request = Request("dfew-5fold", (Variant("videomae"),), preset="small", folds=(1,), settings=SETTINGS, limit=8)
    resources = Resources("cpu", jobs=1)
    with pytest.raises(KeyboardInterrupt):
        benchmark.run(request, data_root=synthetic_root, runs=tmp_path, resources=resources, watcher=Stopping(moment))
    again = [*map(str, arguments(synthetic_root, tmp_path)), "--folds", "1", "--jobs", "1"]
    assert main([*again, "--threads", "2"]) == 1
    assert "was begun with --threads 1, and anything else gives other last digits" in capsys.readouterr().err
    assert not predictions(tmp_path)
    assert main(again) == 0
    assert predictions(tmp_path).items() <= predictions(one_by_one).items()
    assert len(predictions(tmp_path)) == 2
