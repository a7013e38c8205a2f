"""AFEW (EmotiW) as distributed: videos in folders named by emotion, and aligned faces; test labels are not public."""

from __future__ import annotations

from pathlib import Path

from benchmark.datasets.list_files import ClipLists, find_folder, videos_by_emotion
from benchmark.specs import Clip, DatasetLayout

# Alphabetical, as the folders are.
CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
FACES = {
    "train": "Train_AFEW/AlignedFaces_LBPTOP_Points/Faces",
    "val": "Val_AFEW/AlignedFaces_LBPTOP_Points_Val/Faces",
}


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named AFEW (in any case)."""
    return find_folder(data_root, ("afew",), "Train_AFEW")


def read(root: Path, votes: bool) -> list[Clip]:
    """The clip table, ordered by id, made from the names of the videos; AFEW has no votes.

    The aligned faces lie in one folder for all emotions, so the videos are needed to know the labels. Raises
    EnvironmentProblem when they are missing, IntegrityError for a folder that is not one of the seven emotions.
    """
    lists, frames = ClipLists(), {}
    for part, faces in FACES.items():
        folder = root / f"{part.capitalize()}_AFEW"
        for label, path in videos_by_emotion(folder, CLASSES, "afew", other="AlignedFaces"):
            clip_id = f"{part}/{path.stem}"
            lists.add(clip_id, label, 1, part, str(path))
            frames[clip_id] = {"faces": f"{faces}/{path.stem}", "videos": path.relative_to(root).as_posix()}
    return [Clip(name, lists.labels[name], frames[name], lists.parts[name]) for name in sorted(frames)]


LAYOUT = DatasetLayout(
    name="afew",
    title="AFEW, acted facial expressions in the wild (EmotiW 2017 and later)",
    citation="Dhall et al., Collecting Large, Richly Annotated Facial-Expression Databases from Movies, "
    "IEEE MultiMedia 2012",
    licence="research only, under the signed EmotiW agreement; no redistribution",
    obtain="Ask the organisers of the EmotiW challenge for AFEW's train and validation sets, with the signed "
    "agreement. Unpack the videos, whose folders are the labels, and the aligned faces into one folder.",
    tree="""\
AFEW/
  Train_AFEW/{Angry,Disgust,Fear,Happy,Neutral,Sad,Surprise}/*.avi     videos; the folder is the label
  Train_AFEW/AlignedFaces_LBPTOP_Points/Faces/<video>/*.jpg            aligned faces
  Val_AFEW/{Angry,...,Surprise}/*.avi
  Val_AFEW/AlignedFaces_LBPTOP_Points_Val/Faces/<video>/*.jpg""",
    classes=CLASSES,
    frame_sources=("faces", "videos"),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.afew:synthesize",
    lists=(),
    expected={
        1: {
            "train": {
                "clips": 773,
                "per_class": dict(zip(CLASSES, (133, 74, 81, 150, 144, 117, 74), strict=True)),
            },
            "val": {"clips": 383},
        }
    },
)
