"""Sweeps: what a file may say, the rows it stands for, and the units and cost that follow."""

from __future__ import annotations

import pytest
import yaml

from benchmark.errors import UsageError
from benchmark.planning.data import load_data
from benchmark.planning.request import find_protocol
from benchmark.planning.sweep_file import baseline_of, expand, find_sweep, make_sweep, read_sweep, shipped_sweeps
from benchmark.planning.sweep_plan import PASSES, Choices, plan_sweep, sweep_protocols, works_of

SHIPPED = sorted(shipped_sweeps())
SMALL = Choices(preset="small", folds=(1,))


def sweep_of(**changes):
    value = {"name": "try", "title": "Try", "protocols": ["dfew-5fold"], "grid": {"method": ["tsm"]}, **changes}
    return make_sweep(value, "try.yaml")


def labels(sweep):
    return [cell.label for cell in expand(sweep)]


def test_the_grid_is_multiplied_with_the_rows():
    grid = {"method": ["tsm", "videomae"], "set": {"epochs": [1, 2]}}
    cells = expand(sweep_of(grid=grid, rows=[{"labels": "hard"}, {"labels": "soft", "augment": ["midas"]}]))
    assert [(cell.method, cell.settings["epochs"], cell.labels, cell.augment) for cell in cells] == [
        (method, epochs, *more)
        for method in ("tsm", "videomae")
        for epochs in (1, 2)
        for more in (("hard", ()), ("soft", ("midas",)))
    ]


def test_a_row_is_named_by_what_varies():
    assert labels(sweep_of(rows=[{"label": "plain"}])) == ["plain"]
    assert labels(sweep_of(grid={"method": ["tsm"], "labels": ["hard", "soft"]}, rows=[{"label": "plain"}])) == [
        "hard labels: plain",
        "soft labels: plain",
    ]
    assert labels(sweep_of(grid={"method": ["tsm"], "set": {"model.x.alpha": [0.5]}})) == ["TSM (ResNet-18), alpha=0.5"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metod": "tsm"}, r"try\.yaml: metod: .* \(known keys: name, title, citation, protocols"),
        ({"rows": [{"metod": "tsm"}]}, r"try\.yaml: rows\.0\.metod: .*known keys: label, method, augment, labels, set"),
        ({"grid": {"alpha": [1]}}, r"grid\.alpha: .*known keys: method, augment, labels, set"),
        ({"compare": {"rows": "a"}}, r"compare\.rows: .*known keys: row, method, augment, labels, set, protocol"),
        ({"rows": []}, "rows"),
        ({"rows": [{"labels": "votes"}]}, r"rows\.0\.labels"),
        ({"compare": {"row": "a", "labels": "hard"}}, "leave out the other keys"),
    ],
)
def test_a_wrong_key_is_named(changes, message):
    with pytest.raises(UsageError, match=message) as caught:
        sweep_of(**changes)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": {}}, "no method"),
        ({"rows": [{"method": "tsm"}]}, "method: both a row and the grid"),
        ({"rows": [{"label": "a"}, {"label": "b", "labels": "hard"}]}, "'a' and 'b' are the same"),
        ({"rows": [{"label": "a"}, {"label": "a", "labels": "soft"}]}, "two rows are called 'a'"),
    ],
)
def test_rows_that_cannot_be_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        expand(sweep_of(**changes))


def baselines(sweep):
    cells = expand(sweep)
    return [baseline_of(sweep, cells, cell, sweep.protocols[0])[0].label for cell in cells]


def test_the_first_row_is_the_baseline_unless_the_file_names_another():
    rows = [{"label": "a"}, {"label": "b", "labels": "soft"}]
    assert baselines(sweep_of(rows=rows)) == ["a", "a"]
    assert baselines(sweep_of(rows=rows, compare="b")) == ["b", "b"]


def test_a_baseline_can_be_the_row_that_differs_in_some_values():
    rows = [{"label": "plain"}, {"label": "mixed", "labels": "soft", "augment": ["midas"]}]
    sweep = sweep_of(grid={"method": ["tsm", "s2d"]}, rows=rows, compare={"labels": "hard", "augment": []})
    tsm, s2d = labels(sweep)[0], labels(sweep)[2]
    assert baselines(sweep) == [tsm, tsm, s2d, s2d]


