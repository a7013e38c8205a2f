"""Results quoted from papers: transcribed in full, consistent with themselves, never taken for results from here."""

import functools
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from benchmark.emotions import EMOTIONS
from benchmark.errors import IntegrityError
from benchmark.leaderboard.reported import check_arithmetic, load_reported, render_reported, reported_for
from benchmark.protocol import load_protocol
from benchmark.records import AugmentationUse
from benchmark.registry import registry

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "leaderboard" / "reported"
TABLES = load_reported(FOLDER)
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
# Sums over the papers' own text, made by a parser and not from the files that are tested: nothing is transcribed twice.
CHECK = json.loads((ROOT / "tests" / "data" / "reported_check.json").read_text())
MIDAS = AugmentationUse(name="midas", version="1", options={})

each_table = pytest.mark.parametrize("table", TABLES, ids=NAMES)


@functools.cache
def protocol(name):
    return load_protocol(registry().protocols[name])


def quoted(protocol_name, plugin, labels="hard", augmentations=(), preset="paper", tables=TABLES):
    return reported_for(tables, protocol(protocol_name), plugin, preset, labels, augmentations)


def small(**changes):
    """A table of one row, whose mean is that of its two figures."""
    row = {"method": "Ours", "plugin": "tsm", "labels": "hard", "figures": "40.00 50.00 45.00 61.5"}
    value = {
        "paper": "Someone, Something, 2025",
        "cite": "Someone 2025",
        "table": "1",
        "caption": "what it shows",
        "datasets": ["dfew"],
        "protocol": "dfew-5fold",
        "selection": "test",
        "selection_note": "says the paper",
        "unit": "percent",
        "columns": [
            {"heading": "Happy", "metric": "recall", "class": "happy"},
            {"heading": "Sad", "metric": "recall", "class": "sad"},
            {"heading": "UAR", "metric": "uar"},
            {"heading": "WAR", "metric": "war"},
        ],
        "rows": [row | changes.pop("row", {})],
    }
    return value | changes


def load(tmp_path, value):
    (tmp_path / "some-table-1.yaml").write_text(value if isinstance(value, str) else yaml.safe_dump(value))
    return load_reported(tmp_path)


def test_every_table_is_there_with_its_sums():
    assert sorted(CHECK) == NAMES


@pytest.mark.parametrize("name", sorted(CHECK))
def test_figures_have_the_counts_and_sums_of_the_printed_table(name):
    figures = [row.figures for row in TABLES[NAMES.index(name)].rows]
    expected = CHECK[name]
    assert sum(figure is not None for row in figures for figure in row) == expected["figures"]
    assert [sum(filter(None, row)) for row in figures] == list(map(Decimal, expected["row_sums"]))
    columns = zip(*figures, strict=True)
    assert [sum(filter(None, column)) for column in columns] == list(map(Decimal, expected["column_sums"]))


@each_table
def test_every_printed_mean_is_that_of_the_row_or_listed_as_differing(table):
    assert check_arithmetic(table) == []


def test_a_printed_mean_that_differs_and_is_not_listed_is_a_problem(tmp_path):
    [table] = load(tmp_path, small(row={"figures": "40.00 50.00 45.02 61.5"}))
    [problem] = check_arithmetic(table)
    assert "Someone 2025, Table 1: rows.0 (Ours): the printed mean is off by 0.02" in problem


def test_a_printed_mean_that_is_listed_as_differing_but_adds_up_is_a_problem(tmp_path):
    [table] = load(tmp_path, small(row={"printed_mean_differs": -0.05}))
    assert "printed_mean_differs says -0.05" in check_arithmetic(table)[0]


def test_a_printed_mean_may_be_off_by_rounding(tmp_path):
    [table] = load(tmp_path, small(row={"figures": "40.00 50.00 45.01 61.5"}))
    assert check_arithmetic(table) == []


def test_a_row_that_lacks_a_class_has_no_mean_to_compare(tmp_path):
    assert check_arithmetic(load(tmp_path, small(row={"figures": "40.00 - 45.00 61.5"}))[0]) == []


def test_a_mean_over_coarser_groups_is_not_held_against_the_classes(tmp_path):
    value = small(row={"figures": "40.00 50.00 70.00 61.5"})
    value["columns"][2]["grouping"] = "emotion3"
    assert check_arithmetic(load(tmp_path, value)[0]) == []


