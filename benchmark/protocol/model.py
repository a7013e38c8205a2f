"""What a protocol says, as a validated and hashed value."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from benchmark.emotions import canonical
from benchmark.files import hash_value
from benchmark.protocol.blends import blend_names

# The part that stands for every clip of a dataset, whatever its official lists say.
ALL = "all"
# What a cross-dataset protocol takes over, unchanged, from the protocol that its models are trained under.
TAKEN_OVER = ("dataset", "classes", "folds", "split", "frames", "windows", "selection")

Emotion = Annotated[str, AfterValidator(canonical)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class HeldOut(_Strict):
    """A split that a rule takes out of an official part, or out of `all` clips.

    rule: `sha256-stratified` orders each class's clips by the SHA-256 of `"<protocol>@<version>/<fold>/<clip-id>"` and
        takes the first `fraction`; `sha256-folds` orders them once, by `"<protocol>@<version>/test/<clip-id>"`, and
        gives each fold the next `fraction`, so that folds never share a clip.
    group: an attribute of clips, such as `subject`: clips that agree in it stay together.
    stratify: an attribute of clips, such as `sex`, of each value of which the `fraction` is taken, as of each class.
    like: the `<protocol>@<version>` that stands in the hash instead of this one, to divide exactly as it does.
    """

    source: str = Field(alias="from")
    fraction: float = Field(gt=0, lt=1)
    rule: Literal["sha256-stratified", "sha256-folds"]
    group: str | None = None
    stratify: str | None = None
    like: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]*@[0-9]+$")


class TrainSubset(_Strict):
    """The train clips that are learned from, for asking what kind of clip teaches most.

    keep: `clear` keeps clips of which one emotion has more than `above`, or `at_least`, of the votes; `any` keeps all.
    Then each class is sampled, down or (by repeating clips) up, to its share of the whole train split; together `clips`
    for every `of` clips of that split, so that the size follows the data. A class without a clear clip is represented
    by its clearest.
    """

    keep: Literal["clear", "any"]
    above: float | None = Field(default=None, gt=0, lt=1)
    at_least: float | None = Field(default=None, gt=0, le=1)
    clips: int = Field(ge=1)
    of: int = Field(ge=1)

    @model_validator(mode="after")
    def _threshold(self) -> TrainSubset:
        thresholds = [self.above, self.at_least]
        if thresholds.count(None) != (1 if self.keep == "clear" else 2):
            raise ValueError("one of 'above' and 'at_least' belongs to keep: clear, and only to it")
        return self


def _kind(value: Any) -> str:
    return "part" if isinstance(value, str) else "rule"


PartOrRule = Annotated[Annotated[str, Tag("part")] | Annotated[HeldOut, Tag("rule")], Discriminator(_kind)]


class SplitRule(_Strict):
    """Which official part, or which rule, makes train, val and test.

    Test is taken first and val second; train is what they leave of its part. Without `val` nothing is held out for
    selection.
    """

    train: str
    val: PartOrRule | None = None
    test: PartOrRule
    train_subset: TrainSubset | None = None

    @model_validator(mode="after")
    def _rules(self) -> SplitRule:
        if isinstance(self.val, HeldOut) and self.val.rule != "sha256-stratified":
            raise ValueError(f"val: its rule is sha256-stratified, not {self.val.rule}")
        return self


class FramePolicy(_Strict):
    """Where frames come from and what happens to difficult clips.

    order: `temporal` is the data as it is; `shuffled` and `single` (the middle frame, repeated) are controls that show
        whether a model uses motion.
    unreadable: `fail` stops the unit, naming the clip; `drop-train` leaves such clips out of training and lists them
        in the record (test and validation clips are never dropped).
    crops: the hash of the recipe by which `benchmark data prepare` must have cropped the faces; left out where the
        frames are as their dataset ships them.
    """

    source: str
    order: Literal["temporal", "shuffled", "single"]
    short: Literal["repeat-last"]
    unreadable: Literal["fail", "drop-train"]
    crops: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class Windows(_Strict):
    """How a video that is labelled frame by frame is cut: windows of `length` frames, neighbours share `overlap`.

    A labelled frame's prediction is the mean over the windows that hold it; each labelled frame is scored once. A
    window is learned from under its most frequent label.
    """

    length: int = Field(ge=1)
    overlap: int = Field(ge=0)

    @model_validator(mode="after")
    def _moves(self) -> Windows:
        if self.overlap >= self.length:
            raise ValueError(f"overlap {self.overlap} must be smaller than length {self.length}")
        return self


class Selection(_Strict):
    """How the checkpoint that is reported is chosen; only `val` is ranked.

    `last` takes the last epoch. `test-oracle` takes the epoch with the best test score, which no honest result may do:
    it is kept to show how optimistic that habit is.
    """

    policy: Literal["val", "last", "test-oracle"]
    metric: str
    ties: Literal["earliest"]


class Grouping(_Strict):
    """A partition of classes into coarser groups, for example three emotions."""

    name: str
    title: str
    groups: dict[str, list[Emotion]]


class LabelMap(_Strict):
    """What another dataset's labels become: `rename` gives them one of the classes, `drop` leaves their clips out."""

    name: str
    title: str
    rename: dict[Emotion, Emotion] = Field(default_factory=dict)
    drop: tuple[Emotion, ...] = ()


class TargetData(_Strict):
    """The dataset that a cross-dataset protocol tests on: the clips that its lists give to `part` in any fold."""

    dataset: str
    source: str
    part: str
    labels: LabelMap | None = None


