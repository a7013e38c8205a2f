"""Figures as pure functions: the words and numbers in them, their bytes, and names that try to be more than names."""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET

import cv2
import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from matplotlib.text import Text

from benchmark.plots import (
    Curve,
    coexistence_figure,
    confusion_figure,
    curves_figure,
    over_time,
    posterior_figure,
    recall_figure,
    svg_text,
    timeline_figure,
    write_figure,
)
from benchmark.plots.figures import coexistence
from benchmark.plots.matrices import readable_on
from benchmark.plots.style import plain
from benchmark.scoring.intervals import wilson_interval
from benchmark.specs import Clip

CLASSES = ("happy", "sad", "neutral")
CONFUSION = np.array([[6, 1, 1], [0, 0, 0], [5, 0, 0]])
SHARES = np.array([[0.8, 0.15, 0.05], [0.0, 0.0, 0.0], [0.1, 0.2, 0.7]])
CURVES = [
    Curve("seed 0, fold 1", [1, 2, 3], [1.5, 1.0, 0.75], [0.25, 0.5, 0.4], 2),
    Curve("seed 0, fold 2", [1, 2, 3], [1.4, 1.1, 0.5], [0.2, 0.3, 0.6], 3),
]


def every_figure(classes=CLASSES, title="Some title"):
    return {
        "confusion": confusion_figure(CONFUSION, classes, title),
        "recall": recall_figure(CONFUSION, classes, title),
        "coexistence": coexistence_figure(SHARES, [8, 0, 5], classes, title),
        "posterior": posterior_figure({"votes": SHARES[0], "model": SHARES[2]}, classes, title),
        "curves": curves_figure(CURVES, "UAR on val", title),
        "timeline": timeline_figure(over_time([(0, 3, SHARES[0]), (2, 5, SHARES[2])], 8), classes, title),
    }


def words(figure) -> list[str]:
    """The text elements of a figure's SVG."""
    return ["".join(element.itertext()) for element in ET.fromstring(svg_text(figure)).iter() if is_text(element)]


def is_text(element) -> bool:
    return element.tag == "{http://www.w3.org/2000/svg}text"


