"""`benchmark.predict`: what a trained method sees in anybody's videos."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import ValidationError

from benchmark.emotions import canonical
from benchmark.errors import UsageError
from benchmark.faces.clip_crops import CROPS, ClipFaces, PersonFaces, crop_clip
from benchmark.faces.crops import read_crops_file
from benchmark.faces.loading import load_detector
from benchmark.faces.recipe import DEFAULT, CropRecipe, People, find_recipe
from benchmark.fence import fenced
from benchmark.library.named_clips import named_clips
from benchmark.plugin_functions import make_recipe
from benchmark.registry import registry
from benchmark.resources import cores
from benchmark.running.machine import Resources
from benchmark.specs import MethodSpec, ReportProgress
from benchmark.training.devices import compute_by, has_bf16, use_device
from benchmark.training.weights import Origin, read_weight_file
from benchmark.units.computing import Computing
from benchmark.units.initial_weights import MODEL
from benchmark.units.precision import Precision
from benchmark.video.clip import UnreadableClip
from benchmark.video.folders import FrameFolder
from benchmark.video.frames import open_shared
from benchmark.watcher import Watcher

if TYPE_CHECKING:
    from benchmark.training.prediction import Piece, Predictor

# Clips that go through the model together.
BATCH = 8
# Of `crop`: the recipe that the weights name or the default one, and no cropping.
AUTO, NONE = "auto", "none"


@dataclass(frozen=True)
class SeenPiece:
    """What the method sees in a clip, or in its frames from `first` to `last` (counted from 0): a share per class."""

    first: int
    last: int
    probabilities: Mapping[str, float]

    @property
    def emotion(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=lambda name: self.probabilities[name])


@dataclass(frozen=True)
class SeenClip:
    """A clip as a whole and, where asked for, over time; or one person of it.

    frames: how many the clip has. person: counted from 1, the largest face first; None where nothing was cropped.
    faces: in how many frames the face was found, and where it is. timeline: sliding windows. smoothed: runs of frames
    that have one emotion, each frame's probabilities being the mean over the windows that hold it.
    """

    path: Path
    whole: SeenPiece
    timeline: tuple[SeenPiece, ...] = ()
    smoothed: tuple[SeenPiece, ...] = ()
    frames: int = 0
    person: int | None = None
    faces: PersonFaces | None = None


@dataclass(frozen=True)
class Refused:
    """A clip that is not judged, because nobody is in it: in how many frames a face was found, of how many."""

    path: Path
    found: int
    frames: int


@dataclass(frozen=True)
class Seen:
    """The clips that could be read, in the order asked for, and why the others could not.

    crop: the recipe by which faces were cropped, if any were. refused: clips without a face.
    """

    classes: tuple[str, ...]
    clips: tuple[SeenClip, ...]
    unreadable: tuple[str, ...]
    refused: tuple[Refused, ...] = ()
    crop: CropRecipe | None = None


def predict(
    videos: Iterable[str | Path],
    method: str,
    weights: Mapping[str, Path] | Path | str,
    *,
    preset: str | None = None,
    classes: Sequence[str] | None = None,
    dataset: str | None = None,
    crop: str = AUTO,
    people: People = "all",
    window: int | None = None,
    step: int | None = None,
    device: str = "auto",
    precision: Precision | Literal["auto"] = "auto",
    watcher: Watcher | None = None,
) -> Seen:
    """Class probabilities of the people in clips.

    videos: video files, images, folders of frames, trees of all these, or patterns. weights: the method's file, or one
    for each of its networks, by name. preset, classes, dataset: where the file does not say them; the classes in its
    order; the dataset as on which frames are sampled.
    crop: a recipe's name, or a `crops.json` that holds one: faces are found and cropped as `benchmark.prepare` does.
    `none`: clips are taken as they are. `auto`: videos and images are cropped by the recipe that the weights were
    trained with or else the default one, folders of frames are taken as they are. people: whose faces.
    window: also look at every `window` frames, `step` apart (half a window), over time. device, precision: see
    `Resources`.

    Raises EnvironmentProblem where nothing is found, UsageError for what is no clip, IntegrityError for wrong weights.
    """
    files = {MODEL: Path(weights)} if isinstance(weights, (str, Path)) else {n: Path(f) for n, f in weights.items()}
    paths = list(dict.fromkeys(path for path, _ in named_clips(videos)))
    use_device(device)
    computing = Resources(precision=precision, threads=cores()).computing_on(has_bf16())
    compute_by(computing)
    watcher = watcher or Watcher()
    with fenced(method):
        predictor, names, origin = _predictor(method, files, preset, classes, dataset, computing, watcher)
    recipe = _crop_recipe(crop, people, origin)
    cropped = [path for path in paths if recipe and not (crop == AUTO and path.is_dir())]
    if cropped and recipe:
        recipe.check()
        load_detector(recipe.detector)
        watcher.note(f"faces are found and cropped by the recipe {recipe.title}; --crop none takes clips as they are")
    if recipe and len(cropped) < len(paths):
        watcher.note(
            f"{len(paths) - len(cropped)} folders of frames are taken as cropped already; --crop {DEFAULT} finds faces "
            "in them"
        )
    clips: list[SeenClip] = []
    unreadable: list[str] = []
    refused: list[Refused] = []
    look = _Look(predictor, names, window, step, method)
    with watcher.counting("predicting") as report:
        for done, path in enumerate(paths):
            try:
                if recipe and path in cropped:
                    clips += _look_at_people(look, path, recipe, report if len(paths) == 1 else _nothing)
                else:
                    clips.append(look(path, path))
            except UnreadableClip as error:
                unreadable.append(str(error))
            except _Nobody as nobody:
                refused.append(nobody.refused)
            report(done + 1, len(paths))
    return Seen(names, tuple(clips), tuple(unreadable), tuple(refused), recipe if cropped else None)


def _crop_recipe(crop: str, people: People, origin: Origin | None) -> CropRecipe | None:
    if crop == NONE:
        return None
    recipe = find_recipe(DEFAULT) if crop == AUTO else None
    if crop == AUTO and origin and origin.crops:
        try:
            recipe = CropRecipe.model_validate_json(origin.crops)
        except ValidationError:
            raise UsageError(
                "the weights name a crop recipe that is not known here; choose one with --crop, or --crop none"
            ) from None
    elif crop.endswith(".json"):
        recipe = read_crops_file(Path(crop)).recipe
    recipe = recipe or find_recipe(crop)
    return recipe.model_copy(update={"people": people})


def _predictor(
    name: str,
    files: Mapping[str, Path],
    preset: str | None,
    given: Sequence[str] | None,
    dataset: str | None,
    computing: Computing,
    watcher: Watcher,
) -> tuple[Predictor, tuple[str, ...], Origin | None]:
    """The method with its weights, its classes, and what the file says of itself."""
    # Not before the device was chosen: see `choose_device`.
    from benchmark.training.model import build_model
    from benchmark.training.prediction import Predictor

    method = registry().find("methods", name)
    if MODEL not in files:
        raise UsageError(f"--weights: give the file of {method.name}'s network '{MODEL}' too")
    file = read_weight_file(files[MODEL])
    if file.choice:
        watcher.note(f"{files[MODEL]}: {file.choice}")
    origin = file.origin
    known = origin.class_order if origin else _official_order(method)
    classes = tuple(map(canonical, given)) if given else known
    if not classes:
        raise UsageError(f"{files[MODEL]} does not say what its classes are: give them in its order with --classes")
    preset = preset or (origin.preset if origin else "paper")
    if dataset:
        registry().find("datasets", dataset)
    dataset = dataset or (origin.dataset if origin else "")
    model = build_model(method.name, preset, len(classes), files, dataset)
    chosen = method.presets[preset].on(dataset)
    recipe = make_recipe(method.recipe, chosen, len(classes))
    return Predictor(model, recipe, chosen, computing), classes, origin


def _official_order(method: MethodSpec) -> tuple[str, ...]:
    return method.networks[MODEL].class_order if MODEL in method.networks else ()


@dataclass(frozen=True)
class _Look:
    """What a method sees in a clip, as a whole and over time."""

    predictor: Predictor
    classes: tuple[str, ...]
    window: int | None
    step: int | None
    method: str

    def __call__(self, path: Path, clip: Path) -> SeenClip:
        """`path` is where the frames are read, `clip` whose they are."""
        with fenced(f"{self.method}: {clip}"):
            return self._see(path, clip)

    def _see(self, path: Path, clip: Path) -> SeenClip:
        from benchmark.training.prediction import Piece, sliding

        reader = open_shared(path)
        count = reader.count
        # Of a folder of crops each file's number is that of the clip's frame, from 1.
        numbers = reader.numbers() - 1 if isinstance(reader, FrameFolder) and path != clip else np.arange(count)
        pieces = [Piece(path, 0, count)]
        if self.window is not None:
            pieces += sliding(path, count, self.window, self.step or max(self.window // 2, 1))
        rows: list[np.ndarray] = []
        for start in range(0, len(pieces), BATCH):
            read = [self.predictor.read(piece) for piece in pieces[start : start + BATCH]]
            rows.extend(self.predictor.classify(read))
        whole, *timeline = (
            self._piece(int(numbers[piece.start]), int(numbers[piece.start + piece.length - 1]), row)
            for piece, row in zip(pieces, rows, strict=True)
        )
        return SeenClip(clip, whole, tuple(timeline), self._smoothed(pieces[1:], rows[1:], numbers), count)

    def _smoothed(
        self, pieces: Sequence[Piece], rows: Sequence[np.ndarray], numbers: np.ndarray
    ) -> tuple[SeenPiece, ...]:
        if not pieces:
            return ()
        sums, counts = np.zeros((len(numbers), len(self.classes))), np.zeros((len(numbers), 1))
        for piece, row in zip(pieces, rows, strict=True):
            sums[piece.start : piece.start + piece.length] += row
            counts[piece.start : piece.start + piece.length] += 1
        inside = np.flatnonzero(counts[:, 0])
        means = sums[inside] / counts[inside]
        best = means.argmax(axis=1)
        breaks = np.flatnonzero((np.diff(best) != 0) | (np.diff(numbers[inside]) > 1)) + 1
        return tuple(
            self._piece(int(numbers[inside[run[0]]]), int(numbers[inside[run[-1]]]), means[run].mean(axis=0))
            for run in np.split(np.arange(len(inside)), breaks)
        )

    def _piece(self, first: int, last: int, row: np.ndarray) -> SeenPiece:
        return SeenPiece(
            first, last, {name: round(float(value), 6) for name, value in zip(self.classes, row, strict=True)}
        )


class _Nobody(Exception):
    """A clip without a face."""

    def __init__(self, refused: Refused) -> None:
        self.refused = refused


def _nothing(done: int, total: int) -> None:
    """Reports nothing: of several clips those are counted that are over, of a single one its frames."""


def _look_at_people(look: _Look, path: Path, recipe: CropRecipe, report: ReportProgress) -> list[SeenClip]:
    """Each person of a clip; raises _Nobody where there is none."""
    with tempfile.TemporaryDirectory(prefix="crops-") as place:
        # By way of the very files that a dataset would have, so that nothing is seen otherwise than in training.
        faces: ClipFaces = crop_clip(path, "clip", Path(place), recipe, report)
        if not faces.people:
            raise _Nobody(Refused(path, faces.best, faces.frames))
        return [
            replace(look(Path(place) / CROPS / person.clip, path), frames=faces.frames, person=number, faces=person)
            for number, person in enumerate(faces.people, 1)
        ]
