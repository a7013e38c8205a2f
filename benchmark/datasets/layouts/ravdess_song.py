"""RAVDESS's sung takes, in the same tree as the spoken ones: six emotions, by every actor but number 18."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmark.datasets.layouts import ravdess
from benchmark.datasets.layouts.ravdess import Channel, find_channel, known_counts, read_channel
from benchmark.specs import Clip

SONG = Channel("ravdess-song", "02", "Song", 6)
# There are no songs by actor 18.
SINGERS = tuple(actor for actor in ravdess.EVERYBODY if actor != "18")


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named RAVDESS or ravdess-song (in any case)."""
    return find_channel(data_root, SONG)


def read(root: Path, votes: bool) -> list[Clip]:
    """The sung takes, ordered by id; as `benchmark.datasets.layouts.ravdess.read`."""
    return read_channel(root, SONG)


LAYOUT = replace(
    ravdess.LAYOUT,
    name=SONG.dataset,
    title="RAVDESS, the Ryerson audio-visual database of emotional speech and song: song",
    obtain="Open to everyone, no form to sign: zenodo.org/records/1188976. For song download Video_Song_Actor_01.zip "
    "to Video_Song_Actor_24.zip (about 500 MB each; there is none of actor 18) and unpack all of them into one folder, "
    "that of speech if you like. Then crop the faces of the silent videos, those of speech with them if they are "
    'there: benchmark data prepare "RAVDESS/**/02-0*.mp4" --output RAVDESS/faces',
    tree="""\
RAVDESS/
  Actor_01/01-02-06-01-02-01-01.mp4          with sound; 23 folders, also inside Video_Song_Actor_01/ ...
  Actor_01/02-02-06-01-02-01-01.mp4          the same take without: the clip 02-02-06-01-02-01-01
  faces/crops/02-02-06-01-02-01-01/00001.jpg face crops, from `benchmark data prepare`
The numbers are those of `ravdess`. Known files: 7,356, of which 2,024 are videos of song: 44 takes of each of 23
actors, twice.""",
    classes=ravdess.CLASSES[: SONG.emotions],
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.ravdess_song:synthesize",
    expected={1: {"all": known_counts(SONG.emotions, SINGERS)}},
)
