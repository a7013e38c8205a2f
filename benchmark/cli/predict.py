"""`benchmark predict`: what a trained method sees in anybody's videos."""

from __future__ import annotations

import argparse
import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import add_json, note, positive, print_json, print_table
from benchmark.errors import EnvironmentProblem, UsageError
from benchmark.fence import fenced
from benchmark.registry import registry

if TYPE_CHECKING:
    import numpy as np

    from benchmark.specs import MethodSpec
    from benchmark.training.prediction import Piece, Predictor

# Clips that go through the model together.
BATCH = 8


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    predict = commands.add_parser("predict", help="class probabilities of any videos")
    predict.add_argument("videos", nargs="+", metavar="VIDEO|DIR|GLOB", help="video files, frame folders, or trees")
    predict.add_argument("--method", required=True, metavar="M", help="a name from `benchmark list methods`")
    predict.add_argument(
        "--weights", action="append", required=True, metavar="[NAME=]FILE", help="of the model, or of one network"
    )
    predict.add_argument("--preset", metavar="NAME", help="default: what the weights were made with, or paper")
    predict.add_argument(
        "--dataset", metavar="D", help="sample frames as on this dataset; default: what the weights were trained on"
    )
    predict.add_argument("--classes", metavar="A,B,...", help="emotions in the weights' order, if the file has none")
    predict.add_argument("--timeline", action="store_true", help="also over time, in sliding windows")
    predict.add_argument("--window", type=positive, default=64, metavar="N", help="frames of a window; default: 64")
    predict.add_argument("--step", type=positive, metavar="N", help="frames between windows; default: half a window")
    predict.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N")
    add_json(predict)
    predict.set_defaults(function=predict_videos)


def predict_videos(options: argparse.Namespace) -> int:
    """`benchmark predict`: every clip that can be read is predicted, whatever is wrong with the others."""
    from benchmark.cli.progress import counting
    from benchmark.video.clip import UnreadableClip

    paths = list(dict.fromkeys(path for text in options.videos for path in _clips(text)))
    with fenced(options.method):
        predictor, classes = _predictor(options)
    results, unreadable = [], []
    with counting("predicting") as report:
        for done, path in enumerate(paths):
            try:
                with fenced(f"{options.method}: {path}"):
                    results.append(_predict(predictor, path, classes, options))
            except UnreadableClip as error:
                unreadable.append(str(error))
            report(done + 1, len(paths))
    if options.json:
        print_json(results)
    else:
        _print(results, classes)
    for message in unreadable:
        note(f"error: {message}")
    return UnreadableClip.exit_code if unreadable else 0


def _clips(text: str) -> Iterator[Path]:
    """The clips that an argument names: itself, what lies under it, or what a pattern matches."""
    from benchmark.files import is_clutter
    from benchmark.planning.pretraining_sources import videos
    from benchmark.video.clip import UnreadableClip
    from benchmark.video.frames import open_shared
    from benchmark.video.names import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    matches = (Path(name) for name in sorted(glob.glob(text, recursive=True)))
    found = [Path(text)] if Path(text).exists() else [path for path in matches if not is_clutter(path.name)]
    if not found:
        raise EnvironmentProblem(f"{text}: no such video, folder or match")
    for path in found:
        if path.is_dir():
            yield from (path / row["path"] for row in videos(path).rows)
            continue
        if path.suffix.lower() not in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES):
            # A name that says nothing: what is inside decides.
            try:
                open_shared(path)
            except UnreadableClip as error:
                raise UsageError(f"{error}; give a video, an image or a folder of images") from None
        yield path


def _predictor(options: argparse.Namespace) -> tuple[Predictor, tuple[str, ...]]:
    """The method with its weights, and its classes."""
    from benchmark.emotions import canonical
    from benchmark.specs import make_recipe
    from benchmark.training.model import build_model
    from benchmark.training.prediction import Predictor
    from benchmark.training.unit import use_device
    from benchmark.training.weights import read_weight_file
    from benchmark.units.initial_weights import MODEL, parse_init

    method: MethodSpec = registry().find("methods", options.method)
    files = parse_init(options.weights, "--weights")
    if MODEL not in files:
        raise UsageError(f"--weights: give the file of {method.name}'s network '{MODEL}' too")
    file = read_weight_file(files[MODEL])
    if file.choice:
        note(f"{files[MODEL]}: {file.choice}")
    origin = file.origin
    known = origin.class_order if origin else _official_order(method)
    classes = tuple(map(canonical, options.classes.split(","))) if options.classes else known
    if not classes:
        raise UsageError(f"{files[MODEL]} does not say what its classes are: give them in its order with --classes")
    preset = options.preset or (origin.preset if origin else "paper")
    use_device(options.device, os.cpu_count() or 1)
    if options.dataset:
        registry().find("datasets", options.dataset)
    dataset = options.dataset or (origin.dataset if origin else "")
    model = build_model(method.name, preset, len(classes), files, dataset)
    chosen = method.presets[preset].on(dataset)
    recipe = make_recipe(method.recipe, chosen, len(classes))
    return Predictor(model, recipe, chosen), classes


def _official_order(method: MethodSpec) -> tuple[str, ...]:
    return method.networks["model"].class_order if "model" in method.networks else ()


def _predict(predictor: Predictor, path: Path, classes: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    from benchmark.training.prediction import Piece, sliding
    from benchmark.video.frames import open_shared

    count = open_shared(path).count
    windows: list[Piece] = []
    if options.timeline:
        windows = sliding(path, count, options.window, options.step or max(options.window // 2, 1))
    whole, *rest = _probabilities(predictor, [Piece(path, 0, count), *windows])
    result = {"clip": str(path), **_said(whole, classes)}
    if options.timeline:
        result["timeline"] = [
            {"first": piece.start, "last": piece.start + piece.length - 1, **_said(row, classes)}
            for piece, row in zip(windows, rest, strict=True)
        ]
    return result


def _probabilities(predictor: Predictor, pieces: Sequence[Piece]) -> list[np.ndarray]:
    rows: list[np.ndarray] = []
    for start in range(0, len(pieces), BATCH):
        rows.extend(predictor.classify([predictor.read(piece) for piece in pieces[start : start + BATCH]]))
    return rows


def _said(row: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    return {
        "emotion": classes[int(row.argmax())],
        "probabilities": {name: round(float(value), 6) for name, value in zip(classes, row, strict=True)},
    }


def _print(results: Sequence[dict[str, Any]], classes: Sequence[str]) -> None:
    rows = []
    for result in results:
        pieces = [("all", result)] + [(f"{p['first']}-{p['last']}", p) for p in result.get("timeline", ())]
        for frames, piece in pieces:
            shares = [f"{100 * piece['probabilities'][name]:.1f}" for name in classes]
            rows.append([result["clip"], frames, piece["emotion"], *shares])
    if rows:
        print_table(rows, ["clip", "frames", "emotion", *classes])
