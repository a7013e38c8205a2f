"""The static site in a real browser, opened from disk: sorting, filtering, safety and legibility."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from finished_run import RunMaker, ranks_by_score
from further_results import spoil, time
from selenium import webdriver
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from benchmark.leaderboard import Entry
from benchmark.leaderboard.entry_files import place_of
from benchmark.leaderboard.html import write_site
from benchmark.leaderboard.reported import load_reported
from benchmark.records import MethodUse
from benchmark.records.further import read_further
from benchmark.scoring.comparison import Difference

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)",
)
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1400,1000"
)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> | pipe |"
TABS = ("Cost", "Spoiled clips", "Clips without a label")
TITLES = {"uar": "UAR", "war": "WAR", "macro_f1": "macro-F1"}


def method(title: str, gflops: float | None, pretraining: str = "none") -> MethodUse:
    return MethodUse(
        name="m",
        title=title,
        version="1",
        preset="paper",
        pretraining=pretraining,
        parameters=1_000_000,
        gflops=gflops,
        official_evaluation="-",
    )


@pytest.fixture(scope="module")
def entries(tmp_path_factory) -> list[Entry]:
    """Four ranked real results, one that is not ranked, one synthetic."""
    make = RunMaker(tmp_path_factory.mktemp)
    midas = (("midas", {"alpha": 0.4}),)
    runs = [
        make(accuracy=0.9, method=method("Alpha", 12.5)),
        make(accuracy=0.7, method=method("Gamma", 3.25), augmentations=midas, label_mode="soft"),
        make(accuracy=0.5, method=method("Beta", None), never="disgust"),
        make(accuracy=0.3, method=method(HOSTILE, 100.0), unofficial=[]),
        make(accuracy=0.8, method=method("Delta", 1.0), failed=((0, 3),)),
        make(accuracy=0.8, method=method("Epsilon", 1.0, "VoxCeleb2"), synthetic=True),
    ]
    spoil(runs[0])
    for run, milliseconds in zip(runs[:2], (3.5, 12.0), strict=True):
        time(run, milliseconds)
    return [Entry(place_of(run.record), run.record, further=read_further(run.folder)) for run in runs]


def verdicts(entries) -> dict[str, dict[str, Difference]]:
    """Alpha is better than Gamma; Gamma and Beta are not told apart; nothing else was compared."""
    alpha, gamma, beta = (str(entry.path) for entry in entries[:3])
    better, close = Difference(0.2, 0.1, 0.3, 0.0004), Difference(0.01, -0.03, 0.05, 0.62)
    worse, closer = Difference(-0.2, -0.3, -0.1, 0.0004), Difference(-0.01, -0.05, 0.03, 0.62)
    return {alpha: {gamma: better}, gamma: {alpha: worse, beta: close}, beta: {gamma: closer}}


@pytest.fixture(scope="module")
def site(entries, tmp_path_factory) -> Path:
    reported = load_reported(Path(__file__).parents[2] / "leaderboard" / "reported")
    out = tmp_path_factory.mktemp("site")
    write_site(entries, TITLES, out, ranks_by_score(entries), reported, verdicts(entries))
    return out


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    assert CHROMIUM
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium, site):
    """The browser at the index, with empty logs."""
    chromium.get("about:blank")
    for log in ("browser", "performance"):
        chromium.get_log(log)
    chromium.get((site / "index.html").as_uri())
    return chromium


def ranked(browser):
    return browser.find_element(By.CSS_SELECTOR, "#dfew-5fold-v1 table.board")


def header(browser, title):
    buttons = ranked(browser).find_elements(By.CSS_SELECTOR, "tr.columns button")
    (button,) = [b for b in buttons if b.text.split("\n")[0] == title]
    return button


def column(browser, title) -> list[str]:
    """The visible cells of a column, from top to bottom."""
    cells = ranked(browser).find_elements(By.CSS_SELECTOR, f"tbody [data-column='{title}']")
    return [cell.text.split("\n")[0] for cell in cells if cell.is_displayed()]


def sort_state(button):
    return button.find_element(By.XPATH, "..").get_attribute("aria-sort")


def visible_methods(browser) -> list[str]:
    cells = browser.find_elements(By.CSS_SELECTOR, "#results .protocol .board tbody th")
    return [cell.text for cell in cells if cell.is_displayed()]


def type_words(browser, words):
    box = browser.find_element(By.ID, "words")
    box.clear()
    box.send_keys(words)


def choose(browser, name, value):
    (option,) = browser.find_elements(By.CSS_SELECTOR, f"select[data-filter='{name}'] option[value='{value}']")
    option.click()


# Sorting.


def test_a_click_on_a_header_sorts_the_largest_first_and_the_next_click_the_smallest(browser, entries):
    expected = sorted((e.record.aggregates.metrics["war"].mean for e in entries[:4]), reverse=True)
    war = header(browser, "WAR")
    war.click()
    assert column(browser, "WAR") == [f"{100 * value:.2f}" for value in expected]
    assert sort_state(war) == "descending"
    war.click()
    assert column(browser, "WAR") == [f"{100 * value:.2f}" for value in reversed(expected)]
    assert sort_state(war) == "ascending"


def test_numbers_are_not_sorted_as_words_and_missing_ones_come_last(browser):
    gflops = header(browser, "GFLOPs")
    gflops.click()
    assert column(browser, "GFLOPs") == ["100.00", "12.50", "3.25", "-"]
    gflops.click()
    assert column(browser, "GFLOPs") == ["3.25", "12.50", "100.00", "-"]


def test_equal_rows_keep_the_order_of_their_ranks(browser):
    header(browser, "Parameters").click()
    assert column(browser, "Method")[:3] == ["Alpha", "Gamma", "Beta"]


def test_the_keyboard_sorts_too_and_only_one_header_says_that_it_is_sorted(browser):
    assert sort_state(header(browser, "Rank")) == "ascending"
    header(browser, "Method").send_keys(Keys.ENTER)
    assert column(browser, "Method")[1:] == ["Alpha", "Beta", "Gamma"]
    assert len(ranked(browser).find_elements(By.CSS_SELECTOR, "[aria-sort]")) == 1
    assert sort_state(header(browser, "Method")) == "ascending"


# Filtering.


def test_words_in_any_column_leave_only_the_rows_that_hold_all_of_them(browser):
    total = int(browser.find_element(By.ID, "count").text.split()[2])
    type_words(browser, "MIDAS alpha=0.4")
    assert visible_methods(browser) == ["Gamma"]
    type_words(browser, "seed 0, fold 3 failed")
    assert visible_methods(browser) == ["Delta"]
    assert browser.find_element(By.ID, "count").text == f"1 of {total} rows"
    type_words(browser, "nothing has this in it")
    assert visible_methods(browser) == []
    assert not browser.find_element(By.CSS_SELECTOR, "#dfew-5fold-v1").is_displayed()


def test_a_search_opens_the_quoted_tables_that_hold_a_match(browser):
    type_words(browser, "MAE-DFER+MIDAS mixed")
    opened = [d for d in browser.find_elements(By.CSS_SELECTOR, "#reported details") if d.is_displayed()]
    assert opened and all(d.get_attribute("open") for d in opened)


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [
        ("Labels", "soft", ["Gamma"]),
        ("Augmentations", "midas (alpha=0.4)", ["Gamma"]),
        ("Pre-training", "VoxCeleb2", ["Epsilon"]),
    ],
)
def test_a_chosen_value_leaves_only_its_rows_and_any_brings_all_back(browser, name, value, left):
    everything = visible_methods(browser)
    choose(browser, name, value)
    assert visible_methods(browser) == left
    choose(browser, name, "")
    assert visible_methods(browser) == everything
    assert len(everything) == 6


# Pages.


def test_the_record_page_is_reached_by_its_link_and_leads_back(browser):
    ranked(browser).find_element(By.LINK_TEXT, "Alpha").click()
    assert browser.find_element(By.TAG_NAME, "h1").text == "Alpha"
    browser.find_element(By.CSS_SELECTOR, "nav a").click()
    assert browser.current_url.endswith("index.html#dfew-5fold-v1")


def test_tabs_lead_to_pages_about_the_same_rows_and_back(browser):
    for name in (*TABS, "Results"):
        browser.find_element(By.LINK_TEXT, name).click()
        (here,) = browser.find_elements(By.CSS_SELECTOR, "nav.pages [aria-current]")
        assert here.text == name
    assert browser.current_url.endswith("index.html")


def test_a_table_of_costs_is_sorted_by_a_click_on_its_header(browser):
    browser.find_element(By.LINK_TEXT, "Cost").click()
    table = browser.find_element(By.XPATH, "//h4[text()='Latency: A Device, fp32']/following::table[1]")
    (button,) = [b for b in table.find_elements(By.TAG_NAME, "button") if b.text.startswith("Milliseconds")]
    button.click()
    assert next(cell.text for cell in table.find_elements(By.CSS_SELECTOR, "tbody th")).startswith("Gamma")
    button.click()
    assert next(cell.text for cell in table.find_elements(By.CSS_SELECTOR, "tbody th")) == "Alpha"


def test_a_hostile_name_is_text_and_runs_nothing(browser):
    browser.find_element(By.LINK_TEXT, f"{HOSTILE}").click()
    assert browser.find_element(By.TAG_NAME, "h1").text == f"{HOSTILE}"
    with pytest.raises(NoAlertPresentException):
        browser.switch_to.alert  # noqa: B018  # looking for it is the test
    assert not browser.find_elements(By.CSS_SELECTOR, "img, main script")


def test_no_page_logs_an_error_or_requests_anything_but_itself(browser, site):
    pages = sorted(site.rglob("*.html"))
    for page in pages:
        browser.get(page.as_uri())
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert {url for url in urls if not url.startswith("data:")} == {page.as_uri() for page in pages}


@pytest.mark.parametrize(
    ("attempt", "directive"),
    [
        ("fetch('http://127.0.0.1:9/').catch(() => null)", "connect-src"),
        ("new Image().src = 'http://127.0.0.1:9/x.png'", "img-src"),
        ("document.head.append(Object.assign(document.createElement('script'), {text: 'hacked = 1'}))", "script-src"),
    ],
)
@pytest.mark.parametrize("page", ["index", "record"])
def test_the_policy_stops_what_would_reach_the_network_or_run_foreign_code(browser, page, attempt, directive):
    if page == "record":
        ranked(browser).find_element(By.LINK_TEXT, "Alpha").click()
    stopped = browser.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));"
        f"{attempt}; setTimeout(() => done('nothing'), 3000);"
    )
    assert stopped.startswith(directive)


# Rows side by side.


def tick(browser, *names):
    for name in names:
        (box,) = browser.find_elements(By.CSS_SELECTOR, f"input[aria-label^='Compare {name}']")
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", box)
        box.click()


def compare(browser, *names):
    tick(browser, *names)
    browser.find_element(By.CSS_SELECTOR, "[data-action=compare]").click()
    dialog = browser.find_element(By.ID, "comparison")
    rows = dialog.find_elements(By.TAG_NAME, "tr")
    return dialog, [[cell.text for cell in row.find_elements(By.XPATH, "./*")] for row in rows]


def test_chosen_rows_stand_side_by_side_with_the_verdict_of_each_pair(browser, entries):
    dialog, rows = compare(browser, "Alpha", "Gamma", "Beta")
    assert rows[0] == ["", "Alpha", "Gamma + midas (alpha=0.4), soft labels", "Beta"]
    lines = {row[0]: row[1:] for row in rows}
    war = [f"{100 * entry.record.aggregates.metrics['war'].mean:.2f}" for entry in entries[:3]]
    assert lines["WAR"] == war
    assert lines["Labels"] == ["hard", "soft", "hard"]
    assert lines["happy"] == [f"{100 * entry.record.aggregates.recall['happy']:.2f}" for entry in entries[:3]]
    said = [item.text for item in dialog.find_elements(By.TAG_NAME, "li")]
    assert said[0].startswith("Alpha is better than Gamma")
    assert "UAR +20.00 [+10.00, +30.00] points, p < 0.001" in said[0]
    assert "were not compared" in said[1]
    assert said[2].startswith("Gamma") and "not told apart" in said[2] and "p = 0.62" in said[2]
    assert "Date: 2026-03-01" in dialog.find_element(By.CLASS_NAME, "same").text
    assert "Date" not in lines


def test_one_row_is_not_compared_and_rows_of_two_sections_are_not_either(browser):
    tick(browser, "Alpha")
    assert not browser.find_element(By.CSS_SELECTOR, "[data-action=compare]").is_enabled()
    tick(browser, "Epsilon")  # on synthetic data
    assert browser.find_element(By.ID, "chosen").text.startswith("1 row chosen")
    browser.find_element(By.CSS_SELECTOR, "[data-action=clear]").click()
    assert not browser.find_element(By.ID, "chosen").is_displayed()


def test_the_keyboard_chooses_compares_and_closes_and_comes_back(browser):
    for name in ("Alpha", "Beta"):
        browser.find_element(By.CSS_SELECTOR, f"input[aria-label^='Compare {name}']").send_keys(Keys.SPACE)
    button = browser.find_element(By.CSS_SELECTOR, "[data-action=compare]")
    button.send_keys(Keys.ENTER)
    dialog = browser.find_element(By.ID, "comparison")
    assert dialog.is_displayed()
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not dialog.is_displayed()
    assert browser.switch_to.active_element == button


# What does not fit.


def test_columns_that_are_not_seen_are_named_until_they_are(browser):
    hint = browser.find_element(By.CSS_SELECTOR, "#dfew-5fold-v1 .part .more")
    hidden = int(hint.text.split()[0])
    assert hidden > 5 and "more columns to the right" in hint.text
    box = browser.find_element(By.CSS_SELECTOR, "#dfew-5fold-v1 .part .scroll")
    browser.execute_script("arguments[0].scrollLeft = arguments[0].scrollWidth", box)
    WebDriverWait(browser, 30).until(lambda _: "scroll back" in hint.text)


def test_a_table_that_fits_has_no_hint(browser):
    browser.find_element(By.LINK_TEXT, "Alpha").click()
    assert not browser.find_element(By.CSS_SELECTOR, ".more").is_displayed()


# Legibility.

# Every visible text outside the plots: its colour against the nearest background that is not transparent, as the ratio
# of the Web Content Accessibility Guidelines. A canvas turns any CSS colour into channels.
CONTRASTS = """
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
function channels(colour) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
}
function luminance([r, g, b]) {
  const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}
