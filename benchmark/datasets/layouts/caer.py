"""CAER as distributed: videos from television shows in folders named by part and emotion."""

from __future__ import annotations

from pathlib import Path

from benchmark.datasets.list_files import find_folder, videos_by_emotion
from benchmark.specs import Clip, DatasetLayout

# Alphabetical, as the folders are.
CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
PARTS = {"train": "train", "validation": "val", "test": "test"}


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named CAER (in any case)."""
    return find_folder(data_root, ("caer",), "validation/Anger")


def read(root: Path, votes: bool) -> list[Clip]:
    """The clip table, ordered by id, which is the video's path such as `train/Anger/0001`; CAER has no votes.

    Raises EnvironmentProblem for a missing part, IntegrityError for a folder that is not one of the seven emotions or
    is missing.
    """
    clips = []
    for folder, part in PARTS.items():
        for label, path in videos_by_emotion(root / folder, CLASSES, "caer"):
            video = path.relative_to(root)
            clips.append(Clip(video.with_suffix("").as_posix(), label, {"videos": video.as_posix()}, {1: part}))
    return sorted(clips, key=lambda clip: clip.id)


LAYOUT = DatasetLayout(
    name="caer",
    title="CAER, context-aware emotion recognition in videos of 79 shows",
    citation="Lee et al., Context-Aware Emotion Recognition Networks, ICCV 2019",
    licence="non-commercial research only; no redistribution",
    obtain="Fill in the form on the dataset's project page (search for 'CAER context-aware emotion recognition'). "
    "Unpack the videos (not CAER-S, which is still images) into one folder.",
    tree="""\
CAER/
  train/{Anger,Disgust,Fear,Happy,Neutral,Sad,Surprise}/0001.avi     the folder is the label
  validation/{Anger,...,Surprise}/0001.avi
  test/{Anger,...,Surprise}/0001.avi
Known size: 13,201 videos, divided about 70/10/20.""",
    classes=CLASSES,
    frame_sources=("videos",),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.caer:synthesize",
    lists=(),
)
