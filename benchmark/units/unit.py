"""Units: the smallest things that run, resume and cache, as frozen values with an identity and a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmark.faces.recipe import CropRecipe
from benchmark.files import hash_value
from benchmark.protocol import Protocol, taken_over
from benchmark.specs import LabelMode
from benchmark.units.identity import Trainable

# Raised whenever the same unit would give another result for a reason that its fields do not show.
IDENTITY_VERSION = 4


class ChosenAugmentation(BaseModel):
    """An augmentation, with those options that differ from its version's defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str
    options: dict[str, Any]


class Unit(Trainable):
    """One (protocol, method, augmentations, label mode, seed, fold), with all that determines its result.

    Run-time options (device, workers, paths) are not part of it: it can be written down, handed to another machine
    with the same code and data, and run there. `data` is the fingerprint of the clip table, `decoder` what decodes the
    clips, with its version, `crops` the recipe by which faces were cropped here, `init` the SHA-256 of each network's
    initial weights, `overrides` the `--set` changes to the method's recipe, `protocol_overrides` those to the protocol
    (already applied in `protocol`). `source` is the identity of the unit whose checkpoint a cross-dataset unit tests,
    or of the unit that was trained where `views` says that this one only looks at the test clips otherwise.
    """

    protocol: Protocol
    method: str
    method_version: str
    preset: str
    augmentations: tuple[ChosenAugmentation, ...] = ()
    labels: LabelMode
    seed: int
    fold: int
    data: str
    decoder: str | None = None
    crops: CropRecipe | None = None
    synthetic: bool
    overrides: dict[str, Any] = Field(default_factory=dict)
    init: dict[str, str] | None = None
    protocol_overrides: dict[str, Any] = Field(default_factory=dict)
    limit: int | None = None
    source: str | None = None
    views: Literal["official"] | None = None

    @property
    def identity(self) -> str:
        """Versioned SHA-256 of what determines the result."""
        return hash_value(
            {"identity": IDENTITY_VERSION, **self.model_dump(mode="json", by_alias=True, exclude_none=True)}
        )

    @property
    def random_seed(self) -> str:
        """What every random stream of the unit is derived from."""
        return f"{self.seed}/{self.fold}"

    @property
    def variant(self) -> str:
        """The part of the unit that is a row of a leaderboard: method, preset, augmentations and other choices."""
        name = self.method if self.preset == "paper" else f"{self.method}@{self.preset}"
        for augmentation in self.augmentations:
            options = "".join(f",{key}={value}" for key, value in sorted(augmentation.options.items()))
            name += f"+{augmentation.name}{options}"
        crops = self.crops.hash if self.crops else None
        extra = {
            "overrides": self.overrides,
            "init": self.init,
            "limit": self.limit,
            "views": self.views,
            "crops": crops,
        }
        changed = {key: value for key, value in extra.items() if value}
        return name + (f"~{hash_value(changed)[:8]}" if changed else "")

    @property
    def folder(self) -> Path:
        """Where the unit lives, relative to the folder of all runs."""
        return self.record_folder / self._seed_and_fold

    @property
    def record_folder(self) -> Path:
        """Where the record over this unit's seeds and folds lives."""
        return self._row_folder(self.protocol, self.protocol_overrides)

    @property
    def source_folder(self) -> Path | None:
        """Where the unit lives whose checkpoint this one tests; None for a unit that trains its own."""
        if self.views:
            plain = self.model_copy(update={"views": None})
            return plain.source_folder or plain.folder
        if self.protocol.train_on is None:
            return None
        return self._row_folder(self.protocol.train_on, taken_over(self.protocol_overrides)) / self._seed_and_fold

    @property
    def _seed_and_fold(self) -> Path:
        return Path(f"seed-{self.seed}") / f"fold-{self.fold}"

    def _row_folder(self, protocol: Protocol, overrides: dict[str, Any]) -> Path:
        name = f"{protocol.name}~{protocol.hash[:8]}" if overrides else protocol.name
        return Path(name + ("-synthetic" if self.synthetic else "")) / self.variant / self.labels
