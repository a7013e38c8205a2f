"""CREMA-D as distributed: acted sentences as Flash videos, what their viewers chose, and the actors' demographics.

A clip's label is the emotion that the actor was asked for, which is in the file's name. Its votes are those of the
people who saw the face without hearing the voice: the ratings that a method without sound can be held against. Those
of the voice alone and of both together are in the same table, and not read.

Sources: the repository's README, licence, lists and issues 6, 8 and 15; Cao et al., IEEE TAFFC 2014. Which codec and
frame rate the videos have was not found there.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmark.datasets.list_files import find_folder, read_table, vote_row
from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.specs import Clip, DatasetLayout

# The order of the columns of votes.
EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
CLASSES = tuple(EMOTIONS.values())
VOTE_COLUMNS = dict(zip("ADFHNS", CLASSES, strict=True))
INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}
SENTENCES = ("IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI")
CLIPS, ACTORS, VOTES = "SentenceFilenames.csv", "VideoDemographics.csv", "processedResults/tabulatedVotes.csv"
# A row's number in the table of votes is 100,000 times how the clip was shown (1: the voice, 2: the face, 3: both) plus
# the clip's own.
BY_FACE, SHOWN = 2, 100_000
# Clips whose files are wrong at the source (issue 8 of the repository), which nobody can learn or be tested on.
LEFT_OUT = {
    "1064_IEO_DIS_MD": "a minute long, of several emotions",
    "1064_TIE_SAD_XX": "has no duration",
    "1076_MTI_NEU_XX": "breaks off after a few frames, without sound",
    "1076_MTI_SAD_XX": "shows no face",
}
_NAME = re.compile(rf"(\d{{4}})_({'|'.join(SENTENCES)})_({'|'.join(EMOTIONS)})_({'|'.join(INTENSITIES)})")


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named CREMA-D or crema-d-mirror (in any case)."""
    return find_folder(data_root, ("crema-d", "crema-d-mirror"), CLIPS)


def read(root: Path, votes: bool) -> list[Clip]:
    """The clips of the official list but the four in `LEFT_OUT`, ordered by id; `votes` also reads those by the face.

    Raises EnvironmentProblem for a missing file and IntegrityError for one that contradicts the official format.
    """
    actors = _read_actors(root / ACTORS)
    names = _read_names(root / CLIPS)
    table = _read_votes(root / VOTES, names) if votes else {}
    return [_clip(name, actors, table, root) for name in sorted(set(names.values()) - set(LEFT_OUT))]


def _clip(name: str, actors: dict[str, dict[str, str]], votes: dict[str, dict[str, float]], root: Path) -> Clip:
    match = _NAME.fullmatch(name)
    assert match is not None
    actor, sentence, emotion, intensity = match.groups()
    if actor not in actors:
        raise IntegrityError(f"{root / ACTORS}: actor {actor} of the clip {name} is not there")
    return Clip(
        name,
        EMOTIONS[emotion],
        {"faces": f"faces/crops/{name}", "videos": f"VideoFlash/{name}.flv"},
        {1: "all"},
        votes.get(name),
        {"subject": actor, **actors[actor], "sentence": sentence, "intensity": INTENSITIES[intensity]},
    )


def _read_names(path: Path) -> dict[int, str]:
    """Every clip's name, by its number in the official list."""
    names: dict[int, str] = {}
    for where, row in _rows(path, ("Stimulus_Number", "Filename")):
        name = row["Filename"]
        if not _NAME.fullmatch(name):
            raise IntegrityError(f"{where}: '{name}' is not a clip's name, such as 1001_IEO_ANG_HI")
        if name in names.values() or _number(row["Stimulus_Number"], where) in names:
            raise IntegrityError(f"{where}: clip {name}, or its number, is there twice")
        names[_number(row["Stimulus_Number"], where)] = name
    return names


