"""The leaderboard: what is accepted, how it is ranked and printed, and what the check finds."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys

import pytest
from finished_run import DFEW, RunMaker

from benchmark.errors import IntegrityError
from benchmark.leaderboard import add, build, check, entry_id, overview, terminal_table
from benchmark.leaderboard.markdown import escape
from benchmark.protocol import override
from benchmark.records import AugmentationUse, MethodUse, Overrides, read_record
from benchmark.records.names import augmentation_name
from benchmark.registry import registry

pytestmark = pytest.mark.usefixtures("made_up_lists")


@pytest.fixture(scope="session")
def make_run(tmp_path_factory):
    return RunMaker(tmp_path_factory.mktemp)


@pytest.fixture
def board(tmp_path):
    return tmp_path / "leaderboard"


def publish(board, *runs):
    entries = [add(run.path, board) for run in runs]
    build(board)
    return entries


def rows(text, section="## "):
    """The tables' rows below a heading, as lists of cells by column title."""
    lines = text[text.index(section) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(("| Rank", "| Why")))
    split = [re.split(r" (?<!\\)\| ", f" {line[1:-1].strip()} ") for line in lines[start:]]
    header = [cell.strip() for cell in split[0]]
    found = []
    for line, row in zip(lines[start + 2 :], split[2:], strict=True):
        if not line.startswith("|"):
            break
        found.append(dict(zip(header, (cell.strip() for cell in row), strict=True)))
    return found


def page(board, name="README.md"):
    return (board / name).read_text(encoding="utf-8")


# What is accepted.


def test_an_entry_holds_the_record_and_its_predictions_and_nothing_else(make_run, board):
    run = make_run()
    (run.folder / "labels.csv").write_text("gated")
    entry = add(run.path, board)
    files = {path.relative_to(board / entry.path) for path in (board / entry.path).rglob("*") if path.is_file()}
    assert len(files) == 1 + 2 * len(run.record.units)
    assert read_record(board / entry.path / "record.json") == run.record
    assert str(entry.path) == f"records/dfew-5fold/{entry_id(run.record)}"


def test_adding_again_changes_nothing(make_run, board):
    run = make_run()
    assert add(run.path, board) == add(run.folder, board)
    assert len(list((board / "records/dfew-5fold").iterdir())) == 1


def test_a_record_that_does_not_verify_is_not_added(make_run, board):
    run = make_run()
    (run.folder / run.record.units[0].predictions.test.path).unlink()
    with pytest.raises(IntegrityError, match="missing"):
        add(run.path, board)
    assert not board.exists()


def test_a_changed_protocol_is_not_added_as_official(make_run, board):
    with pytest.raises(IntegrityError, match="is not one that is installed"):
        add(make_run(protocol=override(DFEW, {"folds": [1]})).path, board)


def test_an_id_is_readable_and_changes_with_the_content(make_run):
    one, other = make_run(name="../Ä <b>").record, make_run(name="../Ä <b>", accuracy=0.7).record
    assert re.fullmatch(r"b-hard-[0-9a-f]{12}", entry_id(one))
    assert entry_id(one) != entry_id(other)


# What the pages say.


def test_records_are_ranked_by_the_protocols_metric(make_run, board):
    runs = [make_run(name=f"m{i}", title=f"M{i}", accuracy=accuracy) for i, accuracy in enumerate((0.3, 0.9, 0.6))]
    publish(board, *runs)
    found = rows(page(board))
    assert [(row["Rank"], row["Method"]) for row in found] == [
        ("1", "M1 (small)"),
        ("2", "M2 (small)"),
        ("3", "M0 (small)"),
    ]
    best = runs[1].record.aggregates.metrics["uar"]
    low, high = 100 * best.low, 100 * best.high
    assert found[0]["UAR"] == f"{100 * best.mean:.2f} [{low:.2f}, {high:.2f}] ± {100 * best.std:.2f}"


def test_a_protocol_may_rank_by_another_metric_than_its_first(make_run, tmp_path):
    protocol = override(DFEW, {"ranking": "macro_f1", "folds": [1]})
    # Never predicting a class costs more macro-F1 than UAR, which the protocol names first.
    blind = make_run(name="m3", title="Blind", accuracy=0.4, never="happy", protocol=protocol)
    fair = make_run(name="m4", title="Fair", accuracy=0.4, protocol=protocol)
    uar, macro_f1 = (
        [run.record.aggregates.metrics[name].mean for run in (blind, fair)] for name in ("uar", "macro_f1")
    )
    assert uar[0] > uar[1] and macro_f1[0] < macro_f1[1]
    for run in (blind, fair):
        shutil.copytree(run.folder, tmp_path / "runs" / run.record.method.name / "hard")
    overview(tmp_path / "runs")
    assert [row["Method"] for row in rows(page(tmp_path / "runs"))] == ["Fair (small)", "Blind (small)"]