@pytest.mark.parametrize(
    ("compare", "message"),
    [("c", "no row is called 'c'"), ({"method": "s2d"}, "no row differs"), ({"protocol": "afew"}, "not one of")],
)
def test_a_baseline_that_is_not_there_is_refused(compare, message):
    with pytest.raises(UsageError, match=message):
        baselines(sweep_of(compare=compare))


def test_every_setting_is_part_of_its_units(synthetic_root):
    sweep = sweep_of(grid={"method": ["tsm"], "set": {"optim_wrapper.optimizer.lr": [0.1, "1e-2"]}}, seeds=[0, 1])
    plan = plan_sweep(sweep, Choices(preset="small", settings=("epochs=2",)), synthetic_root)
    assert [line.units[0].overrides for line in plan.rows] == [
        {"optim_wrapper.optimizer.lr": 0.1, "epochs": 2},
        {"optim_wrapper.optimizer.lr": 0.01, "epochs": 2},
    ]
    (group,) = plan.groups
    assert len({unit.identity for unit in group.units}) == len(group.units) == 2 * 2 * 5


def test_a_file_of_weights_is_for_its_method_alone(synthetic_root, tmp_path):
    (tmp_path / "w.pth").write_bytes(b"weights")
    init = {"tsm": {"model": tmp_path / "w.pth"}}
    plan = plan_sweep(
        sweep_of(grid={"method": ["tsm", "former-dfer"]}), Choices("small", (1,), init=init), synthetic_root
    )
    assert [(group.units[0].method, dict(group.init)) for group in plan.groups] == [
        ("tsm", init["tsm"]),
        ("former-dfer", {}),
    ]
    with pytest.raises(UsageError, match="no method 's2d'"):
        plan_sweep(sweep_of(), Choices("small", init={"s2d": init["tsm"]}), synthetic_root)


