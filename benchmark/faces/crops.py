"""`crops.json`: by which recipe the crops around it were made, and in how many frames each face was found."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.errors import IntegrityError
from benchmark.faces.recipe import CropRecipe
from benchmark.files import read_json, write_text
from benchmark.validation import problem_of

CROPS_FILE = "crops.json"


class Crops(BaseModel):
    """The content of `crops.json`.

    hash: of the recipe. made_with: the versions of what decoded, found and wrote. complete: False until every clip was
    looked at. shares: by the folder of crops, the share of the clip's frames in which the face was found.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    version: Literal[1] = 1
    recipe: CropRecipe
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    made_with: dict[str, str]
    synthetic: bool
    complete: bool
    shares: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)


def write_crops_file(folder: Path, crops: Crops) -> None:
    """Write it, whole or not at all."""
    write_text(folder / CROPS_FILE, crops.model_dump_json(indent=1) + "\n")


def read_crops_file(path: Path) -> Crops:
    """Read it; IntegrityError for anything else."""
    try:
        crops = Crops.model_validate(read_json(path))
    except ValidationError as error:
        raise IntegrityError(problem_of(error, str(path))) from error
    if crops.recipe.hash != crops.hash:
        raise IntegrityError(f"{path}: its recipe hashes to {crops.recipe.hash}, its hash is {crops.hash}")
    return crops


def crops_of(root: Path, clips: Iterable[str]) -> tuple[CropRecipe | None, bool, dict[str, float]]:
    """By which recipe the frames of a dataset's clips were cropped, if by one of ours.

    clips: where their frames lie, relative to `root`. Returns the recipe, or None where no `crops.json` lies above the
    clips: then they are as their dataset ships them; whether the crops are of synthetic data; and by clip the share of
    its frames in which its face was found.

    Raises IntegrityError where the crops are not complete, or not of one recipe.
    """
    known: dict[Path, Crops | None] = {}
    recipes: dict[str | None, str] = {}
    shares: dict[str, float] = {}
    recipe, synthetic = None, False
    for clip in clips:
        place = _place(root, clip, known)
        crops = known[place] if place is not None else None
        if crops is not None and place is not None:
            if not crops.complete:
                raise IntegrityError(
                    f"{place / CROPS_FILE}: not every clip was cropped yet; run the same `benchmark data prepare` again"
                )
            recipe, synthetic = crops.recipe, synthetic or crops.synthetic
            share = crops.shares.get((root / clip).relative_to(place).as_posix())
            if share is not None:
                shares[clip] = share
        recipes.setdefault(crops.hash if crops else None, clip)
    if len(recipes) > 1:
        first, second = list(recipes.values())[:2]
        raise IntegrityError(
            f"{root}: its clips were not cropped by one recipe: {first} and {second} differ; crop all of them by the "
            "same one, or none"
        )
    return recipe, synthetic, shares


def _place(root: Path, clip: str, known: dict[Path, Crops | None]) -> Path | None:
    """The nearest folder above a clip's frames, up to the root, that holds a `crops.json`."""
    for place in (root / clip).parents:
        if place not in known:
            path = place / CROPS_FILE
            known[place] = read_crops_file(path) if os.path.lexists(path) else None
        if known[place] is not None:
            return place
        if place == root:
            return None
    return None
