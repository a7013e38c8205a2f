"""`benchmark.prepare`: videos become folders of face crops, as datasets ship them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmark.datasets.synthetic import is_synthetic
from benchmark.errors import UsageError
from benchmark.faces.prepare import Prepared, prepare_clips
from benchmark.faces.recipe import DEFAULT, CropRecipe, find_recipe
from benchmark.library.named_clips import named_clips
from benchmark.resources import cores
from benchmark.watcher import Watcher


def prepare(
    videos: Iterable[str | Path],
    output: Path | str,
    *,
    recipe: CropRecipe | str = DEFAULT,
    workers: int | None = None,
    watcher: Watcher | None = None,
) -> Prepared:
    """Crop the faces in clips, or go on where an earlier call was interrupted; see `benchmark.faces.clip_crops`.

    videos: video files, images, folders of frames, trees of all these, or patterns. recipe: a name, or one of one's
    own. workers: processes; by default as many as cores.

    Raises EnvironmentProblem where nothing is found or a detector is missing, UsageError for what is no clip, for
    clips of the same name, and where `output` holds other crops.
    """
    chosen = find_recipe(recipe) if isinstance(recipe, str) else recipe
    output, watcher = Path(output), watcher or Watcher()
    clips: dict[str, Path] = {}
    for path, name in named_clips(videos):
        if name in clips:
            raise UsageError(f"{clips[name]} and {path} would both be called {name}; prepare them one by one")
        if path.resolve().is_relative_to(output.resolve()):
            raise UsageError(f"{path}: lies in --output {output}, where the crops go; choose another")
        clips[name] = path
    for name in clips:
        above = next((str(place) for place in Path(name).parents if str(place) in clips), None)
        if above:
            raise UsageError(
                f"{clips[name]} would lie among the crops of {clips[above]}; prepare them into two folders"
            )
    synthetic = any(is_synthetic(path.parent) for path in clips.values())
    with watcher.counting("cropping faces") as report:
        return prepare_clips(clips, output, chosen, synthetic, workers or cores(), report)