def test_equal_scores_may_have_each_others_places(make_run, board):
    runs = [make_run(name="a"), make_run(name="a", label_mode="soft"), make_run(name="b", accuracy=0.1)]
    publish(board, *runs)
    assert [row["Rank"] for row in rows(page(board))] == ["1-2", "1-2", "3"]


def test_a_row_shows_what_was_run(make_run, board):
    augmentations = (("midas", {"alpha": 0.4}), ("flip", {}))
    run = make_run(augmentations=augmentations, label_mode="soft", init={"model": "0" * 64})
    (entry,) = publish(board, run)
    (row,) = rows(page(board))
    expected = {
        "Augmentations": "midas (alpha=0.4) + flip",
        "Labels": "soft",
        "Parameters": "1.23 M",
        "Pre-training": "model: file 00000000",
        "Seeds x folds": "1 x 5",
        "Date": "2026-03-01",
    }
    assert {key: row[key] for key in expected} == expected
    assert row["disgust"] == f"{100 * run.record.aggregates.recall['disgust']:.2f}"
    grouped = run.record.aggregates.groupings["emotion3"]
    assert row["emotion3: UAR / WAR / macro-F1"] == " / ".join(f"{100 * s.mean:.2f}" for s in grouped.values())
    assert row["Record"] == f"[record]({entry.path}/record.json)"
    assert (board / entry.path / "record.json").is_file()


def test_what_goes_without_saying_is_left_out_of_names(make_run, board):
    paper = MethodUse.model_validate(make_run().record.method.model_dump() | {"preset": "paper", "title": "Paper"})
    default = dict(registry().augmentations["midas"].options)
    publish(board, make_run(method=paper, augmentations=(("midas", default),)))
    publish(board, make_run(augmentations=(("midas", default | {"alpha": 0.4}),)))
    found = {row["Method"]: row["Augmentations"] for row in rows(page(board))}
    assert found == {"Paper": "midas", "Former-DFER (small)": "midas (alpha=0.4)"}


def test_options_of_another_version_are_all_named_because_its_defaults_are_not_known():
    used = AugmentationUse(name="midas", version="0", options=dict(registry().augmentations["midas"].options))
    assert "alpha=0.8" in augmentation_name(used)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"overrides": Overrides(protocol={"frames.order": "single"})}, r"unofficial: protocol key frames.order"),
        ({"failed": ((0, 3),)}, "incomplete: seed 0, fold 3 failed"),
    ],
)
def test_what_cannot_be_ranked_stands_below_with_the_reason(make_run, board, options, why):
    publish(board, make_run(), make_run(name="other", title="Other", **options))
    assert [row["Method"] for row in rows(page(board))] == ["Former-DFER (small)"]
    (row,) = rows(page(board), "### Not ranked")
    assert row["Method"] == "Other (small)"
    assert why in row["Why"].replace("\\", "")


def test_collapsed_classes_are_marked(make_run, board):
    publish(board, make_run(), make_run(name="other", title="Other", never="disgust"))
    marks = {row["Method"]: row["Marks"] for row in rows(page(board))}
    assert marks == {"Former-DFER (small)": "-", "Other (small)": "collapsed: disgust"}


def test_synthetic_results_stand_on_their_own_page_only(make_run, board):
    publish(board, make_run(title="Real"), make_run(name="drawn", title="Made up", synthetic=True))
    assert [row["Method"] for row in rows(page(board))] == ["Real (small)"]
    assert [row["Method"] for row in rows(page(board, "SYNTHETIC.md"))] == ["Made up (small)"]
    assert "say nothing about real faces" in page(board, "SYNTHETIC.md").split("## ")[0]


def test_an_empty_leaderboard_says_how_to_publish(board):
    build(board)
    assert "benchmark leaderboard add" in page(board)
    assert check(board).entries == ()


def test_building_twice_gives_the_same_bytes(make_run, board, tmp_path):
    runs = [make_run(), make_run(name="other", accuracy=0.4), make_run(name="third", synthetic=True)]
    publish(board, *runs)
    publish(tmp_path / "again", *reversed(runs))
    for name in ("README.md", "SYNTHETIC.md"):
        first = (board / name).read_bytes()
        build(board)
        assert first == (board / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_an_overview_shows_the_records_of_ones_own_runs(make_run, tmp_path):
    place = tmp_path / "dfew-5fold" / "tsm+flip,p=a (b)" / "hard"
    shutil.copytree(make_run().folder, place)
    overview(tmp_path)
    (row,) = rows(page(tmp_path))
    assert row["Record"] == "[record](dfew-5fold/tsm%2Bflip%2Cp%3Da%20%28b%29/hard/record.json)"
    assert row["Verified"] == "own run"


HOSTILE = "<script>alert(1)</script> | [x](https://evil.example) `code`\n# Heading ![i](j) www.evil.example \x1b[31m"


def test_hostile_names_stay_words_in_one_cell(make_run, board):
    run = make_run(title=HOSTILE, augmentations=((HOSTILE, {HOSTILE: HOSTILE}),), unofficial=[HOSTILE])
    publish(board, run)
    text = page(board)
    assert len(rows(text, "### Not ranked")) == 1
    for markup in ("<script", "](https:", "\n# Heading", "![i]", " www.evil", "\x1b", " `code`"):
        assert markup not in text
    bars = [
        len(re.findall(r"(?<!\\)\|", line))
        for line in text[text.index("### Not ranked") :].splitlines()
        if line.startswith("|")
    ]
    assert len(bars) == 3 and len(set(bars)) == 1


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Former-DFER + MIDAS (0.8), 2021", "Former-DFER + MIDAS (0.8), 2021"),
        ("a|b", r"a\|b"),
        ("a\\|b", r"a\\\|b"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("one\r\n two\u2028three", "one two three"),
        ("a_b*c`d~e", r"a\_b\*c\`d\~e"),
        (":smile: it: fine", r"\:smile: it: fine"),
        ("https://x.y www.x.y", r"https\://x.y www\.x.y"),
        ("x" * 500, "x" * 117 + "..."),
    ],
)
def test_escaping(text, safe):
    assert escape(text) == safe


