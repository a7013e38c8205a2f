"""Every dataset: a synthetic copy passes the check; broken in the ways that copies are broken, the fault is named."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from benchmark.datasets.check import check_dataset
from benchmark.registry import registry
from benchmark.specs import load_object

CLIPS = {
    "affwild2": 1,
    "mafw": 55,
    "mafw-compound": 60,
    "affectnet": 40,
    "ferplus": 40,
    "ravdess": 16,
    "ravdess-song": 12,
    "crema-d": 12,
}


@pytest.fixture(scope="session")
def trees(tmp_path_factory) -> Callable[[str], Path]:
    """A synthetic tree of each dataset, made when first asked for; not to be changed."""
    place = tmp_path_factory.mktemp("trees")

    def tree(name: str) -> Path:
        out = place / name
        if not out.exists():
            load_object(registry().datasets[name].synthesize)(out, CLIPS.get(name, 35), 0, lambda done, total: None)
        return out

    return tree


def check(name: str, root: Path):
    return check_dataset(registry().datasets[name], root, None, 1, lambda done, total: None)


@pytest.mark.parametrize("name", sorted(registry().datasets))
def test_a_synthetic_copy_passes(trees, name):
    root = trees(name)
    layout = registry().datasets[name]
    report = check(name, root)
    assert report.problems == ()
    assert report.synthetic
    assert set(report.sources) == set(layout.frame_sources)
    assert load_object(layout.find)(root.parent) == root, "a folder with the dataset's name is found"


def edit(pattern: str, replacement: str, path: str, count: int = 1) -> Callable[[Path], None]:
    """Replaces the first `count` matches in one file."""

    def apply(root: Path) -> None:
        file = next(iter(sorted(root.glob(path))))
        text = file.read_text()
        changed = re.sub(pattern, replacement, text, count=count, flags=re.M)
        assert changed != text
        file.write_text(changed)

    return apply


def renumber(root: Path) -> None:
    """DFEW's labels 0..6, as some repositories ship them."""
    for path in root.glob("EmoLabel_DataSplit/*/set_*.csv"):
        path.write_text(re.sub(r",(\d)$", lambda m: f",{int(m[1]) - 1}", path.read_text(), flags=re.M))


def rotate_votes(root: Path) -> None:
    """What joining by row does: every clip gets the votes of its neighbour."""
    path = root / "Annotation/annotation.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    orders = [sheet.cell(row, 8).value for row in range(2, sheet.max_row + 1)]
    for row, order in enumerate(orders[1:] + orders[:1], start=2):
        sheet.cell(row, 8).value = order
    book.save(path)


