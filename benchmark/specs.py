"""The light values that plugins hand to the registry. Nothing here, or in a plugin's `__init__`, imports torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

# Specs point at heavy code by import paths, which this loads.
from benchmark.fence import load_object as load_object
from benchmark.spec_types import Rule

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
UNIT_MEAN = (0.0, 0.0, 0.0)
UNIT_STD = (255.0, 255.0, 255.0)

# Learning from one class for each clip, or from the annotators' votes.
LabelMode = Literal["hard", "soft"]
# What a preset says of its pre-training whose method starts from nothing.
NO_PRETRAINING = "none"


Positive = Annotated[int, Rule("be at least 1", lambda value: value >= 1)]
Natural = Annotated[int, Rule("be at least 0", lambda value: value >= 0)]
Size = Annotated[float, Rule("be at least 0", lambda value: value >= 0)]
Spread = Annotated[float, Rule("be above 0", lambda value: value > 0)]
Filled = Annotated[str, Rule("not be empty", lambda text: bool(text.strip()))]
# Names become folders, files and options on the command line.
Name = Annotated[
    str,
    Rule("be letters, digits, -, _ and .", lambda text: bool(re.fullmatch(r"[A-Za-z0-9][\w.-]*", text, re.ASCII))),
]
ImportPath = Annotated[
    str,
    Rule("be an import path `package.module:name`", lambda text: bool(re.fullmatch(r"[\w.]+:\w+", text))),
]


@dataclass(frozen=True)
class Sampling:
    """Which frames of a clip a method sees: `clips` runs of `length` frames, `stride` frames apart.

    Training draws each run's start at random inside its segment, testing takes the middle one (TSN's rule). A clip
    that is too short repeats its last frame.
    """

    clips: Positive
    length: Positive = 1
    stride: Positive = 1

    @property
    def frames(self) -> int:
        """Number of frames that reach the model, T."""
        return self.clips * self.length


@dataclass(frozen=True)
class Views:
    """How an official evaluation looks at a clip: runs of frames in `segments` places, each in `crops` parts of it.

    Runs lie evenly between the clip's first and its last one, crops along a frame's longer side. Probabilities are
    averaged over all of them.
    """

    segments: int
    crops: int


@dataclass(frozen=True)
class Preset:
    """A way of training a method: `paper` is the paper's, `small` is the same code for two CPU cores.

    A training batch holds `copies` of each of `batch_size` clips, each augmented anew (repeated augmentation); with
    `balanced`, clips are drawn such that all classes come equally often, with replacement, as many as there are.
    `mean` and `std` are per RGB channel on the 0..255 scale; normalisation happens on the device. `decode_size`, when
    set, resizes every frame to that square while decoding and keeps the result in the frame cache. `parameters` and
    `gflops` (per clip, a multiply-add being two operations) are of the model with 7 classes. `model` holds what else
    differs between presets, and is read only by the method's own recipe.

    pretraining: what the paper's model starts from, in words, if that is something; it comes with `--init`, and a run
        without it is marked.
    reference_batch: the batch size that the recipe's learning rate is meant for; the harness scales the rate in
        proportion to the batch. None: this preset's own batch size.
    statistics: how many clips of a batch a batch norm's statistics are of, in training; they divide the batch. None:
        the whole batch.
    views: how the official evaluation looks at a clip, for `--views official`; None: once, as here.
    datasets: what is different on a dataset, by the dataset's name: values of these fields; those of `model` are added
        to the others. The dataset is the one that a protocol trains on.
    """

    size: Positive
    sampling: Sampling
    epochs: Positive
    batch_size: Positive
    copies: Positive = 1
    balanced: bool = False
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[Spread, Spread, Spread] = IMAGENET_STD
    pretraining: str = NO_PRETRAINING
    parameters: Natural = 0
    gflops: Size = 0.0
    decode_size: Positive | None = None
    reference_batch: Positive | None = None
    statistics: Positive | None = None
    views: Views | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def on(self, dataset: str) -> Preset:
        """This preset as it is on a dataset."""
        own = dict(self.datasets.get(dataset, {}))
        model = {**self.model, **own.pop("model", {})}
        return replace(self, datasets={}, model=model, **own)

    def scaled(self, rate: float) -> float:
        """The learning rate for `batch_size` clips, where the recipe says `rate` for `reference_batch` clips."""
        reference = self.reference_batch or self.batch_size
        return rate if reference == self.batch_size else rate * self.batch_size / reference


Presets = Annotated[Mapping[Name, Preset], Rule("have at least one preset", bool)]


@dataclass(frozen=True)
class Recipe:
    """A method's training, as pieces of an MMEngine config.

    What a model gets: B clips of T frames (`preset.sampling`) of `preset.size` pixels square, RGB, float32, normalised
    with `preset.mean` and `preset.std`. In a `Recognizer2D` (`NCHW`) the backbone gets (B * T, 3, H, W), a clip's
    frames one after the other, and returns features (B * T, C, H', W'), or what its head expects; in a `Recognizer3D`
    (`NCTHW`) it gets (B, 3, T, H, W) and returns (B, C, T', H', W'). The head gets what the backbone returns, and must
    return logits (B, K) for K classes, those of the protocol in its order; with `average_clips="prob"` they become
    probabilities in evaluation. In training every sample's `gt_label` is a distribution (K,), also with hard labels. A
    model that is no recognizer of MMAction2 has MMEngine's modes: `loss` gives a dict of losses, `predict` the samples,
    each with a `pred_score` (K,) whose sum is 1, and `tensor` logits. A plain `torch.nn.Module` needs none of this: see
    `benchmark.module_recipe`.

    model: MMAction2 recognizer; its data preprocessor, class weights and inputs are the harness's business.
    format_shape: `NCHW` (input B x T x 3 x H x W) or `NCTHW` (input B x 1 x 3 x T x H x W).
    train_transforms, test_transforms: what happens to the decoded uint8 RGB frames (`results["imgs"]`, a list of T
        arrays H x W x 3) before they are stacked; afterwards every frame is `preset.size` square.
    optim_wrapper: the optimiser, with the learning rate for the preset's `reference_batch`.
    by_class: settings that are lists with a value for each class, as keys of the config (`model.cls_head.grouping`),
        with the emotion names that the lists follow; they are reordered for a protocol that has the same classes in
        another order, and must be given with `--set` for one that has others.
    imports: modules that register the type names used above.
    """

    model: dict[str, Any]
    format_shape: Literal["NCHW", "NCTHW"]
    train_transforms: list[dict[str, Any]]
    test_transforms: list[dict[str, Any]]
    optim_wrapper: dict[str, Any]
    param_scheduler: list[dict[str, Any]]
    mixing: dict[str, Any] | None = None
    by_class: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Network:
    """One network of a method, as its official checkpoints hold it. `--init NAME=FILE` starts it from a file.

    keys: import path of `keys(state_dict) -> state_dict`, which renames an official checkpoint's keys (`module.`,
        `model.` and the like before all of them already removed), or any part of them, to those of the method's
        recognizer.
    signature: official tensor names that no other network's files have all of; they tell what a file is. A network
        whose files hold all of another's names has those in its signature, and more.
    head: official name of the tensor whose first dimension is the number of classes; empty if there is none.
    class_order: emotion names in the index order of the official checkpoints; empty if none are known.
    prefix: names of the recognizer's tensors that belong to this network begin with it; empty for everything that no
        other network claims.
    """

    title: Filled
    keys: ImportPath
    signature: tuple[str, ...]
    head: str = ""
    class_order: tuple[str, ...] = ()
    prefix: str = ""


@dataclass(frozen=True)
class Pretraining:
    """A training that a method rests on, run by `benchmark pretrain`.

    data: `videos` (a folder of them, nothing is labelled) or `images` (a dataset of single labelled images).
    network: the network that starts from the result.
    recipe: import path of `recipe(preset: Preset, num_classes: int) -> Recipe`; the model is an MMEngine model whose
        `loss` mode gives the losses; `num_classes` is 0 for videos.
    export: import path of `export(state_dict) -> state_dict`, from the trained model's names to the recognizer's.
    """

    title: Filled
    citation: str
    data: Literal["videos", "images"]
    recipe: ImportPath
    export: ImportPath
    presets: Presets
    network: Name = "model"


@dataclass(frozen=True)
class MethodSpec:
    """A method: model, recipe and declared pre-training.

    recipe: import path of `recipe(preset: Preset, num_classes: int) -> Recipe`.
    networks: what can be started from a file, by name; the one that classifies is called `model`.
    pretrainings: what `benchmark pretrain` can do for the method, by name.
    needs: networks that must start from a file, or else it is another method, with what it then is.
    official_evaluation: where the official evaluation departs from an honest protocol.
    """

    name: Name
    title: Filled
    citation: str
    licence: str
    recipe: ImportPath
    presets: Presets
    official_evaluation: str
    label_modes: Annotated[tuple[LabelMode, ...], Rule("name at least one", bool)] = ("hard", "soft")
    networks: Mapping[Name, Network] = field(default_factory=dict)
    pretrainings: Mapping[Name, Pretraining] = field(default_factory=dict)
    needs: Mapping[Name, Filled] = field(default_factory=dict)
    version: Filled = "1"


@dataclass(frozen=True)
class AugmentationSpec:
    """An augmentation: a clip transform, or a batch mixer.

    touches: what it changes, out of `frames`, `pixels`, `batch`, `targets`; two that both touch `batch` are refused.
    options: option names with their defaults; a default's type is the option's type.
    build: import path of `build(num_classes: int, **options) -> dict`: the config of an MMEngine transform, or of an
        MMAction2 blending when `batch` is touched. A transform gets a dict whose `imgs` are T uint8 RGB frames
        (H, W, 3), to be replaced by as many new arrays of the kind, and whose `target` is a list of K shares, to be
        left alone, or to stay a distribution where `targets` are touched; it draws from NumPy's global generator
        alone. A blending gets clips (B, ...) and their samples, whose `gt_label` is the target, and returns both.
    imports: modules that register the type names.
    """

    name: Name
    title: Filled
    citation: str
    touches: Annotated[frozenset[Literal["frames", "pixels", "batch", "targets"]], Rule("name at least one", bool)]
    build: ImportPath
    options: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    imports: tuple[Filled, ...] = ()
    version: Filled = "1"


@dataclass(frozen=True)
class Clip:
    """One video sample as a layout reads it; emotion names are canonical (see `benchmark.emotions`).

    frames: for each frame source the clip's folder of images, video file or image, relative to the dataset's root.
    label: emotion name; of a video that is labelled frame by frame, its most frequent one.
    parts: for each fold the official part (`train`, `val` or `test`) that lists the clip; `all` in a dataset without
        official parts.
    votes: annotators' votes by emotion name, or the shares that its emotions have by instruction; or None.
    attributes: what else is known of the clip, for example `scene`, `subject` or `source`.
    frame_labels: emotion name by frame number, the number in the frame's file name; unlabelled frames are left out.
        None for a clip that has one label.
    """

    id: str
    label: str
    frames: Mapping[str, str]
    parts: Mapping[int, str]
    votes: Mapping[str, float] | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    frame_labels: Mapping[int, str] | None = None


@dataclass(frozen=True)
class DatasetLayout:
    """How a dataset is distributed.

    classes: emotion names in the dataset's own order; empty if they are whatever the lists hold.
    find: import path of `find(data_root: Path) -> Path | None`: the dataset's root inside a data root.
    read: import path of `read(root: Path, votes: bool) -> list[Clip]`, ordered by id; votes are read only when asked
        for. Raises EnvironmentProblem for a missing file, IntegrityError for one that contradicts the format.
    read_unlabelled: import path of `read_unlabelled(root: Path) -> list[Clip]`, ordered by id: clips that have
        annotators' votes and no label, which everyone leaves out; empty where there are none.
    synthesize: import path of `synthesize(out: Path, clips: int, seed: int, report) -> None`, which writes the same
        tree with made-up content.
    lists: glob patterns of the annotation files, relative to the root.
    votes: whether the dataset has annotators' votes, or stated shares, from which soft labels are made.
    stated: whether its votes are shares that were stated beforehand, such as what actors were told; nobody voted.
    votes_decide: whether a clip's label is its most voted emotion.
    videos_of: the dataset whose videos these are, where it only labels them otherwise; empty for videos of its own.
    expected: known counts, fold by fold: `{fold: {part: {"clips": n, "per_class": {...}, "per_subject": {...}}}}`.
    """

    name: Name
    title: Filled
    citation: str
    licence: str
    obtain: str
    tree: str
    classes: Annotated[tuple[Filled, ...], Rule("name each class once", lambda names: len(set(names)) == len(names))]
    frame_sources: Annotated[tuple[Name, ...], Rule("name at least one", bool)]
    find: ImportPath
    read: ImportPath
    synthesize: ImportPath
    lists: tuple[Filled, ...]
    read_unlabelled: str = ""
    votes: bool = False
    stated: bool = False
    votes_decide: bool = False
    videos_of: str = ""
    expected: Mapping[int, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def votes_name(self) -> str:
        """What its votes are."""
        return "stated shares" if self.stated else "annotators' votes"


@dataclass(frozen=True)
class MetricSpec:
    """A score of predictions.

    compute: import path of the function that computes it; what it takes depends on `input`:
        `confusion`: integer counts (..., K, K), rows are true classes, to scores in 0..1 of shape (...). Only such a
            metric can be named by a protocol, because it follows from a record without anybody's labels.
        `blends`: the same, of the answers of a protocol with `answers: blends`, in the order of
            `benchmark.protocol.blends.blend_names`; only such a protocol can name it.
        `probabilities`: true class indices (N,) and class probabilities (N, K), to one number.
        `distributions`: annotators' vote shares (N, K) and class probabilities (N, K), to one number.
    """

    name: Name
    title: Filled
    citation: str
    compute: ImportPath
    input: Literal["confusion", "blends", "probabilities", "distributions"] = "confusion"
    higher_is_better: bool = True


@dataclass(frozen=True)
class TrackerSpec:
    """Something that follows runs and pre-trainings, chosen with `--track`.

    watcher: import path of `watcher(folder: Path) -> Watcher`, called once before anything runs; `folder` holds all
        units (or pre-trainings), and may be written to outside of them. What the watcher is told comes in the caller's
        process, whatever `--jobs` is. If it fails it is left out from then on.
    """

    name: Name
    title: Filled
    watcher: ImportPath


# Called with (done, total) from time to time.
ReportProgress = Callable[[int, int], None]
