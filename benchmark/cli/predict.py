"""`benchmark predict`: what a trained method sees in anybody's videos."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import add_json, note, positive, print_json, print_table
from benchmark.cli.run_options import add_precision

if TYPE_CHECKING:
    from benchmark.library.predict import Seen, SeenClip, SeenPiece


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
    add_precision(predict)
    add_json(predict)
    predict.set_defaults(function=predict_videos)


def predict_videos(options: argparse.Namespace) -> int:
    """`benchmark predict`: every clip that can be read is predicted, whatever is wrong with the others."""
    from benchmark.cli.progress import Terminal
    from benchmark.library.predict import predict
    from benchmark.units.initial_weights import parse_init
    from benchmark.video.clip import UnreadableClip

    seen = predict(
        options.videos,
        options.method,
        parse_init(options.weights, "--weights"),
        preset=options.preset,
        classes=options.classes.split(",") if options.classes else None,
        dataset=options.dataset,
        window=options.window if options.timeline else None,
        step=options.step,
        device=options.device,
        precision=options.precision,
        watcher=Terminal(),
    )
    if options.json:
        print_json([_document(clip, options.timeline) for clip in seen.clips])
    else:
        _print(seen)
    for message in seen.unreadable:
        note(f"error: {message}")
    return UnreadableClip.exit_code if seen.unreadable else 0


def _document(clip: SeenClip, timeline: bool) -> dict[str, Any]:
    document = {"clip": str(clip.path), **_said(clip.whole)}
    if timeline:
        document["timeline"] = [{"first": p.first, "last": p.last, **_said(p)} for p in clip.timeline]
    return document


def _said(piece: SeenPiece) -> dict[str, Any]:
    return {"emotion": piece.emotion, "probabilities": dict(piece.probabilities)}


def _print(seen: Seen) -> None:
    rows = []
    for clip in seen.clips:
        for frames, piece in [("all", clip.whole), *((f"{p.first}-{p.last}", p) for p in clip.timeline)]:
            shares = [f"{100 * piece.probabilities[name]:.1f}" for name in seen.classes]
            rows.append([str(clip.path), frames, piece.emotion, *shares])
    if rows:
        print_table(rows, ["clip", "frames", "emotion", *seen.classes])