def index_labels(order: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        for path in root.glob("4_setups/All_scenes/*.csv"):
            lines = [line.split(" ") for line in path.read_text().splitlines()]
            path.write_text("".join(f"{clip} {order.split().index(label)}\n" for clip, label in lines))

    return apply


def remove(pattern: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = next(iter(sorted(root.glob(pattern))))
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return apply


def truncate(pattern: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = next(iter(sorted(root.glob(pattern))))
        path.write_bytes(path.read_bytes()[:700])

    return apply


def copy(source: str, target: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = next(iter(sorted(root.glob(source))))
        place = root / target.format(name=path.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(path, place) if path.is_dir() else shutil.copyfile(path, place)

    return apply


def pointer(pattern: str) -> Callable[[Path], None]:
    """What a clone without Git LFS has in the place of a file."""

    def apply(root: Path) -> None:
        for path in root.glob(pattern):
            path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 265922\n")

    return apply


def list_twice(root: Path) -> None:
    """A test clip also among the train clips of its fold."""
    test = (root / "EmoLabel_DataSplit/test(single-labeled)/set_1.csv").read_text().splitlines()
    with open(root / "EmoLabel_DataSplit/train(single-labeled)/set_1.csv", "a") as file:
        file.write(test[1] + "\n")


def count_folds_from_1(root: Path) -> None:
    """BlEmoRe's folds 0..4, as everything else counts them."""
    path = root / BLEMORE
    path.write_text(re.sub(r",(\d)$", lambda m: f",{int(m[1]) + 1}", path.read_text(), flags=re.M))


DFEW_TRAIN = "EmoLabel_DataSplit/train(single-labeled)/set_1.csv"
FERV_TRAIN = "4_setups/All_scenes/train_All.csv"
MAFW_TRAIN = "Train & Test Set/single/no_caption/set_1/train.txt"
COMPOUND_TRAIN = "Train & Test Set/compound/no_caption/set_1/train.txt"
AFF = "8th_ABAW_Annotations/EXPR_Recognition_Challenge"
RAF = "basic/EmoLabel/list_patition_label.txt"
BLEMORE = "train_metadata.csv"
ALPHABETICAL = "Angry Disgust Fear Happy Neutral Sad Surprise"
LIKE_DFEW = "Happy Sad Neutral Angry Surprise Disgust Fear"

BREAKS = [
    ("dfew", "0-based lists", renumber, r"renumbered to 0\.\.6"),
    ("dfew", "votes joined by row", rotate_votes, r"its label is \w+ \(\d votes\), but \w+ has"),
    ("dfew", "a clip in train and test", list_twice, "is listed twice, it is already in"),
    ("dfew", "a list without header", edit(r"\Avideo_name,label\n", "", DFEW_TRAIN), "expected the header"),
    ("dfew", "a clip without frames", remove("Clip/clip_224x224/00003"), "clip 00003: .*no such folder of frames"),
    ("dfew", "a cut JPEG", truncate("Clip/clip_224x224/00004/*.jpg"), "clip 00004: .*truncated JPEG"),
    ("dfew", "a cut video", truncate("Clip/original/5.mp4"), "clip 00005: .*not a video that can be read"),
    ("ferv39k", "a header", edit(r"\A", "clip label\n", FERV_TRAIN), "the list has a header"),
    ("ferv39k", "an alphabetical index list", index_labels(ALPHABETICAL), "the label is the number"),
    ("ferv39k", "an index list in DFEW's order", index_labels(LIKE_DFEW), "the label is the number"),
    ("ferv39k", "a label that the path denies", edit(r" Happy$", " Sad", FERV_TRAIN), "is in the folder Happy"),
    ("ferv39k", "a scene without frames", remove("3_ClipsforScenImages/*"), "no such folder of frames"),
    (
        "ferv39k-plus",
        "votes of an unknown clip",
        edit(r"^\w+/", "Nowhere/", "soft_labels.csv"),
        "not in FERV39k's lists",
    ),
    ("ferv39k-plus", "a column too few", edit(r",fear$", ",feer", "soft_labels.csv"), "did you mean 'fear'"),
    ("ferv39k-plus", "negative votes", edit(r",\d+$", ",-1", "soft_labels.csv"), "cannot be a number of votes"),
    ("mafw", "lines of with_caption", edit(" ", "\t", MAFW_TRAIN), "another benchmark"),
    ("mafw", "an unknown emotion", edit("anger", "angst", MAFW_TRAIN), "'angst' is not an emotion of this dataset"),
    ("mafw", "a clip without faces", remove("data/faces/*"), "no such folder of frames"),
    ("mafw-compound", "an unknown part", edit("anger", "angst", COMPOUND_TRAIN), "'angst' is not an emotion"),
    ("afew", "an emotion missing", remove("Val_AFEW/Happy"), r"Val_AFEW: no \.avi file of happy"),
    ("afew", "an unknown folder", copy("Val_AFEW/Happy", "Val_AFEW/Hapy"), "did you mean 'happy'"),
    ("afew", "a cut video", truncate("Train_AFEW/Sad/*.avi"), "not a video that can be read"),
    ("caer", "an emotion missing", remove("test/Fear"), r"test: no \.avi file of fear"),
    ("affwild2", "no header", edit(r"\ANeutral.*\n", "", f"{AFF}/Train_Set/*.txt"), "line 1: expected the header"),
    (
        "affwild2",
        "another order",
        edit("Neutral,Anger", "Anger,Neutral", f"{AFF}/Train_Set/*.txt"),
        "expected the header",
    ),
    ("affwild2", "a label out of range", edit(r"^7$", "8", f"{AFF}/*/*.txt"), "expected a label from -1 to 7, got '8'"),
    (
        "affwild2",
        "a blank line",
        edit(r"^(-?\d)\n", r"\1\n\n", f"{AFF}/Train_Set/*.txt"),
        "blank, but every line is a frame",
    ),
    (
        "affwild2",
        "a video in both sets",
        copy(f"{AFF}/Train_Set/*.txt", AFF + "/Validation_Set/{name}"),
        "a video is in one set only",
    ),
    ("raf-db", "0-based labels", edit(r" 1$", " 0", RAF), "0"),
    ("raf-db", "an image missing", remove("basic/Image/aligned/*"), "clip t"),
    ("affectnet", "an unknown expression", edit(r",10,(?=[-\d.]+,[-\d.]+$)", ",11,", "Manually*/training.csv"), "11"),
    ("affectnet", "both forms", copy("Manually_Annotated_Images", "train_set/annotations"), "in two forms"),
    ("ferplus", "too many votes", edit(r",10,0,", ",10,9,", "fer2013new.csv"), "19 votes, expected 1..10"),
    ("ferplus", "an unknown usage", edit("^Training", "Learning", "fer2013new.csv"), "Usage is 'Learning'"),
    (
        "ravdess",
        "downloaded twice",
        copy("Actor_01/02-01-03-*.mp4", "Actor_01/02-01-03-01-01-01-01 (1).mp4"),
        "not the name of a RAVDESS video, .*second copy",
    ),
    (
        "ravdess",
        "unpacked twice",
        copy("Actor_01", "Video_Speech_Actor_01/Actor_01"),
        "is also there as .*delete one of them",
    ),
    ("ravdess", "an actor in another's folder", copy("Actor_01/02-*.mp4", "Actor_02/{name}"), "is of actor 01"),
    (
        "ravdess",
        "a sound called a video",
        copy("Actor_01/02-*.mp4", "Actor_01/03-01-01-01-01-01-01.mp4"),
        r"with sound alone \(03\)",
    ),
    (
        "ravdess",
        "a silent copy missing",
        remove("Actor_01/02-*.mp4"),
        "clip 02-01-01-01-01-01-01: .*no such video file",
    ),
    (
        "ravdess-song",
        "a song of a spoken emotion",
        copy("Actor_01/02-*.mp4", "Actor_01/02-02-07-01-01-01-01.mp4"),
        "nobody sings disgust",
    ),
    ("crema-d", "pointers of Git LFS", pointer("VideoFlash/*.flv"), "clip 1001.*Git LFS pointer.*git lfs pull"),
    ("crema-d", "an unknown name", edit(r"_ANG_XX$", "_ANGER_XX", "SentenceFilenames.csv"), "is not a clip's name"),
    ("crema-d", "a clip twice", edit(r"^2,.*$", "2,1001_TIE_ANG_XX", "SentenceFilenames.csv"), "is there twice"),
    ("crema-d", "an actor missing", edit(r"^1002,.*\n", "", "VideoDemographics.csv"), "actor 1002 of the clip 1002_"),
    (
        "crema-d",
        "votes in another order",
        edit(r"1001_TIE_ANG_XX", "1001_TIE_DIS_XX", "processedResults/*.csv", 2),
        "clip 1 is 1001_TIE_DIS_XX here",
    ),
    (
        "crema-d",
        "votes cut off",
        edit(r"^200003,[\s\S]*\Z", "", "processedResults/*.csv"),
        "no votes by the face for clip 1001_",
    ),
    (
        "blemore",
        "a column of another name",
        edit("emotion_2_salience", "salience_2", BLEMORE),
        "columns missing: emotion_2_sal",
    ),
    ("blemore", "folds counted from 1", count_folds_from_1, "fold: '5' is none of 0, 1, 2, 3, 4"),
    ("blemore", "an actor in two folds", edit(r"^(A101_.*),1$", r"\1,2", BLEMORE), "actor A101 is in the folds"),
    ("blemore", "shares that do not sum", edit(r",70\.0,30\.0,", ",70.0,50.0,", BLEMORE), "do not sum to 100"),
    (
        "blemore",
        "shares turned round",
        edit(r",70\.0,30\.0,", ",30.0,70.0,", BLEMORE),
        "which the name A.* contradicts",
    ),
    ("blemore", "an unknown emotion", edit(",disg,", ",disgsut,", BLEMORE), "did you mean 'disgust'"),
    ("blemore", "a blend that is none", edit(r",1,(\w+),", r",0,\1,", BLEMORE), "mix is 0, but emotion_2 is"),
    ("blemore", "an archive not unpacked", remove("part_01"), "clip A.*: .*no such"),
    ("blemore", "a video twice", copy("part_01/*.mov", "part_02/{name}"), "is there twice: part_01/.* and part_02/"),
    ("blemore", "a cut video", truncate("part_01/*.mov"), "not a video that can be read"),
    ("table", "labels as numbers", edit(r",(happy|sad|neutral),", ",3,", "clips.csv"), "write the emotion's name"),
    (
        "table",
        "a path that leaves the folder",
        edit(r",videos/", ",../videos/", "clips.csv"),
        "leaves the dataset's folder",
    ),
    ("table", "an unknown column", edit(r"fold,", "flod,", "clips.csv"), "did you mean 'fold'"),
]


@pytest.mark.parametrize(
    ("name", "apply", "message"),
    [pytest.param(name, apply, message, id=f"{name}: {what}") for name, what, apply, message in BREAKS],
)
def test_a_broken_copy_is_named(trees, tmp_path, name, apply, message):
    root = tmp_path / name
    shutil.copytree(trees(name), root)
    apply(root)
    try:
        report = check(name, root)
    except Exception as error:
        pytest.fail(f"the check itself failed: {error!r}")
    assert any(re.search(message, problem.message) for problem in report.problems), report.problems[:3]
    assert report.exit_code == 4


def test_every_dataset_is_broken_in_some_way():
    assert {name for name, *_ in BREAKS} == set(registry().datasets)
