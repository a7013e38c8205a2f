"""RAVDESS as distributed, the spoken takes: the seven numbers of a file's name say what is in it, there are no lists.

Every take is there twice, as a video with sound (the first number is 01) and one without (02): one clip in two frame
sources, called after the silent one. Files with sound alone (03) are no clips. The sung takes are a dataset of their
own, `ravdess-song`, because they are downloaded by themselves and have other emotions.

Sources: the description on the dataset's page (zenodo.org/records/1188976); Livingstone and Russo, PLoS ONE 2018.
Whether the two videos of a take have the same frames is not said there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.files import is_clutter
from benchmark.specs import Clip, DatasetLayout

# The index is the third number less one.
CLASSES = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
STATEMENTS = ("kids are talking by the door", "dogs are sitting by the door")
INTENSITIES = ("normal", "strong")
ACTORS = 24
# By the first number of a name.
SOURCES = {"01": "videos", "02": "silent-videos"}
CROPS = "faces/crops"
_NAME = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")


@dataclass(frozen=True)
class Channel:
    """One of the two sets of takes. number: the second one of a name. emotions: how many there are, from the first."""

    dataset: str
    number: str
    name: str
    emotions: int


SPEECH = Channel("ravdess", "01", "Speech", 8)


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named RAVDESS (in any case)."""
    return find_channel(data_root, SPEECH)


def read(root: Path, votes: bool) -> list[Clip]:
    """The spoken takes, ordered by id, see `read_channel`; RAVDESS's ratings are no votes for one of its emotions."""
    return read_channel(root, SPEECH)


def find_channel(data_root: Path, channel: Channel) -> Path | None:
    """The folder in `data_root` that is named after the channel's dataset or RAVDESS (in any case), or `data_root`.

    The latter where it holds folders of actors or archives.
    """
    for name in dict.fromkeys((channel.dataset, "ravdess")):
        named = [path for path in data_root.glob("*") if path.name.lower() == name and path.is_dir()]
        if named:
            return sorted(named)[0]
    parts = ("Actor_*", "Video_*_Actor_*", "Audio_*_Actors_*")
    return data_root if any(next(data_root.glob(part), None) for part in parts) else None


def read_channel(root: Path, channel: Channel) -> list[Clip]:
    """The takes of a channel, ordered by id, which is the name of the silent video.

    Raises EnvironmentProblem where an actor's archive is not unpacked, or nothing but sound is there; IntegrityError
    for a video whose name is not an official one, is there twice, or lies in another actor's folder.
    """
    takes: dict[str, dict[str, Path]] = {}
    sound = 0
    for path in _files(root):
        match = _NAME.fullmatch(path.stem)
        if path.suffix.lower() == ".wav":
            sound += 1
            continue
        if match is None:
            raise IntegrityError(
                f"{path}: not the name of a RAVDESS video, such as 02-01-06-01-02-01-12.mp4; if it is a second copy, "
                "delete it"
            )
        modality, vocal, *_, actor = match.groups()
        if modality not in SOURCES:
            raise IntegrityError(f"{path}: a video called as a file with sound alone (03)")
        if path.parent.name != f"Actor_{actor}":
            raise IntegrityError(f"{path}: is of actor {actor}, so it belongs into a folder Actor_{actor}")
        if vocal != channel.number:
            continue
        _check_take(path, match, channel)
        copies = takes.setdefault(f"02{path.stem[2:]}", {})
        if modality in copies:
            raise IntegrityError(f"{path}: is also there as {copies[modality]}; delete one of them")
        copies[modality] = path
    _refuse_packed(root, channel, {take[-2:] for take in takes})
    if not takes:
        heard = f"only {sound:,} files with sound alone (.wav)" if sound else "no video"
        raise EnvironmentProblem(
            f"{channel.dataset}: {heard} in {root}; unpack Video_{channel.name}_Actor_01.zip to _24.zip there"
        )
    return [_clip(take, takes[take], root) for take in sorted(takes)]


def _files(root: Path) -> Iterator[Path]:
    """Videos and sounds in the actors' folders, wherever the archives were unpacked below the root."""
    for folder in sorted(path for depth in ("", "*/") for path in root.glob(f"{depth}Actor_*") if path.is_dir()):
        for path in sorted(folder.iterdir()):
            if not is_clutter(path.name) and path.suffix.lower() in (".mp4", ".wav"):
                yield path