def png(figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


# What is in them.


def test_a_confusion_shows_each_cells_share_of_its_row_and_its_count():
    shown = words(confusion_figure(CONFUSION, CLASSES, "T"))
    assert {"75.0", "6", "12.5", "100.0", "5", "0", *CLASSES} <= set(shown)
    assert (shown.count("12.5"), shown.count("1"), shown.count("0")) == (2, 2, 2 + 1)  # and the colour scale's 0


def test_a_class_without_clips_says_so_in_every_figure_by_class():
    figures = every_figure()
    for name in ("confusion", "recall", "coexistence"):
        assert words(figures[name]).count("no clips") == 1


def test_the_row_of_a_class_of_few_clips_has_no_colour_unless_all_are_small():
    def colours(confusion) -> np.ndarray:
        (mesh,) = [each for each in confusion_figure(confusion, CLASSES, "T").axes[0].collections]
        return np.asarray(mesh.get_facecolor()).reshape(3, 3, 4)[:, :, :3]

    mixed = colours(np.array([[30, 5, 5], [0, 6, 0], [0, 0, 29]]))
    grey = (mixed == mixed[:, :, :1]).all(axis=2)
    assert grey.all(axis=1).tolist() == [False, True, True]
    brightest = mixed.sum(axis=2)
    assert brightest[0].max() > brightest[1:].max()
    assert not (colours(np.diag([6, 3, 29]))[0, 0] == colours(np.diag([6, 3, 29]))[0, 0, 0]).all()


def test_recalls_have_wilson_intervals():
    figure = recall_figure(CONFUSION, CLASSES, "T")
    drawn = [each for each in figure.axes[0].containers if isinstance(each, ErrorbarContainer)]
    reaches = [each.lines[2][0].get_segments()[0][:, 0] for each in drawn]
    for reach, (right, total) in zip(reaches, ((6, 8), (0, 5)), strict=True):
        assert reach == pytest.approx(100 * np.array(wilson_interval(right, total)))
    low, high = wilson_interval(6, 8)
    assert f"75.0 [{100 * low:.1f}, {100 * high:.1f}]  n = 8" in words(figure)


def test_clips_that_are_counted_for_several_seeds_do_not_narrow_the_interval():
    once = words(recall_figure(CONFUSION, CLASSES, "T"))
    assert words(recall_figure(3 * CONFUSION, CLASSES, "T", clips=[8, 0, 5])) == once
    assert words(recall_figure(3 * CONFUSION, CLASSES, "T")) != once


def test_a_class_that_is_never_recognised_is_called_collapsed():
    collapsed = [text for text in words(recall_figure(CONFUSION, CLASSES, "T")) if "collapsed" in text]
    assert len(collapsed) == 1 and collapsed[0].startswith("0.0 [0.0,")


def test_coexistence_is_the_mean_of_the_clips_vote_shares():
    clips = [
        Clip("a", "happy", {}, {}, {"happy": 8, "sad": 2}),
        Clip("b", "happy", {}, {}, {"happy": 3, "neutral": 1, "contempt": 6}),  # contempt is not among the classes
        Clip("c", "sad", {}, {}, {"sad": 10}),
        Clip("d", "sad", {}, {}, {"contempt": 10}),
        Clip("e", "sad", {}, {}, None),
    ]
    shares, numbers = coexistence(clips, CLASSES)
    assert shares == pytest.approx(np.array([[(0.8 + 0.75) / 2, 0.1, 0.125], [0, 1, 0], [0, 0, 0]]))
    assert numbers.tolist() == [2, 1, 0]
    shown = words(coexistence_figure(shares, numbers, CLASSES, "T"))
    assert {"77.5", "10.0", "12.5", "100.0", "happy (n = 2)", "sad (n = 1)", "neutral (n = 0)"} <= set(shown)


def test_a_posterior_stands_beside_the_votes_with_another_hatch():
    figure = posterior_figure({"votes": [0.9, 0.1, 0], "model": [0.2, 0.3, 0.5]}, CLASSES, "Clip 7, labelled happy")
    votes, model = figure.axes[0].containers
    assert [bar.get_width() for bar in votes] == [0.9, 0.1, 0]
    assert [bar.get_width() for bar in model] == [0.2, 0.3, 0.5]
    assert votes[0].get_hatch() != model[0].get_hatch()
    assert {"votes", "model", "0.90", "0.50", "Clip 7, labelled happy"} <= set(words(figure))


def first_point(line: Line2D) -> tuple[float, float]:
    x, y = np.asarray(line.get_xydata())[0]
    return x, y


def test_curves_show_loss_and_score_and_ring_the_selected_epoch():
    loss, score = curves_figure(CURVES, "UAR on val", "T").axes
    first, ring, second, other_ring = loss.lines
    assert first.get_ydata().tolist() == [1.5, 1.0, 0.75]
    assert first_point(ring) == (2, 1.0)
    assert first_point(other_ring) == (3, 0.5)
    assert score.lines[0].get_ydata() == pytest.approx([25, 50, 40])
    assert score.get_ylabel() == "UAR on val, %"
    assert (first.get_color(), first.get_linestyle()) != (second.get_color(), second.get_linestyle())
    assert first.get_linestyle() != second.get_linestyle()


def test_a_run_without_scores_during_training_has_a_loss_alone():
    assert len(curves_figure([Curve("fold 1", [1, 2], [2.0, 1.0], None, 2)], "UAR on val", "T").axes) == 1


def test_28_curves_differ_in_colour_or_line():
    many = [Curve(f"seed {s}", [1], [1.0], None, 1) for s in range(28)]
    lines = curves_figure(many, "UAR", "T").axes[0].lines[::2]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 28


# How they look.


@pytest.mark.parametrize("size", [3, 43])
def test_no_words_are_smaller_than_8_points_and_none_overlap_or_are_cut_off(size):
    classes = [f"emotion_number_{k}" for k in range(size)]
    confusion = np.random.default_rng(0).integers(1, 99999, (size, size))
    figure = confusion_figure(
        confusion, classes, "A title of some length, which may need more than one line\nsynthetic"
    )
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert min(float(text.get_fontsize()) for text in texts) >= 8
    boxes = np.array([text.get_window_extent().extents for text in texts])
    width, height = figure.bbox.size
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2] <= width).all() and (boxes[:, 3] <= height).all()
    apart = (boxes[:, None, 0] >= boxes[None, :, 2] - 1) | (boxes[:, None, 1] >= boxes[None, :, 3] - 1)
    assert (apart | apart.T | np.eye(len(boxes), dtype=bool)).all()