@each_table
def test_every_name_is_one_that_this_benchmark_knows(table):
    known = registry()
    assert set(table.datasets) <= set(known.datasets)
    for row in table.rows:
        assert row.plugin is None or row.plugin in known.methods
        for used in row.augmentations:
            assert set(used.options) <= set(known.augmentations[used.name].options)
        for column in table.columns:
            compared = protocol(table.protocol_of(row, column))
            assert column.emotion is not None or column.metric in compared.metrics
            assert column.grouping in {None, *(grouping.name for grouping in compared.groupings)}
            assert row.fold is None or row.fold in compared.folds
            assert compared.dataset in table.datasets


@each_table
def test_recalls_are_printed_for_exactly_the_classes_of_the_protocol(table):
    emotions = [column.emotion for column in table.columns if column.emotion]
    for name in {table.protocol_of(row, column) for row in table.rows for column in table.columns}:
        assert not emotions or sorted(emotions) == sorted(protocol(name).classes)
    assert set(emotions) <= set(EMOTIONS)


def test_the_papers_contradict_themselves_only_where_a_note_says_so():
    found = defaultdict(set)
    for table in TABLES:
        if table.cite.startswith("Collected"):  # where figures in circulation stand side by side
            continue
        for row in table.rows:
            used = tuple((a.name, a.options.get("alpha", 0.8)) for a in row.augmentations)
            for column, figure in zip(table.columns, row.figures, strict=True):
                key = (table.protocol_of(row, column), row.fold, row.plugin, row.labels, used, column.metric)
                if row.plugin and not column.emotion and not column.grouping:
                    found[key].add((figure, row.note))
    contradictory = {key: {figure for figure, _ in values} for key, values in found.items()}
    contradictory = {key: figures for key, figures in contradictory.items() if len(figures) > 1}
    assert contradictory == {
        ("ferv39k-plus", None, "mae-dfer", "hard", (), "uar"): {Decimal("43.28"), Decimal("43.15")},
        ("ferv39k-plus", None, "videomae", "hard", (), "war"): {Decimal("65.21"), Decimal("65.12")},
    }
    assert all(note for key in contradictory for _, note in found[key])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (small(colour="red"), "colour: Extra inputs are not permitted"),
        (small(row={"uar": "1"}), "rows.0.uar: Extra inputs are not permitted"),
        (small(row={"figures": "40.00 50.00 45.00"}), "rows.0.figures: 3, not 4 as columns"),
        (small(row={"figures": "40.00 50.00 45.00 much"}), "rows.0.figures: Value error, not all of"),
        (small(row={"figures": "40.00 50.00 45.00 nan"}), "rows.0.figures.3: "),
        (small(row={"figures": "40.00 50.00 45.00 101"}), "rows.0.figures.3: "),
        (small(row={"figures": 66.5}), "rows.0.figures: Value error, write the figures as text"),
        (small(row={"protocol": "ferv39k"}), "protocol: say it for the table, for rows or for columns"),
        (small(unit="fraction"), "unit: Input should be 'percent'"),
        (small(caption="x" * 121), "caption: String should have at most 120 characters"),
        (
            small(columns=[{"heading": "a", "metric": "recall", "class": "happiness"}]),
            "columns.0: Value error, class: 'happiness' is not one of happy",
        ),
        (small(columns=[{"heading": "a", "metric": "recall"}]), "'class' belongs to the metrics recall and f1"),
        (small(columns=[{"heading": "a", "metric": "uar", "class": "sad"}]), "'class' belongs to the metrics"),
        ("[]", "Input should be a valid dictionary"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_that_names_file_and_key(tmp_path, value, message):
    with pytest.raises(IntegrityError) as raised:
        load(tmp_path, value)
    assert str(raised.value).startswith(f"{tmp_path / 'some-table-1.yaml'}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_rows_must_have_the_same_headings(tmp_path):
    [row] = small()["rows"]
    value = small(rows=[row, row | {"setting": {"Label": "Hard"}}])
    with pytest.raises(IntegrityError, match=r"rows\.1\.setting: must have the headings \[\]"):
        load(tmp_path, value)


def test_a_folder_without_tables_has_none(tmp_path):
    assert load_reported(tmp_path / "reported") == []
    assert render_reported([]) == ""


def test_a_table_says_where_its_numbers_come_from(tmp_path):
    text = render_reported(load(tmp_path, small()))
    assert text.startswith("### Someone, Something, 2025, Table 1\n")
    assert "Selection: checkpoints selected on test (says the paper)." in text


def test_figures_are_shown_with_the_printed_digits_and_a_dash_where_there_is_none(tmp_path):
    text = render_reported(load(tmp_path, small(row={"figures": "40.00 50.00 - 61.5"})))
    [row] = [line for line in text.splitlines() if "Ours" in line]
    assert [cell.strip() for cell in row.strip("|").split("|")] == ["Ours", "40.00", "50.00", "-", "61.5", "-"]


def test_rows_that_do_not_add_up_are_marked():
    text = render_reported(TABLES)
    listed = [row.printed_mean_differs for table in TABLES for row in table.rows if row.printed_mean_differs]
    assert len(listed) == 9
    assert all(f"printed mean off by {difference:+.2f}" in text for difference in listed)


def test_names_from_a_file_cannot_break_out_of_markdown(tmp_path):
    hostile = "<b>|[x](https://a.b) `c`"
    value = small(
        row={"method": hostile, "setting": {hostile: hostile}, "note": hostile},
        paper=hostile,
        table=hostile,
        caption=hostile,
        selection_note=hostile,
        notes=[hostile],
        datasets=[hostile],
    )
    value["columns"][0]["heading"] = hostile
    text = render_reported(load(tmp_path, value))
    assert text.count("&lt;b&gt;\\|\\[x\\](https\\://a.b) \\`c\\`") == 11
    assert "<b>" not in text
    assert "[x]" not in text


def test_no_text_of_a_real_table_is_cut_off():
    assert "..." not in render_reported(TABLES)


@pytest.mark.parametrize(
    ("row", "value"),
    [
        (("dfew-5fold", "former-dfer"), 0.5044),
        (("dfew-5fold", "tsm", "soft"), 0.5164),
        (("dfew-5fold", "tsm", "soft", [MIDAS]), 0.5284),
        (("ferv39k-plus", "mae-dfer", "hard", [MIDAS]), 0.4328),
        (("ferv39k-plus-to-dfew", "tsm", "soft", [MIDAS]), 0.35),
        (("dfew-ambiguity-mixed", "mae-dfer", "soft", [MIDAS]), 0.6086),
        (("legacy-dfew-5fold", "aen"), 0.5666),
        (("legacy-afew", "former-dfer"), 0.4742),
        (("legacy-affwild2-expr", "v-naw"), 0.4181),
    ],
)
def test_a_row_is_compared_with_the_ranking_metric_of_the_same_row_in_a_paper(row, value):
    [quotation] = quoted(*row)
    assert quotation.value == pytest.approx(value, abs=1e-12)


def test_options_of_an_augmentation_must_be_those_of_the_paper():
    changed = AugmentationUse(name="midas", version="1", options={"alpha": 0.3})
    [quotation] = quoted("dfew-5fold", "mae-dfer", "soft", [changed])
    assert quotation.source == "Kawamura et al. 2025, Table IX"
    assert quotation.value == pytest.approx(0.6421)
    unprinted = AugmentationUse(name="midas", version="1", options={"normalise": "none"})
    assert quoted("dfew-5fold", "mae-dfer", "soft", [unprinted]) == []


@pytest.mark.parametrize(
    "row",
    [{"preset": "small"}, {"labels": "soft"}, {"augmentations": [MIDAS]}, {"plugin": "tsn"}, {"protocol_name": "caer"}],
)
def test_a_row_that_differs_in_anything_is_not_compared(tmp_path, row):
    same = {"protocol_name": "dfew-5fold", "plugin": "tsm", "tables": load(tmp_path, small())}
    assert [quotation.value for quotation in quoted(**same)] == [0.45]
    assert quoted(**(same | row)) == []


def test_a_figure_of_one_fold_is_not_that_of_the_protocol():
    assert quoted("affwild2-expr-3fold", "v-naw") == []


def test_figures_that_contradict_each_other_are_all_returned_with_what_speaks_against_them():
    first, second = quoted("ferv39k-plus", "mae-dfer")
    assert (first.value, first.doubt) == (pytest.approx(0.4328), "printed mean off by +1.78")
    assert (second.value, second.doubt) == (pytest.approx(0.4315), "")