def test_the_terminals_tables_hold_scores_and_recalls_best_first(make_run):
    worse, better = make_run(accuracy=0.2, title="Worse").record, make_run(accuracy=0.9, title="Better").record
    text = terminal_table([worse, better])
    assert text.index("Better") < text.index("Worse")
    scores, recalls = text.split("\n\n")
    assert f"{100 * better.aggregates.metrics['war'].mean:.2f}" in scores
    assert f"{100 * better.aggregates.recall['fear']:.2f}" in recalls


# What the check finds.


@pytest.fixture
def published(make_run, board):
    """A leaderboard with one entry, the entry's folder, and its record's file."""
    (entry,) = publish(board, make_run())
    return board, board / entry.path, board / entry.path / "record.json"


def test_an_honest_leaderboard_passes(published):
    board, _, _ = published
    assert len(check(board).entries) == 1


def change(path, keys, value):
    content = json.loads(path.read_text())
    target = content
    for key in keys[:-1]:
        target = target[key]
    target[keys[-1]] = value(target[keys[-1]])
    path.write_text(json.dumps(content, indent=2) + "\n")


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("aggregates", "metrics", "uar", "mean"), lambda old: round(old + 1e-10, 10), "aggregates.metrics.uar.mean"),
        (("units", 2, "scores", "test", "metrics", "war", "value"), lambda old: round(old + 0.1, 10), "war.value"),
        (("protocol", "definition", "split", "val", "fraction"), lambda old: 0.1, "protocol.definition hashes to"),
        (("method", "title"), lambda old: "Better-DFER", "belongs into"),
    ],
)
def test_a_changed_record_fails_the_check(published, keys, value, message):
    board, _, record = published
    change(record, keys, value)
    with pytest.raises(IntegrityError, match=message) as caught:
        check(board)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


def test_a_changed_probability_fails_the_check(published):
    board, folder, record = published
    path = folder / read_record(record).units[0].predictions.val.path
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"0.05", b"0.0501", 1)))
    with pytest.raises(IntegrityError, match=re.escape(str(path))):
        check(board)


def test_a_removed_predictions_file_fails_the_check(published):
    board, folder, record = published
    path = folder / read_record(record).units[0].predictions.val.path
    path.unlink()
    with pytest.raises(IntegrityError, match=re.escape(f"{path}: the predictions file is missing")):
        check(board)


def test_a_removed_record_fails_the_check(published):
    board, folder, record = published
    shutil.rmtree(folder)
    with pytest.raises(IntegrityError, match=re.escape(f"{record}: the record is gone")):
        check(board)


def test_an_edited_page_fails_the_check(published):
    board, _, _ = published
    (board / "README.md").write_text(page(board).replace("| 1 ", "| 0 "))
    with pytest.raises(IntegrityError, match="is not what the records give"):
        check(board)


def test_a_file_that_belongs_to_no_record_fails_the_check(published):
    board, folder, _ = published
    (folder / "labels.csv").write_text("gated")
    with pytest.raises(IntegrityError, match=r"labels\.csv: belongs to no record"):
        check(board)


def test_an_unknown_protocol_fails_the_check(make_run, published):
    board, _, _ = published
    unknown = make_run(protocol=override(DFEW, {"name": "mine"}))
    place = board / "records/mine" / entry_id(unknown.record)
    shutil.copytree(unknown.folder, place)
    with pytest.raises(IntegrityError, match="unknown protocol 'mine'"):
        check(board)


def test_the_check_uses_labels_where_there_are_some(make_run, board):
    run = make_run()
    publish(board, run)
    assert check(board, lambda record: run.by_split).with_labels
    wrong = {"val": run.labels, "test": {**run.labels, "test1-sad-0": "happy"}}
    with pytest.raises(IntegrityError, match=r"scores\.test"):
        check(board, lambda record: wrong)


def test_the_leaderboard_needs_no_torch():
    code = "import sys; from benchmark import leaderboard as l; l.terminal_table([]); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
