"""The record's schema."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    StringConstraints,
    field_validator,
    model_serializer,
)

from benchmark.errors import IntegrityError
from benchmark.faces.recipe import CropRecipe
from benchmark.scoring.scores import FileModel, SplitScores
from benchmark.specs import NO_PRETRAINING, LabelMode
from benchmark.units.computing import Computing
from benchmark.units.history import InitialWeights

# Of a method's use, what came after the first records were published.
LATER_KEYS = ("recipe", "plugin", "views")

T = TypeVar("T")
# The splits that may be predicted and scored.
ScoredSplit = Literal["val", "test"]
SCORED_SPLITS: tuple[ScoredSplit, ...] = ("val", "test")

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Seconds = Annotated[float, Field(ge=0)]


def _inside(path: str) -> str:
    """Refuse paths that could leave the record's folder: records come from strangers."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or ":" in path or not path.isprintable():
        raise ValueError(f"'{path}' is not a plain path below the record's folder")
    return path


class ProtocolUse(FileModel):
    """The protocol as it was run, overrides included; `hash` is the SHA-256 of `definition`'s canonical JSON."""

    name: Name
    version: int
    hash: Sha256
    definition: dict[str, JsonValue]


class PluginUse(FileModel):
    """Whose code it was: the plugin, its distribution and version, and the hash of the code behind the unit.

    commit, dirty: of the repository that the code lies in, where git knows, and whether it had changes.
    """

    name: Name
    distribution: Name
    version: Name
    code_sha256: Sha256 | None
    commit: str | None
    dirty: bool | None


