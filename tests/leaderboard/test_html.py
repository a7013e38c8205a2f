"""The static site as text: what stands where, and that nobody's name becomes markup."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from finished_run import RunMaker, ranks_by_score
from sklearn.metrics import precision_recall_fscore_support

from benchmark.leaderboard import Entry, entry_id
from benchmark.leaderboard.attestations import Level
from benchmark.leaderboard.entry_files import place_of
from benchmark.leaderboard.html import render_index, write_site
from benchmark.leaderboard.markdown_pages import render_page
from benchmark.leaderboard.reported import load_reported
from benchmark.records import Overrides, Record

TITLES = {"uar": "UAR", "war": "WAR", "macro_f1": "macro-F1"}
REPORTED = load_reported(Path(__file__).parents[2] / "leaderboard" / "reported")
VOID = {"meta", "link", "input", "br", "img"}


@dataclass
class Node:
    """An element: its text children are strings."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, tag: str, **attributes: str) -> list[Node]:
        found = []
        for child in self.children:
            if isinstance(child, Node):
                wanted = {name.strip("_").replace("_", "-"): value for name, value in attributes.items()}
                if child.tag == tag and wanted.items() <= child.attributes.items():
                    found.append(child)
                found += child.all(tag, **attributes)
        return found

    def elements(self) -> list[Node]:
        below = [child for child in self.children if isinstance(child, Node)]
        return below + [element for child in below for element in child.elements()]


class Tree(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open = [Node("document")]
        self.feed(text)
        assert len(self.open) == 1, "every element is closed"

    def handle_starttag(self, tag, attrs):
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        self.open[-1].children.append(data)


def parse(text: str) -> Node:
    return Tree(text).open[0]


def table_of(node: Node) -> list[dict[str, str]]:
    """The rows of a table as texts by column title."""
    (header,) = node.all("tr", class_="columns")
    titles = [
        "".join(c if isinstance(c, str) else "" for c in cell.children).strip()
        for cell in header.all("th", scope="col")
    ]
    body = [row for row in node.all("tbody")[0].all("tr")]
    cells = [[c for c in row.children if isinstance(c, Node) and c.tag in ("td", "th")] for row in body]
    return [dict(zip(titles, (cell.text.strip() for cell in row), strict=True)) for row in cells]


def boards(node: Node) -> list[list[dict[str, str]]]:
    return [table_of(table) for table in node.all("table", class_="board")]


@pytest.fixture(scope="module")
def make_entry(tmp_path_factory):
    make = RunMaker(tmp_path_factory.mktemp)

    def entry(level: Level = "consistent", **options) -> Entry:
        record = make(**options).record
        return Entry(place_of(record), record, level)

    return entry


def index_of(*entries: Entry, **options) -> Node:
    options.setdefault("ranks", ranks_by_score(entries))
    return parse(render_index(entries, TITLES, **options))


@pytest.fixture
def page_of(tmp_path):
    """A record's page out of a site that is written for it."""

    def write(entry: Entry) -> Node:
        write_site([entry], TITLES, tmp_path / "site", ranks_by_score([entry]))
        return parse((tmp_path / "site" / "records" / f"{entry_id(entry.record)}.html").read_text(encoding="utf-8"))

    return write


def test_the_same_entries_in_any_order_give_the_same_bytes(make_entry, tmp_path):
    entries = [make_entry(), make_entry(synthetic=True)]
    first = write_site(entries, TITLES, tmp_path / "first", ranks_by_score(entries), REPORTED)
    second = write_site(entries[::-1], TITLES, tmp_path / "second", ranks_by_score(entries), REPORTED)
    assert [path.relative_to(tmp_path / "first") for path in first] == [
        path.relative_to(tmp_path / "second") for path in second
    ]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_every_record_has_a_page_that_the_index_links_to(make_entry, tmp_path):
    entries = [make_entry(), make_entry(synthetic=True)]
    written = write_site(entries, TITLES, tmp_path, ranks_by_score(entries))
    index = parse((tmp_path / "index.html").read_text(encoding="utf-8"))
    links = [str(link.attributes["href"]) for table in index.all("table") for link in table.all("a")]
    assert sorted(links) == sorted(f"records/{entry_id(entry.record)}.html" for entry in entries)
    (tabs,) = index.all("nav", aria_label="Pages")
    pages = [str(link.attributes["href"]) for link in tabs.all("a")]
    assert {tmp_path / link for link in (*links, *pages)} == set(written)


def test_a_records_page_leads_back_to_its_protocol(make_entry, page_of):
    entry = make_entry(synthetic=True)
    index = index_of(make_entry(), entry)
    name, anchor = page_of(entry).all("nav")[0].all("a")[0].attributes["href"].split("#")
    assert name == "../index.html"
    (section,) = index.all("section", id=anchor)
    assert "synthetic" in section.all("h3")[0].text


def test_synthetic_results_stand_in_a_section_of_their_own_that_says_so(make_entry, page_of):
    made_up = make_entry(title="Made up", synthetic=True)
    index = index_of(make_entry(title="Real"), made_up)
    methods = [[row["Method"] for row in rows] for rows in boards(index)]
    assert methods == [["Real (small)"], ["Made up (small)"]]
    (section,) = index.all("div", class_="synthetic")
    assert "say nothing about real faces" in section.text
    assert [[row["Method"] for row in rows] for rows in boards(section)] == [["Made up (small)"]]
    assert "say nothing about real faces" in page_of(made_up).text


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"overrides": Overrides(protocol={"frames.order": "single"})}, "unofficial: protocol key frames.order"),
        ({"failed": ((0, 3),)}, "incomplete: seed 0, fold 3 failed"),
    ],
)
def test_what_is_not_ranked_stands_in_another_table_with_the_reason(make_entry, page_of, options, why):
    other = make_entry(name="other", title="Other", **options)
    ranked, others = boards(index_of(make_entry(), other))
    assert [(row["Rank"], row["Method"]) for row in ranked] == [("1", "Former-DFER (small)")]
    assert [row["Method"] for row in others] == ["Other (small)"]
    assert others[0]["Why"].startswith(why)
    assert why in page_of(other).text