function background(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = channels(getComputedStyle(at).backgroundColor);
    if (colour[3] === 255) return colour;
    if (colour[3] !== 0) throw new Error("half transparent background");
  }
  return [255, 255, 255, 255];
}
document.querySelectorAll("details").forEach((details) => (details.open = true));
return [...document.body.querySelectorAll("*:not(option):not(script):not(svg *)")]
  .filter((e) => e.checkVisibility() && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
  .map((e) => {
    const [a, b] = [channels(getComputedStyle(e).color), background(e)].map(luminance);
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim().slice(0, 40)];
  });
"""


@pytest.fixture(params=["light", "dark"])
def scheme(request, browser):
    def emulate(value):
        features = [{"name": "prefers-color-scheme", "value": value}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    emulate(request.param)
    yield request.param
    emulate("")


@pytest.mark.parametrize(
    ("page", "texts"), [("index", 100), ("record", 100), ("comparison", 100), ("Cost", 50), ("Spoiled clips", 20)]
)
def test_every_text_is_legible_in_both_colour_schemes(browser, scheme, page, texts):
    if page in TABS:
        browser.find_element(By.LINK_TEXT, page).click()
    if page == "record":
        browser.find_element(By.LINK_TEXT, "Delta").click()
    elif page == "comparison":
        compare(browser, "Alpha", "Gamma")
    contrasts = browser.execute_script(CONTRASTS)
    dark = browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 24)"
    assert dark == (scheme == "dark")
    assert len(contrasts) > texts
    assert [found for found in contrasts if found[0] < 4.5] == []


@pytest.mark.parametrize("page", ["index", "record", "Cost", "Spoiled clips"])
def test_on_a_phone_only_tables_scroll_sideways(browser, page):
    if page in TABS:
        browser.find_element(By.LINK_TEXT, page).click()
    if page == "record":
        ranked(browser).find_element(By.LINK_TEXT, "Alpha").click()
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
        assert browser.execute_script("return document.querySelector('.scroll').clientWidth") > 250
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
