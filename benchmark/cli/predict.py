"""`benchmark predict`: what a trained method sees in anybody's videos."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import add_json, note, positive, print_json, print_table
from benchmark.cli.run_options import add_precision

if TYPE_CHECKING:
    from benchmark.library.predict import Refused, Seen, SeenClip, SeenPiece


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
    predict.add_argument(
        "--crop",
        default="auto",
        metavar="R",
        help="find and crop faces by this recipe: haar, centerface, centerface-aligned, or that of a crops.json; none: "
        "take clips as they are; default: videos and images by the weights' recipe or haar, folders as they are",
    )
    predict.add_argument(
        "--people", choices=("all", "largest", "central"), default="all", help="whose faces; default: everybody's"
    )
    predict.add_argument("--timeline", action="store_true", help="also over time, in sliding windows")
    predict.add_argument("--window", type=positive, default=64, metavar="N", help="frames of a window; default: 64")
    predict.add_argument("--step", type=positive, metavar="N", help="frames between windows; default: half a window")
    predict.add_argument("--plot", type=Path, metavar="DIR", help="draw each clip's timeline there, as PNG and SVG")
    predict.add_argument(
        "--video",
        type=Path,
        metavar="OUT",
        help="write what is seen beside each frame: one .mp4 file, or a folder",
    )
    predict.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N")
    add_precision(predict)
    add_json(predict)
    predict.set_defaults(function=predict_videos)


def predict_videos(options: argparse.Namespace) -> int:
    """`benchmark predict`: every clip that can be read is predicted, whatever is wrong with the others."""
    from benchmark.cli.progress import Terminal
    from benchmark.library.draw import check_video, draw
    from benchmark.library.predict import predict
    from benchmark.units.initial_weights import parse_init
    from benchmark.video.clip import UnreadableClip

    if options.video:
        check_video(options.video, len(options.videos))
    options.timeline |= bool(options.plot or options.video)
    terminal = Terminal()
    seen = predict(
        options.videos,
        options.method,
        parse_init(options.weights, "--weights"),
        preset=options.preset,
        classes=options.classes.split(",") if options.classes else None,
        dataset=options.dataset,
        crop=options.crop,
        people=options.people,
        window=options.window if options.timeline else None,
        step=options.step,
        device=options.device,
        precision=options.precision,
        watcher=terminal,
    )
    drawn = draw(seen, options.method, plots=options.plot, video=options.video, watcher=terminal)
    if options.json:
        documents = [_document(clip, options.timeline) for clip in seen.clips]
        print_json(documents + [_refusal(refused) for refused in seen.refused])
    else:
        _print(seen)
    for path in drawn:
        note(f"wrote {path}")
    for message in seen.unreadable:
        note(f"error: {message}")
    for refused in seen.refused:
        note(f"error: {refused.path}: {_why(refused)}; no emotion is given. --crop none takes the picture as it is")
    return UnreadableClip.exit_code if seen.unreadable or seen.refused else 0


def _document(clip: SeenClip, timeline: bool) -> dict[str, Any]:
    document = {"clip": str(clip.path), **_said(clip.whole)}
    if clip.faces is not None:
        document |= {
            "person": clip.person,
            "frames": clip.frames,
            "frames_with_face": clip.faces.found,
            "boxes": [box.model_dump() for box in clip.faces.boxes],
        }
    if timeline:
        for key, pieces in (("timeline", clip.timeline), ("smoothed", clip.smoothed)):
            document[key] = [{"first": p.first, "last": p.last, **_said(p)} for p in pieces]
    return document


def _refusal(refused: Refused) -> dict[str, Any]:
    return {
        "clip": str(refused.path),
        "emotion": None,
        "refused": _why(refused),
        "frames": refused.frames,
        "frames_with_face": refused.found,
    }


def _why(refused: Refused) -> str:
    return f"a face in {refused.found} of {refused.frames} frames"


def _said(piece: SeenPiece) -> dict[str, Any]:
    return {"emotion": piece.emotion, "probabilities": dict(piece.probabilities)}


def _print(seen: Seen) -> None:
    rows = []
    faces = bool(seen.crop)
    for clip in seen.clips:
        who = [_person(clip)] if faces else []
        for frames, piece in [("all", clip.whole), *((f"{p.first}-{p.last}", p) for p in clip.timeline)]:
            shares = [f"{100 * piece.probabilities[name]:.1f}" for name in seen.classes]
            rows.append([str(clip.path), *who, frames, piece.emotion, *shares])
    for refused in seen.refused:
        found = f"{refused.found} of {refused.frames}"
        rows.append([str(refused.path), found, "none", "no face", *("-" for _ in seen.classes)])
    if rows:
        who = ["person: frames with face"] if faces else []
        print_table(rows, ["clip", *who, "frames", "emotion", *seen.classes])


def _person(clip: SeenClip) -> str:
    return f"{clip.person}: {clip.faces.found} of {clip.frames}" if clip.faces else "taken as cropped"
