"""BlEmoRe's training part: actors who show one emotion, or two in stated shares, with five official folds.

The shares are what the actors were told, not votes: they stand where other datasets have votes, and sum to 1. The
official test part has no public labels and is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmark.datasets.list_files import column_name, emotion, find_folder, read_table, refuse_repeated
from benchmark.errors import IntegrityError
from benchmark.files import is_clutter
from benchmark.specs import Clip, DatasetLayout

# The order of the official code; the list abbreviates.
CLASSES = ("angry", "disgust", "fear", "happy", "sad", "neutral")
ABBREVIATIONS = {"ang": "angry", "disg": "disgust", "fea": "fear", "hap": "happy", "sad": "sad", "neu": "neutral"}
TABLE = "train_metadata.csv"
NEEDED = ("filename", "video_id", "mix", "emotion_1", "emotion_2", "emotion_1_salience", "emotion_2_salience", "fold")
# Shares of the emotion that is named first, in percent.
SHARES = (30, 50, 70)
FOLDS = range(5)
MISSING = ("", "nan")
FACES = "faces"


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named BlEmoRe (in any case)."""
    return find_folder(data_root, ("blemore",), TABLE)


def read(root: Path, votes: bool) -> list[Clip]:
    """The clip table, ordered by id; with `votes` each clip's shares.

    A clip's label is its stronger emotion; of two equally strong ones, the one that the list names first. Fold k is the
    official fold k - 1, whose clips are its part `val`.

    Raises EnvironmentProblem where the list is missing, IntegrityError for one that contradicts the official format,
    itself or its file names, and for a video that is there twice.
    """
    path = root / TABLE
    header, rows = read_table(path)
    columns = [column_name(name) for name in header]
    refuse_repeated(columns, f"{path}: line 1")
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise IntegrityError(f"{path}: line 1: columns missing: {', '.join(missing)}")
    videos = _videos(root)
    clips: dict[str, Clip] = {}
    actors: dict[str, int] = {}
    for number, cells in rows:
        where = f"{path}: line {number}"
        row = dict(zip(columns, cells, strict=True))
        name, actor = row["filename"].removesuffix(".mov"), row["video_id"]
        if name in clips:
            raise IntegrityError(f"{where}: clip {name} is there twice")
        if "/" in name or not name.startswith(f"{actor}_"):
            raise IntegrityError(f"{where}: '{name}' is no clip of the actor '{actor}', such as A102_ang_int1_ver1")
        fold = _number(row["fold"], FOLDS, f"{where}: fold")
        if actors.setdefault(actor, fold) != fold:
            raise IntegrityError(
                f"{where}: actor {actor} is in the folds {actors[actor]} and {fold}; folds share nobody"
            )
        shares = _shares(row, name, where)
        clips[name] = Clip(
            name,
            max(shares, key=shares.__getitem__),
            {"videos": videos.get(name, f"videos/{name}.mov"), "faces": f"{FACES}/crops/{name}"},
            {other + 1: "val" if other == fold else "train" for other in FOLDS},
            shares if votes else None,
            {"subject": actor, "kind": "blend" if len(shares) == 2 else "single"},
        )
    return [clips[name] for name in sorted(clips)]


def _videos(root: Path) -> dict[str, str]:
    """Where each video lies, by its name: the archives unpack into several folders."""
    found: dict[str, str] = {}
    for path in sorted(path for folder in _folders(root) for path in folder.rglob("*.mov")):
        if is_clutter(path.name):
            continue
        place = path.relative_to(root).as_posix()
        if path.stem in found:
            raise IntegrityError(f"{root}: clip {path.stem} is there twice: {found[path.stem]} and {place}; keep one")
        found[path.stem] = place
    return found


def _folders(root: Path) -> list[Path]:
    """Where videos may lie: in every folder but that of face crops, which holds nothing but very many images."""
    return [path for path in root.iterdir() if path.is_dir() and path.name != FACES]


