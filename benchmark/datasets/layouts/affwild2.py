"""Aff-Wild2's expression challenge as distributed: one label per frame of a video, aligned face crops by number."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from benchmark.datasets.list_files import find_folder, read_lines
from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.files import is_clutter
from benchmark.specs import Clip, DatasetLayout

# The index is the label written in the official files.
CLASSES = ("neutral", "angry", "disgust", "fear", "happy", "sad", "surprise", "other")
HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
# A frame labelled -1 is not annotated, which is not the same as `other`.
_EMOTIONS = {"-1": None, **{str(index): name for index, name in enumerate(CLASSES)}}
CHALLENGE = "EXPR_Recognition_Challenge"
ANNOTATIONS = (f"8th_ABAW_Annotations/{CHALLENGE}", CHALLENGE)
SETS = {"Train_Set": "train", "Validation_Set": "val"}
CROPS = "cropped_aligned"
LATER_CROPS = "cropped_aligned_new_50_vids"


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named Aff-Wild2, AffWild2 or ABAW8 (in any case)."""
    roots = (find_folder(data_root, ("aff-wild2", "affwild2", "abaw8"), annotations) for annotations in ANNOTATIONS)
    return next((root for root in roots if root), None)


def read(root: Path, votes: bool) -> list[Clip]:
    """One clip per annotation file, ordered by id; Aff-Wild2 has no votes.

    A video without any labelled frame is no clip. Raises EnvironmentProblem for missing files and IntegrityError for
    one that contradicts the official format.
    """
    annotations = next((root / path for path in ANNOTATIONS if (root / path).is_dir()), root / ANNOTATIONS[0])
    clips: dict[str, Clip] = {}
    stems: dict[str, Path] = {}
    for folder, part in SETS.items():
        for path in _annotation_files(annotations / folder):
            if path.stem in stems:
                raise IntegrityError(f"{path}: {stems[path.stem]} is of the same video; a video is in one set only")
            stems[path.stem] = path
            labels = _read_labels(path)
            if labels:
                clips[path.stem] = _clip(root, path.stem, part, labels)
    return [clips[stem] for stem in sorted(clips)]


def _annotation_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.glob("*.txt") if not is_clutter(path.name))
    if not files:
        raise EnvironmentProblem(
            f"affwild2: no annotation files in {folder}; `benchmark show affwild2` prints the expected tree"
        )
    return files


def _read_labels(path: Path) -> dict[int, str]:
    """Emotion by frame number: line 2 is frame 1, as in the crops' file names."""
    lines = read_lines(path, "affwild2")
    if not lines or lines[0] != (1, HEADER):
        found = f"got {lines[0][1]!r}" if lines else "the file is empty"
        raise IntegrityError(f"{path}: line 1: expected the header '{HEADER}', {found}")
    labels = {}
    for frame, (number, text) in enumerate(lines[1:], start=1):
        if number != frame + 1:
            raise IntegrityError(f"{path}: line {frame + 1}: blank, but every line is a frame; use the official file")
        if text not in _EMOTIONS:
            raise IntegrityError(f"{path}: line {number}: expected a label from -1 to 7, got {text!r}")
        emotion = _EMOTIONS[text]
        if emotion is not None:
            labels[frame] = emotion
    return labels


def _clip(root: Path, stem: str, part: str, labels: dict[int, str]) -> Clip:
    counts = Counter(labels.values())
    later = not (root / CROPS / stem).is_dir() and (root / LATER_CROPS / stem).is_dir()
    return Clip(
        stem,
        max(CLASSES, key=lambda name: counts[name]),
        {CROPS: f"{LATER_CROPS if later else CROPS}/{stem}"},
        {1: part},
        # The two people of one recording have a file each.
        attributes={"source": stem.removesuffix("_left").removesuffix("_right")},
        frame_labels=labels,
    )


LAYOUT = DatasetLayout(
    name="affwild2",
    title="Aff-Wild2 (ABAW 8), expressions frame by frame",
    citation="Kollias and Zafeiriou, Aff-Wild2: Extending the Aff-Wild Database for Affect Recognition, "
    "arXiv:1811.07770, 2018; Kollias et al., the 8th Affective Behavior Analysis in-the-wild (ABAW) challenge, 2025",
    licence="non-commercial research only, under a signed agreement (EULA); no redistribution",
    obtain="Ask the authors: sign the EULA on the dataset's page (search for 'Aff-Wild2 database'); they send links to "
    "the aligned face crops and to the annotations of the 8th ABAW challenge. Unpack everything into one folder.",
    tree="""\
Aff-Wild2/
  8th_ABAW_Annotations/EXPR_Recognition_Challenge/Train_Set/*.txt         one label per line, line 2 is frame 1
  8th_ABAW_Annotations/EXPR_Recognition_Challenge/Validation_Set/*.txt
  cropped_aligned/<video>[_left|_right]/00001.jpg                         face crops, named by frame number
  cropped_aligned_new_50_vids/<video>/00001.jpg                           face crops of videos that were added later""",
    classes=CLASSES,
    frame_sources=(CROPS,),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.affwild2:synthesize",
    lists=tuple(f"{annotations}/{folder}/*.txt" for annotations in ANNOTATIONS for folder in SETS),
)