def markdown_tables(text: str) -> list[list[dict[str, str]]]:
    """The tables of a markdown page as plain texts by column title."""
    tables = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        header, _, *lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()]
        plain = [[html.unescape(cell.strip().replace("\\", "")) for cell in line] for line in (header, *lines)]
        tables.append([dict(zip(plain[0], row, strict=True)) for row in plain[1:]])
    return tables


def test_the_tables_hold_what_the_markdown_page_holds(make_entry):
    entries = [
        make_entry(
            level="labels-joined", augmentations=(("midas", {"alpha": 0.8, "per_pair": False}),), label_mode="soft"
        ),
        make_entry(name="other", title="Other_1", accuracy=0.4, never="disgust", seeds=(0, 1)),
        make_entry(name="third", failed=((0, 3),), init={"w.pth": "0" * 64}),
    ]
    tables = markdown_tables(render_page(entries, TITLES, False, ranks_by_score(entries), REPORTED))
    expected = [table for table in tables if "Record" in table[0]][:2]
    links = [[row.pop("Record") for row in table] for table in expected]
    assert [len(table) for table in links] == [2, 1]
    assert boards(index_of(*entries, reported=REPORTED))[:2] == expected


def test_what_rows_are_held_against_is_that_of_the_markdown_page(make_entry):
    entries = [make_entry()]
    tables = markdown_tables(render_page(entries, TITLES, False, ranks_by_score(entries)))
    (expected,) = [table for table in tables if "Without a model" in table[0]]
    (found,) = [table_of(table) for table in index_of(*entries).all("table", class_="references")]
    assert found == expected
    assert [row["Without a model"] for row in found] == ["Best constant answer", "Guessing"]


def test_a_row_shows_the_places_that_it_may_have(make_entry):
    entries = [make_entry(name=f"m{i}", accuracy=accuracy) for i, accuracy in enumerate((0.9, 0.6, 0.3))]
    ranks = dict(zip((str(entry.path) for entry in entries), [(1, 2), (1, 2), (3, 3)], strict=True))
    index = index_of(*entries, ranks=ranks)
    assert [row["Rank"] for row in boards(index)[0]] == ["1-2", "1-2", "3"]
    places = [cell.attributes["data-number"] for cell in index.all("td", class_="rank")]
    assert places == ["1", "2", "3"]