class MethodUse(FileModel):
    """The method; `pretraining` is the declared one.

    parameters: number of the model's weights. gflops: operations for predicting one clip, in 10^9, a multiplication and
    an addition counting as two; None if no unit was finished. recipe: the preset as it was trained by, with what
    differs on the dataset and what `--set` changed, and the learning rate that its batch comes to; None in records
    that were made before this was kept. needs: networks without whose weights it is another method. views: how test
    clips were looked at, if not once, as protocols have it.
    """

    name: Name
    title: Name
    version: Name
    preset: Name
    pretraining: str
    parameters: int = Field(ge=0)
    gflops: float | None = Field(ge=0)
    official_evaluation: str
    recipe: dict[str, JsonValue] | None = None
    plugin: PluginUse | None = None
    views: str | None = None
    needs: list[Name] = Field(default_factory=list)

    @model_serializer(mode="wrap")
    def _as_it_was(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A record that was made without them has the content that it had.
        return {key: value for key, value in serialise(self).items() if value is not None or key not in LATER_KEYS}


class AugmentationUse(FileModel):
    """One augmentation and its options as they were used."""

    name: Name
    version: Name
    options: dict[str, JsonValue]
    plugin: PluginUse | None = None


class Overrides(FileModel):
    """Keys that `--set` changed, with their new values: of the protocol (never official) and of the recipe."""

    protocol: dict[str, JsonValue] = Field(default_factory=dict)
    recipe: dict[str, JsonValue] = Field(default_factory=dict)


class DataUse(FileModel):
    """The data; `fingerprint` identifies its content, `clips` counts those of the clip table.

    decoder: what decoded the clips, with its version; None in records from before it was written down. crops: the
    recipe by which the faces were cropped here; None where the frames are as their dataset ships them.
    """

    dataset: Name
    frame_source: Name
    synthetic: bool
    fingerprint: Name
    decoder: Name | None = None
    crops: CropRecipe | None = None
    clips: int = Field(ge=1)

    @model_serializer(mode="wrap")
    def _as_it_was(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a decoder or crops, exactly the record that was published then: its folder is named by its hash."""
        later = ("decoder", "crops")
        return {key: value for key, value in plain(self).items() if key not in later or value is not None}


class _BySplit(FileModel, Generic[T]):
    """Something of val (if the protocol holds any out) and of test."""

    val: T | None = None
    test: T

    def __getitem__(self, split: ScoredSplit) -> T | None:
        return self.val if split == "val" else self.test

    def of(self, split: ScoredSplit) -> T:
        """What there is of a split; IntegrityError if the record holds nothing of it."""
        found = self[split]
        if found is None:
            raise IntegrityError(f"the record holds nothing of {split}")
        return found


class SplitUse(FileModel):
    """The clips (or labelled frames) of one split: how many, and `hash_ids` of their ids."""

    clips: int = Field(ge=1)
    sha256: Sha256


class Splits(_BySplit[SplitUse]):
    """The clips that were trained on, selected on (if the protocol holds any out) and tested on."""

    train: SplitUse


class FileReference(FileModel):
    """A file beside the record: POSIX path relative to the record's folder, and the SHA-256 of its bytes."""

    path: Annotated[str, AfterValidator(_inside)]
    sha256: Sha256


class PredictionFiles(_BySplit[FileReference]):
    """The predictions files of a unit."""


class UnitScores(_BySplit[SplitScores]):
    """The scores of a unit, from its predictions files."""


class Cost(FileModel):
    """What a unit took, summed over all its attempts, and on what.

    computing: how; None in records from before more than the threads of the processor could be chosen, which have only
    `threads` instead. batch_statistics: the clips over which batch norms took their statistics, where a batch was cut
    and the recipe has more of them; else None. hardware: the processor, and of an accelerator its driver, CUDA and
    cuDNN.
    """

    train_seconds: Seconds
    predict_seconds: Seconds
    attempts: int = Field(ge=1)
    device: str
    threads: int = Field(default=1, ge=1)
    computing: Computing | None = None
    batch_statistics: int | None = Field(default=None, ge=1)
    hardware: dict[str, str] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _as_it_was(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Either the one or the other: the folder of a published record is named by its hash."""
        left_out = {"computing" if self.computing is None else "threads"}
        if self.batch_statistics is None:
            left_out.add("batch_statistics")
        return {key: value for key, value in plain(self).items() if key not in left_out}


class UnitRecord(FileModel):
    """One finished unit.

    identity: versioned hash of what determines the unit's result.
    selection_value: the selection metric at the selected epoch on the split that training watched.
    test_looks: how often scoring has joined this unit's test labels.
    dropped: ids of train clips that could not be read and that the protocol allows to leave out.
    kept: in what it differs from what its code and recipe would be at the time of the record, if it was kept (--keep).
    """

    seed: int
    fold: int
    identity: Name
    selected_epoch: int = Field(ge=0)
    epochs: int = Field(ge=0)
    selection_value: float | None
    splits: Splits
    checkpoint_sha256: Sha256
    predictions: PredictionFiles
    scores: UnitScores
    cost: Cost
    test_looks: int = Field(ge=0)
    dropped: list[str]
    kept: list[str] = Field(default_factory=list)


class FailedUnit(FileModel):
    """A unit that could not be finished, and why."""

    seed: int
    fold: int
    error: str


class Marks(FileModel):
    """What a reader must know before comparing; a reason takes the rank away.

    seen: why the initial weights may have learned from test clips, see `seen_reasons`.
    """

    synthetic: bool
    unofficial: list[str]
    incomplete: list[str]
    seen: list[str] = Field(default_factory=list)


class Environment(FileModel):
    """The software that ran; `packages` maps name to version."""

    python: str
    platform: str
    packages: dict[str, str]


class CodeState(FileModel):
    """The benchmark's version; commit and whether the tree had changes, where git knows."""

    version: str
    commit: str | None
    dirty: bool | None


class Record(FileModel):
    """A finished run of one protocol, method, augmentations and label mode: several folds and seeds.

    `aggregates` is None when no unit was finished. `init` maps each network that started from a file to the SHA-256 of
    that file, and `initial` to what is known of it (None in records from before it was written down). `eligible`,
    whether the record may be ranked, follows from the rest; `verify_record` checks that it does.
    """

    schema_version: Literal[2] = 2
    protocol: ProtocolUse
    method: MethodUse
    augmentations: list[AugmentationUse]
    label_mode: LabelMode
    overrides: Overrides
    init: dict[Name, Sha256] | None
    initial: dict[Name, InitialWeights] | None = None
    data: DataUse
    units: list[UnitRecord]
    aggregates: Aggregates | None
    failed: list[FailedUnit]
    marks: Marks
    eligible: bool
    environment: Environment
    code: CodeState
    created: AwareDatetime

    @field_validator("created")
    @classmethod
    def _utc(cls, value: AwareDatetime) -> AwareDatetime:
        if value.utcoffset() != timedelta(0):
            raise ValueError("must be in UTC")
        return value

    @property
    def lacks(self) -> str:
        """What it did without of the weights that its method rests on; empty if it had them, or needs none."""
        filled = {name for weights in (self.initial or {}).values() for name in weights.filled} | set(self.init or {})
        missing = [name for name in self.method.needs if name not in filled]
        if missing:
            return f"pre-training of {', '.join(missing)}"
        return "pre-training" if self.method.pretraining != NO_PRETRAINING and not self.init else ""

    def canonical(self) -> dict[str, Any]:
        """The record as a plain JSON value."""
        return self.model_dump(mode="json")


class Summary(FileModel):
    """One metric over all units of a record.

    mean, std: over units, every (seed, fold) counting once; `std` is the sample one (n - 1), None for a single unit.
    low, high: 95 % interval of the mean, for the sampling of test clips (or of whole clusters of them), and for that of
        seeds where every fold was run with several.
    pooled: the metric on the sum of the units' confusions.
    """

    mean: float = Field(ge=0, le=1)
    std: float | None = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    pooled: float = Field(ge=0, le=1)


class Aggregates(FileModel):
    """What the leaderboard shows of a record.

    recall: per class the mean over the units in which the class has test clips, None if there are none.
    collapsed: classes that have test clips, none of which was recognised in any unit.
    """

    metrics: dict[str, Summary]
    recall: dict[str, float | None]
    groupings: dict[str, dict[str, Summary]]
    collapsed: list[str]