def test_a_cells_words_contrast_with_its_colour():
    for colour in matplotlib.colormaps["cividis"](np.linspace(0, 1, 256))[:, :3]:
        assert contrast(colour, to_rgb(readable_on(colour))) >= 4.5


def contrast(one, other) -> float:
    """WCAG's contrast ratio, written from the definition."""
    luminances = []
    for colour in (one, other):
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in map(float, colour))
        luminances.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    return (max(luminances) + 0.05) / (min(luminances) + 0.05)


# Names are only names.


def test_a_name_with_dollar_signs_is_drawn_literally():
    classes = ("$x_{1}$", r"$\frac{1}{", "<b>&amp;</b>")
    for name, figure in every_figure(classes, title="$x^2$ of <i>").items():
        shown = words(figure)
        assert "$x^2$ of <i>" in shown
        if name != "curves":
            assert any(text.startswith("$x_{1}$") for text in shown), name
            assert any(text.startswith("<b>&amp;</b>") for text in shown), name


def test_a_long_name_loses_its_middle():
    assert plain("a" * 30 + "b" * 30) == "a" * 20 + "…" + "b" * 19
    assert plain("angry_sad_helplessness_disappointment") == "angry_sad_helplessness_disappointment"


def test_a_name_cannot_break_the_line_or_the_file():
    name = "a\nb\x00\x1b[31m\u202e"
    assert plain(name) == "a b [31m"
    assert "a b [31m" in words(confusion_figure(CONFUSION, (name, "sad", "neutral"), name))


# Files.


def test_an_svg_has_the_names_and_the_numbers_and_a_title_for_screen_readers():
    for name, figure in every_figure().items():
        tree = ET.fromstring(svg_text(figure))
        assert tree.find("{http://www.w3.org/2000/svg}title").text == "Some title"
        if name != "curves":
            assert all(any(text.startswith(c) for text in words(figure)) for c in CLASSES), name


def test_equal_figures_are_equal_bytes():
    for name, figure in every_figure().items():
        again = every_figure()[name]
        assert svg_text(figure) == svg_text(figure) == svg_text(again), name
        assert png(figure) == png(again), name


def test_the_users_own_settings_change_nothing_and_are_not_changed():
    expected = svg_text(confusion_figure(CONFUSION, CLASSES, "T"))
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": "mine", "text.parse_math": True}):
        before = dict(matplotlib.rcParams)
        assert svg_text(confusion_figure(CONFUSION, CLASSES, "T")) == expected
        assert dict(matplotlib.rcParams) == before


def test_svgs_of_one_page_share_no_id_and_need_nothing_from_elsewhere():
    texts = [svg_text(figure) for figure in every_figure().values()]
    ids = [name for text in texts for name in re.findall(r'\bid="([^"]+)"', text)]
    assert ids and len(set(ids)) == len(ids)
    for text in texts:
        assert text.startswith("<svg")
        assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)
        assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', text))


def test_a_written_figure_is_a_picture_and_an_svg(tmp_path):
    paths = write_figure(confusion_figure(CONFUSION, CLASSES, "T"), tmp_path / "new" / "confusion")
    assert [path.name for path in paths] == ["confusion.png", "confusion.svg"]
    picture = cv2.imread(str(paths[0]))
    assert picture.shape[1] > 800 and picture.std() > 10
    assert ET.parse(paths[1]).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in every_figure().values():
            svg_text(figure)


def test_a_matrix_of_another_size_is_refused():
    with pytest.raises(ValueError, match="3, 3"):
        confusion_figure(CONFUSION, ("happy", "sad"), "T")
    with pytest.raises(ValueError, match="3, 3"):
        recall_figure(CONFUSION, ("happy", "sad"), "T")