def test_the_bar_in_a_score_cell_is_its_interval(make_entry):
    entry = make_entry()
    index = index_of(entry)
    low, high = (float(end.text) / 100 for end in index.all("span", class_="scale")[0].all("span"))
    (bar,) = [line for line in index.all("table", class_="board")[0].all("line") if line.attributes["class"] == "range"]
    (dot,) = index.all("table", class_="board")[0].all("circle")
    drawn = [bar.attributes["x1"], dot.attributes["cx"], bar.attributes["x2"]]
    scores = [low + float(place.rstrip("%")) / 100 * (high - low) for place in drawn]
    uar = entry.record.aggregates.metrics["uar"]
    assert scores == pytest.approx([uar.low, uar.mean, uar.high], abs=1e-4)
    assert low <= uar.low and uar.high <= high


def test_the_recall_of_few_clips_is_not_shaded_and_says_of_how_many_it_is(make_entry, page_of):
    few, many = make_entry(folds=(1,)), make_entry(folds=(1, 2, 3, 4, 5))
    index = index_of(few)
    assert [cell.text for cell in index.all("span", class_="clips")] == ["n = 6"] * 7
    assert not index.all("td", class_="shade") and len(index.all("td", class_="few")) == 7
    assert len(index_of(many).all("td", class_="shade")) == 7
    assert not index_of(few, many).all("span", class_="clips")  # each row has its own number
    assert "fewer than 30 test clips" in page_of(few).text and "fewer than 30 test clips" not in page_of(many).text


def test_ranks_are_explained_where_they_stand(make_entry):
    (section,) = index_of(make_entry()).all("section", id="dfew-5fold-v1")
    assert "A rank is the range of places" in section.text
    assert section.all("a", href="#legend-rank")


HOSTILE = (
    '</style><script>alert(1)</script><img src=x onerror=alert(2)> | pipe | "quoted" \'`{{ 7 * 7 }}\x1b[31m\u202eabc'
)
SHOWN = '</style><script>alert(1)</script><img src=x onerror=alert(2)> | pipe | "quoted" \'`{{ 7 * 7 }} [31m abc'


@pytest.fixture
def hostile(make_entry, page_of):
    """An entry whose every name is markup, and the two pages that show it."""
    entry = make_entry(
        title=HOSTILE,
        augmentations=((HOSTILE, {HOSTILE: HOSTILE}),),
        overrides=Overrides(recipe={HOSTILE: HOSTILE}),
        init={HOSTILE: "0" * 64},
        unofficial=[HOSTILE],
        failed=((0, 3),),
    )
    return index_of(entry), page_of(entry)


def test_hostile_names_are_shown_as_text(hostile):
    index, page = hostile
    (rows,) = boards(index)
    assert rows[0]["Method"] == f"{SHOWN} (small)"
    assert page.all("h1")[0].text == f"{SHOWN} (small)"
    assert f"unofficial: {SHOWN}" in page.text


def test_hostile_names_make_no_element_and_no_attribute(hostile, make_entry, page_of):
    harmless_entry = make_entry(augmentations=(("a", {"b": "c"}),), unofficial=["d"], failed=((0, 3),))
    harmless = index_of(harmless_entry), page_of(harmless_entry)
    for shown, expected in zip(hostile, harmless, strict=True):
        elements = [
            (node.tag, sorted(node.attributes)) for node in shown.elements() if node.tag not in ("tspan", "text")
        ]
        assert "img" not in {tag for tag, _ in elements}
        assert not [names for _, names in elements if any(name.startswith("on") for name in names)]
        assert len(shown.all("script")) == len(expected.all("script"))
        assert len(shown.all("style")) == len(expected.all("style"))
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", shown.text)


