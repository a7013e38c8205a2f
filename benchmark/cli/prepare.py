"""`benchmark data prepare`: videos become folders of face crops, with a table of the clips with few or no faces."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import SHOWN, add_json, note, positive, print_json, print_table
from benchmark.errors import UsageError
from benchmark.resources import cores

if TYPE_CHECKING:
    from benchmark.faces.clip_crops import ClipFaces
    from benchmark.faces.prepare import Prepared

# Clips whose face is found in a smaller share of their frames are listed.
FEW = 0.5


def add_command(actions: Any) -> None:
    """Declare it among the actions of `benchmark data`."""
    prepare = actions.add_parser(
        "prepare", help="crop the faces of videos into folders of frames, as datasets ship them"
    )
    prepare.add_argument("videos", nargs="+", metavar="VIDEO|DIR|GLOB", help="video files, frame folders, or trees")
    prepare.add_argument("--output", type=Path, required=True, metavar="DIR", help="where crops, sheets and table go")
    prepare.add_argument(
        "--recipe", default="haar", metavar="R", help="haar (default), centerface, or centerface-aligned"
    )
    prepare.add_argument(
        "--people",
        choices=("largest", "central", "all"),
        default="largest",
        help="whose face, where there are several; all: a clip for each (default: largest)",
    )
    prepare.add_argument(
        "--margin", type=float, metavar="M", help="of the face's longer side, added on each side (default: 0.15)"
    )
    prepare.add_argument("--size", type=positive, metavar="PIXELS", help="of the square crops (default: 224)")
    prepare.add_argument(
        "--workers", type=positive, default=cores(), metavar="N", help="processes; default: one for each core"
    )
    add_json(prepare)
    prepare.set_defaults(function=prepare_data)


def prepare_data(options: argparse.Namespace) -> int:
    """`benchmark data prepare`: clips that can be read are cropped, whatever is wrong with the others."""
    from pydantic import ValidationError

    from benchmark.cli.progress import Terminal
    from benchmark.faces.recipe import CropRecipe, find_recipe
    from benchmark.library.prepare import prepare
    from benchmark.validation import problem_of
    from benchmark.video.clip import UnreadableClip

    given = {"people": options.people, "margin": options.margin, "size": options.size}
    changes = {key: value for key, value in given.items() if value is not None}
    try:
        recipe = CropRecipe.model_validate({**find_recipe(options.recipe).model_dump(), **changes})
    except ValidationError as error:
        raise UsageError(problem_of(error, "--recipe")) from None
    prepared = prepare(options.videos, options.output, recipe=recipe, workers=options.workers, watcher=Terminal())
    if options.json:
        print_json(
            {
                "recipe": {**recipe.model_dump(), "hash": recipe.hash},
                "clips": [
                    {
                        **clip.model_dump(exclude={"source", "recipe"}),
                        "shares": {f: clip.share(f) for f in clip.folders},
                    }
                    for clip in prepared.clips
                ],
                "unreadable": list(prepared.unreadable),
            }
        )
    else:
        _print(prepared, options.output, recipe.title)
    for message in prepared.unreadable:
        note(f"error: {message}")
    return UnreadableClip.exit_code if prepared.unreadable else 0


def _print(prepared: Prepared, output: Path, recipe: str) -> None:
    rows = [(clip.share(folder), clip, folder) for clip in prepared.clips for folder in clip.folders]
    few = sorted((row for row in rows if row[0] < FEW), key=lambda row: (row[0], row[2]))
    if few:
        print_table([_row(*row) for row in few[:SHOWN]], ["few or no faces", "frames", "found", "share", "crops"])
        if len(few) > SHOWN:
            print(f"and {len(few) - SHOWN:,} more")
        print()
    several = sum(bool(clip.passed_over) for clip in prepared.clips)
    if several:
        print(f"{several:,} clips show more people than were cropped (--people all takes everybody)")
    nobody = sum(not clip.people for clip in prepared.clips)
    print(
        f"{len(prepared.clips):,} clips, recipe {recipe}: {len(few):,} with a face in fewer than half of their frames, "
        f"{nobody:,} of them without anybody"
    )
    print(f"crops: {output / 'crops'}, to look at: {output / 'sheets'}, every clip: {output / 'faces.csv'}")


def _row(share: float, clip: ClipFaces, folder: str) -> list[str]:
    found = next((person.found for person in clip.people if person.clip == folder), clip.best)
    crops = f"{sum(p.kept for p in clip.people if p.clip == folder):,}" if clip.people else "the middle of the picture"
    return [folder, f"{clip.frames:,}", f"{found:,}", f"{100 * share:.0f} %", crops]