def _shares(row: Mapping[str, str], name: str, where: str) -> dict[str, float]:
    """The shares, summing to 1, in the order in which the list names the emotions."""
    first = _emotion(row["emotion_1"], f"{where}: emotion_1")
    if row["mix"] not in ("0", "1"):
        raise IntegrityError(f"{where}: mix is '{row['mix']}', expected 0 or 1")
    if row["mix"] == "0":
        if row["emotion_2"].lower() not in MISSING:
            raise IntegrityError(f"{where}: mix is 0, but emotion_2 is '{row['emotion_2']}'")
        _check_name(name, f"_{row['emotion_1']}_", where)
        return {first: 1.0}
    second = _emotion(row["emotion_2"], f"{where}: emotion_2")
    if first == second or "neutral" in (first, second):
        raise IntegrityError(f"{where}: {first} and {second} are no blend of two different emotions")
    own, other = (
        _number(row[f"emotion_{number}_salience"], SHARES, f"{where}: emotion_{number}_salience") for number in (1, 2)
    )
    if own + other != 100:
        raise IntegrityError(f"{where}: the saliences {own} and {other} do not sum to 100")
    _check_name(name, f"_mix_{row['emotion_1']}_{row['emotion_2']}_{own}_{other}_", where)
    return {first: own / 100, second: other / 100}


def _emotion(text: str, where: str) -> str:
    return emotion(ABBREVIATIONS.get(text, text), CLASSES, where)


def _number(text: str, known: range | tuple[int, ...], where: str) -> int:
    """A number of a column that data frames save as 70 or as 70.0."""
    number = text.removesuffix(".0")
    if not number.isdecimal() or int(number) not in known:
        raise IntegrityError(f"{where}: '{text}' is none of {', '.join(map(str, known))}")
    return int(number)


def _check_name(name: str, stated: str, where: str) -> None:
    """A file's name says what it shows too."""
    if stated not in name:
        raise IntegrityError(f"{where}: the list says '{stated.strip('_')}', which the name {name} contradicts")


# Clips and actors: the challenge's page. The folds' sizes follow from the fractions in the official results, and sum to
# the stated 2,456; they are not printed anywhere.
_FOLD_SIZES = (522, 486, 468, 472, 508)

LAYOUT = DatasetLayout(
    name="blemore",
    title="BlEmoRe, single emotions and blends of two in stated shares (training part)",
    citation="Lachmann et al., Not all Blends are Equal: The BLEMORE Dataset of Blended Emotion Expressions with "
    "Relative Salience Annotations, arXiv:2601.13225, 2026",
    licence="as stated on its Zenodo record; read it there",
    obtain="Download the training part from Zenodo (record 17787362, or its latest version; no form is needed): "
    "train_metadata.csv and the archives of videos. Unpack all of it below one folder, BlEmoRe; videos are found in "
    "any folder below it. Then crop the faces: `benchmark data prepare BlEmoRe/FOLDER ... --output BlEmoRe/faces` with "
    "every folder that holds videos.",
    tree="""\
BlEmoRe/
  train_metadata.csv                            filename,video_id,gender,mix,emotion_1,...,emotion_2_salience,fold
  .../A102_ang_int1_ver1.mov                    one emotion, in four intensities (neutral: four situations, sit1..sit4)
  .../A411_mix_ang_hap_30_70_ver1.mov           30 % anger, 70 % happiness
  faces/crops/A102_ang_int1_ver1/*.jpg          face crops, from `benchmark data prepare`
Known size: 2,456 clips of 47 actors, of them 1,326 blends. The labels of the test part (594 clips) are not public.""",
    classes=CLASSES,
    frame_sources=("faces", "videos"),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.blemore:synthesize",
    lists=(TABLE,),
    votes=True,
    stated=True,
    expected={
        fold: {"train": {"clips": sum(_FOLD_SIZES) - size}, "val": {"clips": size}}
        for fold, size in enumerate(_FOLD_SIZES, start=1)
    },
)