@pytest.mark.parametrize(
    ("changes", "choices", "message"),
    [
        ({"grid": {"method": ["tms"]}}, SMALL, "did you mean 'tsm'"),
        ({"protocols": ["dfew-5fld"]}, SMALL, "did you mean 'dfew-5fold'"),
        ({"metrics": ["macro_f2"]}, SMALL, "protocol dfew-5fold has no metric 'macro_f2'"),
        ({"groupings": ["emotion4"]}, SMALL, "has no grouping 'emotion4'"),
        ({"rows": [{"augment": ["midas:beta=1"]}]}, SMALL, "no option 'beta'"),
        ({"rows": [{"set": {"protocol.version": 2}}]}, SMALL, "protocols as they are"),
        ({}, Choices("small", (9,)), "has folds"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(changes, choices, message, synthetic_root):
    with pytest.raises(UsageError, match=message):
        plan_sweep(sweep_of(**changes), choices, synthetic_root)


def test_a_baseline_under_another_protocol_needs_the_same_test_clips(synthetic_root):
    protocols = ["dfew-ambiguity-clear", "dfew-ambiguity-mixed"]
    sweep = sweep_of(protocols=protocols, compare={"protocol": protocols[0]})
    assert [row.baseline for row in plan_sweep(sweep, SMALL, synthetic_root).rows] == [None, 0]
    other = sweep_of(protocols=[protocols[0], "dfew-5fold"], compare={"protocol": protocols[0]})
    with pytest.raises(UsageError, match="tested on different clips"):
        plan_sweep(other, SMALL, synthetic_root)


def test_the_cost_is_clips_times_epochs_times_three_passes(synthetic_root, tmp_path):
    from benchmark.registry import registry

    plan = plan_sweep(sweep_of(), Choices("small", settings=("epochs=4",)), synthetic_root)
    ((_, work),) = works_of(plan, tmp_path)
    folds = load_data(find_protocol("dfew-5fold"), synthetic_root, votes=False).folds
    clips = sum(len(fold.train) for fold in folds.values())
    assert (work.units, work.finished, work.epochs, work.seconds) == (5, 0, 4, None)
    assert work.clips == clips / 5
    assert work.gflops == pytest.approx(registry().methods["tsm"].presets["small"].gflops * clips * 4 * PASSES)


def test_training_for_another_dataset_comes_first_and_is_shared(tmp_path):
    from benchmark.datasets.synthetic.dfew import synthesize as dfew
    from benchmark.registry import registry
    from benchmark.specs import load_object

    dfew(tmp_path / "DFEW", 60, 0, lambda done, total: None)
    load_object(registry().datasets["mafw"].synthesize)(tmp_path / "MAFW", 60, 0, lambda done, total: None)
    plan = plan_sweep(sweep_of(protocols=["dfew-5fold", "dfew-to-mafw"]), SMALL, tmp_path)
    assert [(group.protocol.name, len(group.units)) for group in plan.groups] == [
        ("dfew-5fold", 1),
        ("dfew-to-mafw", 1),
    ]
    works = [(line.units[0].protocol.name, work.epochs > 0) for line, work in works_of(plan, tmp_path / "runs")]
    assert works == [("dfew-5fold", True), ("dfew-5fold", True), ("dfew-to-mafw", False)]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_sweep_has_a_source_and_a_baseline_for_every_row(name):
    sweep = find_sweep(name)
    cells = expand(sweep)
    assert sweep.name == name
    assert "Table" in sweep.citation or "Figure" in sweep.citation
    assert sweep_protocols(sweep)
    for protocol in sweep.protocols:
        found = [baseline_of(sweep, cells, cell, protocol) for cell in cells]
        assert any(other != (cell, protocol) for cell, other in zip(cells, found, strict=True))


def test_the_papers_tables_are_there():
    counts = {name: len(expand(find_sweep(name))) for name in SHIPPED}
    assert counts == {
        "aen-figure-3": 11,
        "aen-table-1": 7,
        "aen-table-2": 3,
        "blemore-ambiguity": 4,
        "midas-table-5": 15,
        "midas-table-6": 6,
        "midas-table-7": 14,
        "midas-table-8": 4,
        "midas-table-9": 18,
        "v-naw-table-2": 4,
    }


def test_a_sweep_says_which_preset_stands_for_the_papers(synthetic_root):
    sweep = sweep_of(presets={"tsm": "midas"})
    assert {unit.preset for line in plan_sweep(sweep, Choices(), synthetic_root).rows for unit in line.units} == {
        "midas"
    }
    assert {unit.preset for line in plan_sweep(sweep, SMALL, synthetic_root).rows for unit in line.units} == {"small"}


def test_table_5_is_planned_with_its_papers_batch_size_and_rate(synthetic_root, tmp_path):
    sweep = find_sweep("midas-table-5").model_copy(update={"protocols": ("dfew-5fold",)})
    works = works_of(plan_sweep(sweep, Choices(), synthetic_root), tmp_path)
    assert {(work.preset, work.batch, work.input) for _, work in works} == {
        ("midas", 64, "8 x 160"),
        ("midas", 64, "16 x 160"),
    }
    rates = {line.variant.method: work.rate for line, work in works}
    assert rates == pytest.approx({"tsm": 0.01, "videomae": 2.5e-4, "mae-dfer": 2.5e-4})
    readings = {line.variant.label: line.units[0].overrides for line, _ in works if line.variant.method == "mae-dfer"}
    assert {tuple(given.values()) for given in readings.values()} == {(True, 0.1), (False, 0.0)}


def test_an_unknown_sweep_suggests_the_nearest_and_a_broken_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'midas-table-5'"):
        find_sweep("midas-tabel-5")
    with pytest.raises(UsageError, match="cannot be read"):
        read_sweep(tmp_path / "absent.yaml")
    (tmp_path / "list.yaml").write_text(yaml.safe_dump([1]))
    with pytest.raises(UsageError, match="must be a mapping"):
        read_sweep(tmp_path / "list.yaml")