def _check_take(path: Path, match: re.Match[str], channel: Channel) -> None:
    _, _, emotion, intensity, *_ = match.groups()
    if int(emotion) > channel.emotions:
        raise IntegrityError(f"{path}: nobody sings {CLASSES[int(emotion) - 1]} in RAVDESS")
    if (emotion, intensity) == ("01", "02"):
        raise IntegrityError(f"{path}: neutral takes have no strong intensity")


def _refuse_packed(root: Path, channel: Channel, actors: set[str]) -> None:
    """EnvironmentProblem where there is an archive of an actor of whom there is no take."""
    packed = [
        path.name
        for path in sorted(root.glob(f"Video_{channel.name}_Actor_*.zip"))
        if (number := re.search(r"Actor_(\d\d)", path.name)) and number[1] not in actors
    ]
    if packed:
        more = f" and {len(packed) - 1} more are" if len(packed) > 1 else " is"
        raise EnvironmentProblem(f"{channel.dataset}: {root / packed[0]}{more} not unpacked; unpack there, as Actor_NN")


def _clip(take: str, copies: dict[str, Path], root: Path) -> Clip:
    _, _, emotion, intensity, statement, repetition, actor = take.split("-")
    some = next(iter(copies.values()))
    frames = {
        # A copy that is missing is looked for beside the one that is there.
        source: copies.get(modality, some.with_name(f"{modality}{take[2:]}.mp4")).relative_to(root).as_posix()
        for modality, source in SOURCES.items()
    }
    return Clip(
        take,
        CLASSES[int(emotion) - 1],
        {"faces": f"{CROPS}/{take}", **frames},
        {1: "all"},
        attributes={
            "subject": actor,
            "sex": "male" if int(actor) % 2 else "female",
            "statement": STATEMENTS[int(statement) - 1],
            "intensity": INTENSITIES[int(intensity) - 1],
            "repetition": str(int(repetition)),
        },
    )


def known_counts(emotions: int, actors: Sequence[str]) -> dict[str, Any]:
    """What is known of a channel: two statements, twice, in two intensities, neutral takes in one."""
    per_actor = dict.fromkeys(CLASSES[:emotions], 8) | {"neutral": 4}
    per_class = {name: count * len(actors) for name, count in per_actor.items()}
    return {
        "clips": sum(per_class.values()),
        "per_class": per_class,
        "per_subject": dict.fromkeys(actors, sum(per_actor.values())),
    }


EVERYBODY = tuple(f"{actor:02d}" for actor in range(1, ACTORS + 1))

LAYOUT = DatasetLayout(
    name="ravdess",
    title="RAVDESS, the Ryerson audio-visual database of emotional speech and song: speech",
    citation="Livingstone and Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS): A "
    "dynamic, multimodal set of facial and vocal expressions in North American English, PLoS ONE 13(5): e0196391, 2018",
    licence="open: Creative Commons BY-NC-SA 4.0, non-commercial; the authors sell commercial licences",
    obtain="Open to everyone, no form to sign: zenodo.org/records/1188976. For speech download "
    "Video_Speech_Actor_01.zip to Video_Speech_Actor_24.zip (about 500 MB each, some 12 GB; the whole of RAVDESS has "
    "24.8 GB) and unpack all of them into one folder. Then crop the faces of the silent videos: "
    'benchmark data prepare "RAVDESS/**/02-01-*.mp4" --output RAVDESS/faces',
    tree="""\
RAVDESS/
  Actor_01/01-01-06-01-02-01-01.mp4          with sound; 24 folders, also inside Video_Speech_Actor_01/ ...
  Actor_01/02-01-06-01-02-01-01.mp4          the same take without: the clip 02-01-06-01-02-01-01
  faces/crops/02-01-06-01-02-01-01/00001.jpg face crops, from `benchmark data prepare`
The numbers: 01 with sound, 02 silent, 03 sound alone; 01 speech, 02 song; 01 neutral, 02 calm, 03 happy, 04 sad,
05 angry, 06 fear, 07 disgust, 08 surprise; 01 normal, 02 strong; statement; repetition; actor (odd: male).
Known files: 7,356, of which 2,880 are videos of speech: 60 takes of each of 24 actors, twice.""",
    classes=CLASSES,
    frame_sources=("faces", *SOURCES.values()),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.ravdess:synthesize",
    lists=(),
    expected={1: {"all": known_counts(SPEECH.emotions, EVERYBODY)}},
)
