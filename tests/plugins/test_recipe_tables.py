"""The tables of the plugins' READMEs say what the configuration is."""

from __future__ import annotations

import re

import pytest

from benchmark.registry import registry
from tests.plugins.recipe_tables import (
    DATASETS,
    FOLDERS,
    FRAMES,
    HEADER,
    PAPERS,
    PLUGINS,
    expected,
    frames_here,
    lines_under,
    summary,
    table,
)

BUILT_IN = sorted(registry().methods)
STAGES = [(name, stage) for name in BUILT_IN for stage in registry().methods[name].pretrainings]


def readme(method):
    return PLUGINS / FOLDERS[method] / "README.md"


@pytest.mark.parametrize("method", BUILT_IN)
def test_a_methods_table_is_its_resolved_recipe(method):
    rows = table(lines_under(readme(method), "## Recipe"), HEADER)
    assert all(len(row) == 5 for row in rows)
    assert {row[0]: row[3] for row in rows} == expected(method)


@pytest.mark.parametrize(("method", "stage"), STAGES)
def test_a_pre_trainings_table_is_its_resolved_recipe(method, stage):
    rows = table(lines_under(readme(method), f"### Stage `{stage}`"), HEADER)
    assert all(len(row) == 5 for row in rows)
    assert {row[0]: row[3] for row in rows} == expected(method, stage)


@pytest.mark.parametrize("name", sorted(registry().augmentations))
def test_an_augmentations_table_has_its_defaults(name):
    options = registry().augmentations[name].options
    lines = (PLUGINS / name.replace("-", "_") / "README.md").read_text(encoding="utf-8").splitlines()
    rows = table(lines, HEADER)
    assert {row[0]: row[3] for row in rows} == {
        option: str(value).lower() if isinstance(value, bool) else str(value) for option, value in options.items()
    }


def test_the_overview_has_every_method_on_every_dataset_of_the_papers():
    lines = lines_under(PLUGINS / "README.md", "## Recipes by dataset")
    rows = table(lines, f"| method | {' | '.join(DATASETS.values())} |")
    assert {row[0]: row[1:] for row in rows} == {
        method: [summary(method, dataset) if dataset in reported else "-" for dataset in DATASETS]
        for method, reported in PAPERS.items()
    }


def test_the_overview_has_the_frames_of_a_short_clip_beside_the_official_ones():
    rows = table(lines_under(PLUGINS / "README.md", "## Twenty-five frames"), "| method | here | official code |")
    assert {row[0]: row[1:] for row in rows} == {
        method: [frames_here(method), official(25)] for method, official in FRAMES.items()
    }


@pytest.mark.parametrize("method", ["former-dfer", "gca-ial", "tsm", "aen"])
def test_segments_give_the_frames_of_the_official_code(method):
    assert frames_here(method) == FRAMES[method](25)


@pytest.mark.parametrize("method", ["s2d", "mae-dfer", "videomae"])
def test_sixteen_neighbours_of_a_short_clip_are_sixteen_different_frames(method):
    seen = list(map(int, re.findall(r"\d+", frames_here(method))))
    assert len(set(seen)) == 16
    assert set(seen) <= set(range(25))
