"""Who is whom over a clip, with a detector that knows where the faces were drawn."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.faces import people
from benchmark.faces.cropping import crop
from benchmark.faces.face import Face
from benchmark.faces.people import People, find_people
from benchmark.faces.recipe import RECIPES, CropRecipe
from tests.faces.drawing import DARK, LIGHT, Place, scene, walk

# What is drawn in a frame, and the faces that the detector finds of it.
Drawn = list[tuple[Place, tuple[int, int, int]]]


class Clip:
    """Frames in memory, as a reader gives them."""

    decoder = "none"

    def __init__(self, frames: list[np.ndarray]) -> None:
        self.frames = frames

    @property
    def count(self) -> int:
        return len(self.frames)

    def signature(self, thorough: bool = False) -> str:
        return "clip"

    def read(self, indices):
        return [self.frames[index] for index in indices]


@pytest.fixture
def look(monkeypatch):
    """`look(drawn, hidden, **recipe)`: people of a clip; in the frames of `hidden` the detector finds nothing."""

    def run(drawn: list[Drawn], hidden=(), walls=None, **changes) -> People:
        recipe = CropRecipe.model_validate({**RECIPES["haar"].model_dump(), **changes})
        frames = [scene(*faces, wall=(walls or {}).get(k, (120, 150, 170))) for k, faces in enumerate(drawn)]
        found = iter([[] if k in hidden else [Face(p_box(place), 1.0) for place, _ in d] for k, d in enumerate(drawn)])
        monkeypatch.setattr(people, "load_detector", lambda name: lambda frame: next(found))
        return find_people(Clip(frames), recipe, lambda done, total: None)

    return run


def p_box(place: Place) -> tuple[float, float, float, float]:
    return place[0], place[1], place[2], place[2]


def alone(count: int) -> list[Drawn]:
    return [[(place, LIGHT)] for place in walk(count)]


def test_one_person_who_walks_is_followed(look):
    (person,) = look(alone(20)).taken
    assert person.frames.tolist() == list(range(20))
    # A mean over as many frames on both sides leaves a straight line as it is.
    assert person.boxes[:, 0] == pytest.approx([place[0] for place in walk(20)])
    assert person.seen == 20


def test_a_short_gap_is_filled_in_on_a_straight_line(look):
    (person,) = look(alone(20), hidden=(8, 9, 10)).taken
    assert person.boxes[:, 0] == pytest.approx([place[0] for place in walk(20)])
    assert person.found.tolist() == [k not in (8, 9, 10) for k in range(20)]
    assert person.seen == 17


def test_the_frames_of_a_long_gap_are_left_out(look):
    (person,) = look(alone(20), hidden=(8, 9, 10), gap=2).taken
    assert person.frames.tolist() == [k for k in range(20) if k not in (8, 9, 10)]


def test_boxes_that_tremble_are_smoothed(look):
    trembling: list[Drawn] = [[((40 + (-1) ** k, 20, 60), LIGHT)] for k in range(30)]
    (person,) = look(trembling, smooth=9).taken
    assert np.abs(person.boxes[5:-5, 0] - 40).max() < 0.2
    (person,) = look(trembling, smooth=1).taken
    assert np.abs(person.boxes[5:-5, 0] - 40).max() == pytest.approx(1)


def test_a_person_stays_the_same_through_a_cut(look):
    there = [[((90, 30, 55), LIGHT)] for _ in range(10)]
    walls = {k: (60, 70, 80) for k in range(10, 20)}
    found = look([*alone(10), *there], walls=walls, people="all")
    (person,) = found.taken
    assert person.frames.tolist() == list(range(20))
    # Nothing is averaged over the cut.
    assert person.boxes[9, 0] == pytest.approx(walk(10)[-1][0])
    assert person.boxes[10, 0] == pytest.approx(90)


def test_somebody_else_in_the_same_place_behind_a_cut_is_somebody_else(look):
    place = (40.0, 20.0, 60.0)
    drawn: list[Drawn] = [[(place, LIGHT)]] * 10 + [[(place, DARK)]] * 10
    found = look(drawn, walls={k: (20, 20, 30) for k in range(10, 20)}, people="all")
    assert [person.frames.tolist() for person in found.taken] == [list(range(10)), list(range(10, 20))]


def both(count: int) -> list[Drawn]:
    """A large face at the side, a small one in the middle."""
    return [[((2, 10, 70), LIGHT), ((75, 45, 40), DARK)] for _ in range(count)]


@pytest.mark.parametrize(("whose", "lefts"), [("largest", [2]), ("central", [75]), ("all", [2, 75])])
def test_of_two_people_those_are_taken_that_were_asked_for(look, whose, lefts):
    found = look(both(12), people=whose)
    assert [person.boxes[0, 0] for person in found.taken] == pytest.approx(lefts)
    assert found.passed_over == 2 - len(lefts)


def test_two_people_who_come_near_are_not_mixed_up(look):
    ways = [((5 + 2 * k, 10, 50), (100 - 2 * k, 62, 50)) for k in range(20)]
    found = look([[(first, LIGHT), (second, DARK)] for first, second in ways], people="all", smooth=1)
    assert sorted(person.boxes[0, 0] for person in found.taken) == [5, 100]
    for person in found.taken:
        assert len(set(np.sign(np.diff(person.boxes[:, 0])))) == 1


def test_a_face_in_too_few_frames_is_nobody(look):
    drawn = alone(40)
    found = look(drawn, hidden=range(3, 40))
    assert (found.taken, found.best, found.count) == ((), 3, 40)
    assert len(look(drawn, hidden=range(4, 40)).taken) == 1


def test_a_crop_is_the_square_around_the_box_with_its_margin():
    frame = np.zeros((100, 120, 3), np.uint8)
    frame[20:60, 30:70] = 200
    recipe = CropRecipe.model_validate({**RECIPES["haar"].model_dump(), "margin": 0.25, "size": 60})
    cut = crop(frame, np.array([30.0, 20.0, 40.0, 40.0]), 0.0, recipe)
    expected = np.zeros((60, 60, 3), np.uint8)
    expected[10:50, 10:50] = 200
    assert np.array_equal(cut, expected)


def test_outside_the_frame_its_edge_goes_on():
    frame = np.full((40, 40, 3), 77, np.uint8)
    assert (crop(frame, np.array([-20.0, -20.0, 40.0, 40.0]), 0.0, RECIPES["haar"]) == 77).all()


def test_an_aligned_crop_has_level_eyes():
    frame = np.zeros((200, 200, 3), np.uint8)
    # Two eyes on a line that falls by 30 degrees, around the middle.
    turn = np.radians(30)
    offset = 30 * np.array([np.cos(turn), np.sin(turn)])
    for sign in (-1, 1):
        x, y = np.round(100 + sign * offset).astype(int)
        frame[y - 2 : y + 3, x - 2 : x + 3] = 255
    recipe = CropRecipe.model_validate({**RECIPES["centerface-aligned"].model_dump(), "size": 120})
    cut = crop(frame, np.array([50.0, 50.0, 100.0, 100.0]), 30.0, recipe)
    rows, columns = np.nonzero(cut[..., 0] > 100)
    left, right = rows[columns < 60].mean(), rows[columns > 60].mean()
    assert abs(left - right) < 1