def _not_a_name(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError("a name is resolved when a protocol file is read; a definition holds the whole protocol")
    return value


class Protocol(_Strict):
    """One fixed way of evaluating. `classes` is the index order of every prediction made under it.

    answers: what is scored. Left out, it is the most probable class; `blends` is one class or two, and which of them is
        stronger, against the shares that the dataset states (see `benchmark.scoring.blends`).
    train_on, test_on: in a cross-dataset protocol, the protocol under which models are trained and selected, and the
        dataset they are then tested on.
    cluster: an attribute of clips, such as `subject` or `source`: clips that agree in it are not independent, and
        intervals and tests resample them together. Left out, it follows from the rest, see `clustered_by`.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: int = Field(ge=1)
    title: str
    citation: str
    train_on: Annotated[Protocol | None, BeforeValidator(_not_a_name)] = None
    test_on: TargetData | None = None
    dataset: str
    classes: tuple[Emotion, ...] = Field(min_length=2)
    answers: Literal["blends"] | None = None
    folds: tuple[int, ...] = Field(min_length=1)
    split: SplitRule
    frames: FramePolicy
    windows: Windows | None = None
    selection: Selection
    metrics: tuple[str, ...] = Field(min_length=1)
    ranking: str
    aggregate: Literal["mean-of-folds"]
    cluster: str | None = None
    groupings: tuple[Grouping, ...] = ()

    @field_validator("classes", "folds", "metrics")
    @classmethod
    def _no_repeats(cls, values: tuple) -> tuple:
        repeated = sorted({str(v) for v in values if values.count(v) > 1})
        if repeated:
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Protocol:
        if self.ranking not in self.metrics:
            raise ValueError(f"ranking: '{self.ranking}' is not one of metrics {list(self.metrics)}")
        if self.selection.metric not in self.metrics:
            raise ValueError(f"selection.metric: '{self.selection.metric}' is not one of metrics {list(self.metrics)}")
        for grouping in self.groupings:
            grouped = [name for names in grouping.groups.values() for name in names]
            if sorted(grouped) != sorted(self.classes):
                raise ValueError(f"groupings: '{grouping.name}' must hold each of {list(self.classes)} exactly once")
        if self.selection.policy == "val" and self.split.val is None:
            raise ValueError("selection.policy: 'val' needs split.val")
        if self.selection.policy == "test-oracle" and self.split.val is not None:
            raise ValueError("selection.policy: 'test-oracle' selects on test, so nothing may be held out as split.val")
        test = self.split.test
        if isinstance(test, HeldOut) and test.rule == "sha256-folds" and test.fraction * len(self.folds) > 1 + 1e-9:
            raise ValueError(f"split.test: {len(self.folds)} folds of {test.fraction} are more than all clips")
        return self

    @model_validator(mode="after")
    def _blends(self) -> Protocol:
        if self.answers is None:
            return self
        unfit = {"windows": self.windows, "groupings": self.groupings, "train_on": self.train_on}
        for key, value in unfit.items():
            if value:
                raise ValueError(f"{key}: does not go with answers: blends")
        if self.split.val is None:
            raise ValueError("answers: 'blends' needs split.val, on which its thresholds are chosen")
        return self

    @model_validator(mode="after")
    def _crosses_datasets(self) -> Protocol:
        if (self.train_on is None) != (self.test_on is None):
            raise ValueError("train_on and test_on belong together")
        if self.train_on is None:
            return self
        if self.train_on.train_on or self.windows or self.selection.policy != "val":
            raise ValueError("train_on: must be a protocol over clips of one dataset that selects on val")
        if self.test_on is not None and self.test_on.dataset == self.dataset:
            raise ValueError(f"test_on.dataset: must be another dataset than {self.dataset}")
        changed = [key for key in TAKEN_OVER if getattr(self, key) != getattr(self.train_on, key)]
        if changed:
            raise ValueError(f"{changed[0]}: comes from train_on ({self.train_on.name}) and cannot differ from it")
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical form; two protocols with the same hash are the same protocol."""
        return hash_value(self.canonical())

    @property
    def needs_votes(self) -> bool:
        """Whether its splits or its answers depend on the votes."""
        clear = self.split.train_subset is not None and self.split.train_subset.keep == "clear"
        return clear or self.answers is not None

    @property
    def answer_names(self) -> tuple[str, ...]:
        """The names of what a clip can be and be taken for: the rows and columns of every confusion."""
        return blend_names(self.classes) if self.answers else self.classes

    @property
    def watched_split(self) -> str | None:
        """The split that is scored after every epoch of training; None where nothing is selected by a score."""
        if self.selection.policy == "test-oracle":
            return "test"
        return "val" if self.split.val is not None else None

    @property
    def predicted_splits(self) -> tuple[str, ...]:
        """The splits that the selected model predicts and that are scored."""
        return ("val", "test") if self.split.val is not None else ("test",)

    @property
    def clustered_by(self) -> str | None:
        """The attribute of clips whose values are independent of each other; None where single clips are.

        Clips that a rule keeps in one split are not independent; nor are the frames of a video, nor two videos cut from
        one `source`. A clip without the attribute is independent of all others.
        """
        if self.cluster is not None:
            return self.cluster
        groups = (rule.group for rule in (self.split.test, self.split.val) if isinstance(rule, HeldOut))
        return next((group for group in groups if group), "source" if self.windows else None)

    def frame_source(self, split: str) -> str:
        """The frame source of a split's clips."""
        return self.test_on.source if self.test_on and split == "test" else self.frames.source

    def canonical(self) -> dict[str, Any]:
        """The protocol as a plain JSON value, everything it names resolved, keys that are not used left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
