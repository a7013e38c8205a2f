"""The recipe of face crops: everything that decides which pixels a crop has, as a named and hashed value."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmark.errors import UsageError
from benchmark.faces.detectors import find_detector
from benchmark.files import hash_value

# Raised whenever the same recipe would give other crops for a reason that its fields do not show.
VERSION = 1
# Which of several people in a clip are cropped.
People = Literal["largest", "central", "all"]


class CropRecipe(BaseModel):
    """How faces become crops.

    detector, detector_version, weights: what finds them, and the SHA-256 of its weights.
    people: the one whose face is largest over the clip, the one nearest to the picture's middle, or all of them.
    margin: what is added on each side of a face's box, as a share of the box's longer side. align: `eyes` turns each
    crop until the eyes are level. size: of the square crop, in pixels.
    smooth: frames over which boxes are averaged. gap: the most frames without a face, between two with it, whose boxes
    are filled in; frames in longer gaps are left out. least: the share of a clip's frames in which somebody must be
    found to be a person at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]
    version: int = VERSION
    detector: Annotated[str, Field(max_length=100)]
    detector_version: int
    weights: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    people: People = "largest"
    margin: Annotated[float, Field(ge=0, le=2)] = 0.15
    align: Literal["none", "eyes"] = "none"
    size: Annotated[int, Field(ge=16, le=1024)] = 224
    smooth: Annotated[int, Field(ge=1, le=1000)] = 9
    gap: Annotated[int, Field(ge=0, le=1000)] = 12
    least: Annotated[float, Field(ge=0, le=1)] = 0.1

    @property
    def hash(self) -> str:
        """SHA-256 of all of it."""
        return hash_value(self.model_dump())

    @property
    def title(self) -> str:
        """Its name, and the beginning of its hash."""
        return f"{self.name} {self.hash[:8]}"

    def check(self) -> None:
        """UsageError for a recipe that the code here does not carry out: of another version, or of other weights."""
        spec = find_detector(self.detector)
        own = (VERSION, spec.version, spec.sha256)
        if (self.version, self.detector_version, self.weights) != own:
            raise UsageError(
                f"the crop recipe {self.title} is of another version of this benchmark or of {spec.title}; install "
                "that version, or choose a recipe with --crop"
            )
        if self.align == "eyes" and not spec.eyes:
            raise UsageError(f"the crop recipe {self.title}: {spec.title} finds no eyes to align on")


def _recipe(name: str, detector: str, align: Literal["none", "eyes"] = "none", margin: float = 0.15) -> CropRecipe:
    spec = find_detector(detector)
    return CropRecipe(
        name=name,
        detector=detector,
        detector_version=spec.version,
        weights=spec.sha256,
        align=align,
        margin=margin,
    )


# The cascade's boxes end above the chin, CenterFace's hold the whole face.
RECIPES = {
    recipe.name: recipe
    for recipe in (
        _recipe("haar", "haar", margin=0.15),
        _recipe("centerface", "centerface", margin=0.15),
        _recipe("centerface-aligned", "centerface", "eyes", margin=0.15),
    )
}
DEFAULT = "haar"


def find_recipe(name: str) -> CropRecipe:
    """The recipe called so; UsageError for any other name."""
    if name not in RECIPES:
        raise UsageError(f"no crop recipe '{name}'; there are: {', '.join(RECIPES)}")
    return RECIPES[name]
