"""FERV39k-Plus: FERV39k's clips and split, labelled anew by several annotators each, read as a soft-label overlay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmark.datasets.layouts import ferv39k
from benchmark.datasets.list_files import find_folder
from benchmark.datasets.overlay import read_soft_labels
from benchmark.errors import IntegrityError
from benchmark.specs import Clip, DatasetLayout

OVERLAYS = ("soft_labels.csv", "soft_labels.parquet")


def find(data_root: Path) -> Path | None:
    """FERV39k's root, when it holds an overlay: `data_root` itself, or a folder in it named FERV39k[-Plus]."""
    roots = [find_folder(data_root, ("ferv39k", "ferv39k-plus"), overlay) for overlay in OVERLAYS]
    return next((root for root in roots if root and (root / ferv39k.LISTS).is_dir()), None)


def read(root: Path, votes: bool) -> list[Clip]:
    """FERV39k's clips that are in the overlay, ordered by id.

    A clip's label is its most voted emotion; a clip without a single most voted one is left out, as its authors do.
    Raises what reading FERV39k raises, and IntegrityError for an overlay that does not fit it.
    """
    path = _overlay(root)
    soft = read_soft_labels(path, ferv39k.CLASSES)
    clips = ferv39k.read(root, votes=False)
    unknown = sorted(set(soft) - {clip.id for clip in clips})
    if unknown:
        raise IntegrityError(
            f"{path}: clip {unknown[0]} and {len(unknown) - 1} more are not in FERV39k's lists; "
            "ids are paths like 'Action/Happy/0015'"
        )
    labelled = [(clip, _most_voted(soft[clip.id])) for clip in clips if clip.id in soft]
    return [replace(clip, label=label, votes=soft[clip.id] if votes else None) for clip, label in labelled if label]


def _overlay(root: Path) -> Path:
    present = [root / name for name in OVERLAYS if (root / name).exists()]
    if len(present) > 1:
        raise IntegrityError(f"{root}: holds both {' and '.join(OVERLAYS)}; keep the one that counts")
    return present[0] if present else root / OVERLAYS[0]


def _most_voted(votes: dict[str, float]) -> str | None:
    most = max(votes.values())
    winners = [name for name, count in votes.items() if count == most]
    return winners[0] if len(winners) == 1 else None


LAYOUT = DatasetLayout(
    name="ferv39k-plus",
    title="FERV39k-Plus, FERV39k's clips with soft labels (33,467 clips)",
    citation="Kawamura et al., Enhancing Ambiguous Dynamic Facial Expression Recognition with Soft Label-based Data "
    "Augmentation, 2025; Wang et al., FERV39k, CVPR 2022",
    licence="FERV39k's terms: non-commercial research only, under a signed agreement; no redistribution",
    obtain="Obtain FERV39k first (`benchmark show ferv39k`), then the soft labels from the authors of FERV39k-Plus. "
    "How they lay out their file is not public, so this reads a generic form: put soft_labels.csv (or .parquet) into "
    "FERV39k's root, beside 4_setups, with a column clip_id ('Action/Happy/0015') and one column of votes or "
    "probabilities for each of happy, sad, neutral, angry, surprise, disgust and fear, in any order. "
    "A FERV39k without that file is not FERV39k-Plus.",
    tree="""\
FERV39k/
  soft_labels.csv                                            or .parquet; clip_id,happy,sad,neutral,...
  4_setups/All_scenes/{train,test}_All.csv                   no header, lines 'Action/Happy/0015 Happy'
  2_ClipsforFaceCrop/Action/Happy/0015/*.jpg                 face crops
  3_ClipsforScenImages/Action/Happy/0015/*.jpg               scene frames
Known size: 33,467 clips in train and test together; sizes of the two are not published.""",
    classes=ferv39k.CLASSES,
    frame_sources=("faces", "scenes"),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.ferv39k_plus:synthesize",
    lists=(*ferv39k.LAYOUT.lists, "soft_labels.*"),
    votes=True,
    votes_decide=True,
    videos_of=ferv39k.LAYOUT.name,
)