def test_only_the_pages_own_script_may_run_and_nothing_may_be_loaded(make_entry, page_of):
    entry = make_entry()
    index = index_of(entry, reported=REPORTED)
    for shown in (index, page_of(entry)):
        (policy,) = shown.all("meta", http_equiv="Content-Security-Policy")
        given = [rule.strip().partition(" ") for rule in policy.attributes["content"].split(";")]
        rules = {name: sources for name, _, sources in given}
        assert rules["default-src"] == "'none'"
        digests = [base64.b64encode(hashlib.sha256(s.text.encode()).digest()).decode() for s in shown.all("script")]
        assert rules["script-src"] == " ".join(f"'sha256-{digest}'" for digest in digests) or not digests
        assert rules["script-src"] == "'none'" or digests
        loaded = [
            value
            for node in shown.elements()
            for name, value in node.attributes.items()
            if (name in ("src", "srcset", "data", "action") or (name == "href" and node.tag == "link"))
        ]
        assert not [value for value in loaded if not value.startswith("data:")]
        assert not re.search(r"@import|url\((?!#)", "".join(style.text for style in shown.all("style")))


def test_a_records_page_holds_the_whole_record(make_entry, page_of):
    entry = make_entry(augmentations=(("midas", {"alpha": 0.8}),), init={"w.pth": "0" * 64}, failed=((0, 3),))
    shown = page_of(entry)
    stored = json.loads(shown.all("pre")[-1].text)
    assert Record.model_validate_json(json.dumps(stored)) == entry.record
    facts = [entry.record.protocol.hash, "weights", "midas, version 1: alpha = 0.8", "out of memory"]
    for unit in entry.record.units:
        facts += [unit.splits.train.sha256, unit.splits.val.sha256, unit.splits.test.sha256, unit.checkpoint_sha256]
        facts += [f"{100 * unit.scores.test.metrics['uar'].value:.2f}"]
    assert not [fact for fact in facts if fact not in shown.text]


def test_the_table_of_classes_agrees_with_scikit_learn(make_entry, page_of):
    entry = make_entry(never="disgust", seeds=(0, 1))
    (section,) = [s for s in page_of(entry).all("section", class_="panel") if s.all("h2")[0].text == "Classes"]
    classes = entry.record.protocol.definition["classes"]
    true, predicted = [], []
    for unit in entry.record.units:
        for row, counts in enumerate(unit.scores.test.confusion):
            for column, count in enumerate(counts):
                true += [row] * count
                predicted += [column] * count
    precision, recall, f1, number = precision_recall_fscore_support(
        true, predicted, labels=range(len(classes)), zero_division=0
    )
    rows = [[cell.text for cell in row.children if isinstance(cell, Node)] for row in section.all("tbody")[0].all("tr")]
    assert [row[0] for row in rows] == classes
    for k, cells in enumerate(rows):
        never_predicted = classes[k] == "disgust"
        shown = [cells[1], *cells[3:6]]
        assert shown == [
            str(number[k]),
            f"{100 * recall[k]:.2f}",
            "-" if never_predicted else f"{100 * precision[k]:.2f}",
            f"{100 * f1[k]:.2f}",
        ]


def test_a_records_page_draws_its_confusion_and_its_recall(make_entry, page_of):
    entry = make_entry()
    figures = page_of(entry).all("figure")
    assert [len(figure.all("svg")) for figure in figures] == [1, 1]
    assert "Confusion" in figures[0].text and "Recall" in figures[1].text


def test_a_record_without_a_finished_unit_is_shown_without_scores(make_entry, page_of):
    entry = make_entry(folds=(), failed=tuple((0, fold) for fold in range(1, 6)))
    (rows,) = boards(index_of(entry))
    assert rows[0]["UAR"] == "-"
    assert "No unit was finished" in page_of(entry).text


def test_quoted_results_stand_in_their_own_section_as_printed(make_entry):
    index = index_of(make_entry(), reported=REPORTED)
    (quoted,) = index.all("section", id="reported")
    assert "not run here, never ranked" in quoted.text
    shown = {tuple(row.values()) for rows in boards(quoted) for row in rows}
    for table in REPORTED:
        for row in table.rows:
            assert tuple(" ".join(cell.split()) for cell in table.cells(row)) in shown
    assert sum(map(len, boards(index))) == 1 + sum(len(table.rows) for table in REPORTED)


def test_a_site_without_records_says_how_to_publish():
    index = index_of()
    assert "No results on real data yet" in index.text
    assert "benchmark leaderboard add" in index.text
    assert not index.all("table")


def test_writing_the_site_needs_no_torch():
    code = "import sys; import benchmark.leaderboard.html, benchmark.plots; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