def _read_actors(path: Path) -> dict[str, dict[str, str]]:
    """What is known of each actor, by number; the age by decades, so that groups hold several actors."""
    actors: dict[str, dict[str, str]] = {}
    for where, row in _rows(path, ("ActorID", "Age", "Sex", "Race", "Ethnicity")):
        decade = _number(row["Age"], where) // 10 * 10
        actors[row["ActorID"]] = {
            "sex": row["Sex"].lower(),
            "age": f"{decade}-{decade + 9}",
            "race": row["Race"],
            "ethnicity": row["Ethnicity"],
        }
    return actors


def _read_votes(path: Path, names: dict[int, str]) -> dict[str, dict[str, float]]:
    """The votes of those who saw the face alone, by the clip's name."""
    votes: dict[str, dict[str, float]] = {}
    for where, row in _rows(path, ("", *VOTE_COLUMNS, "fileName")):
        shown, number = divmod(_number(row[""], where), SHOWN)
        if shown != BY_FACE:
            continue
        name = row["fileName"]
        if names.get(number) != name:
            raise IntegrityError(f"{where}: clip {number} is {name} here and {names.get(number)} in {CLIPS}")
        votes[name] = vote_row({VOTE_COLUMNS[key]: row[key] for key in VOTE_COLUMNS}, f"{where}: clip {name}")
    without = sorted(set(names.values()) - set(LEFT_OUT) - set(votes))
    if without:
        raise IntegrityError(f"{path}: no votes by the face for clip {without[0]} and {len(without) - 1} more")
    return votes


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    """Where each row stands, and its cells by column."""
    if not path.is_file():
        raise EnvironmentProblem(
            f"crema-d: list missing: {path}; `benchmark data show crema-d` prints the expected tree"
        )
    header, rows = read_table(path)
    missing = [name for name in columns if header.count(name) != 1]
    if missing:
        raise IntegrityError(f"{path}: line 1: expected one column each for {', '.join(missing)}")
    return [(f"{path}: line {number}", dict(zip(header, row, strict=True))) for number, row in rows]


def _number(text: str, where: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise IntegrityError(f"{where}: '{text}' is not a whole number")
    return int(text)


LAYOUT = DatasetLayout(
    name="crema-d",
    title="CREMA-D, crowd-sourced emotional multimodal actors: twelve sentences in six emotions",
    citation="Cao et al., CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, IEEE Transactions on Affective "
    "Computing 5(4), 2014",
    licence="open: Open Database License (ODbL) 1.0, contents under the Database Contents License (DbCL) 1.0",
    obtain="Open to everyone, no form to sign. Install Git LFS (`git lfs install`), then clone "
    "github.com/CheyneyComputerScience/CREMA-D or, when its quota is used up, its authors' mirror "
    "gitlab.com/cs-cooper-lab/crema-d-mirror; `git lfs pull --include VideoFlash` is enough of the media. The zip file "
    "and a clone without Git LFS hold pointers of three lines in the place of videos. Then crop the faces: "
    'benchmark data prepare "CREMA-D/VideoFlash/*.flv" --output CREMA-D/faces. Four clips whose videos are wrong at '
    f"the source are left out: {', '.join(LEFT_OUT)}.",
    tree="""\
CREMA-D/
  SentenceFilenames.csv                   the clips, numbered: <actor>_<sentence>_<emotion>_<intensity>
  VideoDemographics.csv                   the actors' age, sex, race and ethnicity
  processedResults/tabulatedVotes.csv     votes by voice, face and both; those by the face are read (soft labels only)
  VideoFlash/1001_DFA_ANG_XX.flv          7,442 videos of 91 actors
  faces/crops/1001_DFA_ANG_XX/00001.jpg   face crops, from `benchmark data prepare`""",
    classes=CLASSES,
    frame_sources=("faces", "videos"),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.crema_d:synthesize",
    lists=(CLIPS, ACTORS, VOTES),
    votes=True,
    # 1,271 clips of each emotion but 1,087 neutral ones, without the four above.
    expected={
        1: {
            "all": {
                "clips": 7438,
                "per_class": dict(zip(CLASSES, (1271, 1270, 1271, 1271, 1086, 1269), strict=True)),
            }
        }
    },
)
