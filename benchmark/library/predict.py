"""`benchmark.predict`: what a trained method sees in anybody's videos."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from benchmark.emotions import canonical
from benchmark.errors import EnvironmentProblem, UsageError
from benchmark.fence import fenced
from benchmark.files import is_clutter
from benchmark.planning.pretraining_sources import videos as videos_in
from benchmark.plugin_functions import make_recipe
from benchmark.registry import registry
from benchmark.resources import cores
from benchmark.running.machine import Resources
from benchmark.specs import MethodSpec
from benchmark.training.devices import compute_by, has_bf16, use_device
from benchmark.training.model import build_model
from benchmark.training.prediction import Piece, Predictor, sliding
from benchmark.training.weights import read_weight_file
from benchmark.units.computing import Computing, Precision
from benchmark.units.initial_weights import MODEL
from benchmark.video.clip import UnreadableClip
from benchmark.video.frames import open_shared
from benchmark.video.names import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from benchmark.watcher import Watcher

# Clips that go through the model together.
BATCH = 8


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
    """A clip as a whole and, where asked for, over time."""

    path: Path
    whole: SeenPiece
    timeline: tuple[SeenPiece, ...] = ()


@dataclass(frozen=True)
class Seen:
    """The clips that could be read, in the order asked for, and why the others could not."""

    classes: tuple[str, ...]
    clips: tuple[SeenClip, ...]
    unreadable: tuple[str, ...]


def predict(
    videos: Iterable[str | Path],
    method: str,
    weights: Mapping[str, Path] | Path | str,
    *,
    preset: str | None = None,
    classes: Sequence[str] | None = None,
    dataset: str | None = None,
    window: int | None = None,
    step: int | None = None,
    device: str = "auto",
    precision: Precision | Literal["auto"] = "auto",
    watcher: Watcher | None = None,
) -> Seen:
    """Class probabilities of clips.

    videos: video files, images, folders of frames, trees of all these, or patterns. weights: the method's file, or one
    for each of its networks, by name. preset, classes, dataset: where the file does not say them; the classes in its
    order; the dataset as on which frames are sampled.
    window: also look at every `window` frames, `step` apart (half a window), over time. device, precision: see
    `Resources`.

    Raises EnvironmentProblem where nothing is found, UsageError for what is no clip, IntegrityError for wrong weights.
    """
    files = {MODEL: Path(weights)} if isinstance(weights, (str, Path)) else {n: Path(f) for n, f in weights.items()}
    paths = list(dict.fromkeys(path for text in videos for path in _clips(str(text))))
    use_device(device)
    computing = Resources(precision=precision, threads=cores()).computing_on(has_bf16())
    compute_by(computing)
    watcher = watcher or Watcher()
    with fenced(method):
        predictor, names = _predictor(method, files, preset, classes, dataset, computing, watcher)
    clips, unreadable = [], []
    with watcher.counting("predicting") as report:
        for done, path in enumerate(paths):
            try:
                with fenced(f"{method}: {path}"):
                    clips.append(_look(predictor, path, names, window, step))
            except UnreadableClip as error:
                unreadable.append(str(error))
            report(done + 1, len(paths))
    return Seen(names, tuple(clips), tuple(unreadable))


def _clips(text: str) -> Iterator[Path]:
    """The clips that an argument names: itself, what lies under it, or what a pattern matches."""
    matches = (Path(name) for name in sorted(glob.glob(text, recursive=True)))
    found = [Path(text)] if Path(text).exists() else [path for path in matches if not is_clutter(path.name)]
    if not found:
        raise EnvironmentProblem(f"{text}: no such video, folder or match")
    for path in found:
        if path.is_dir():
            yield from (path / sample["path"] for sample in videos_in(path).samples)
            continue
        if path.suffix.lower() not in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES):
            # A name that says nothing: what is inside decides.
            try:
                open_shared(path)
            except UnreadableClip as error:
                raise UsageError(f"{error}; give a video, an image or a folder of images") from None
        yield path


def _predictor(
    name: str,
    files: Mapping[str, Path],
    preset: str | None,
    given: Sequence[str] | None,
    dataset: str | None,
    computing: Computing,
    watcher: Watcher,
) -> tuple[Predictor, tuple[str, ...]]:
    """The method with its weights, and its classes."""
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
    return Predictor(model, recipe, chosen, computing), classes


def _official_order(method: MethodSpec) -> tuple[str, ...]:
    return method.networks[MODEL].class_order if MODEL in method.networks else ()


def _look(predictor: Predictor, path: Path, classes: Sequence[str], window: int | None, step: int | None) -> SeenClip:
    count = open_shared(path).count
    pieces = [Piece(path, 0, count)]
    if window is not None:
        pieces += sliding(path, count, window, step or max(window // 2, 1))
    rows: list[np.ndarray] = []
    for start in range(0, len(pieces), BATCH):
        rows.extend(predictor.classify([predictor.read(piece) for piece in pieces[start : start + BATCH]]))
    whole, *timeline = (
        SeenPiece(
            piece.start,
            piece.start + piece.length - 1,
            {name: round(float(value), 6) for name, value in zip(classes, row, strict=True)},
        )
        for piece, row in zip(pieces, rows, strict=True)
    )
    return SeenClip(path, whole, tuple(timeline))
