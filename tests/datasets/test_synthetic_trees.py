"""The synthetic stand-ins of all datasets but DFEW: each in its dataset's own tree, spelling and numbering."""

import csv
import hashlib
import importlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest

from benchmark.datasets.synthetic.mafw import COMPOUNDS, NAMES
from benchmark.errors import UsageError
from benchmark.video.folders import frame_names
from benchmark.video.frames import open_clip
from benchmark.video.names import VIDEO_SUFFIXES

SEED = 5
# The smallest size that each dataset allows; Aff-Wild2's size hardly matters, as it has ten videos at least.
CLIPS = {
    "ferv39k": 35,
    "ferv39k_plus": 35,
    "mafw": 55,
    "mafw_compound": 60,
    "afew": 35,
    "caer": 35,
    "affwild2": 40,
    "raf_db": 35,
    "affectnet": 40,
    "ferplus": 40,
    "blemore": 30,
    "table": 35,
    "ravdess": 16,
    "ravdess_song": 12,
    "crema_d": 12,
}
SEVEN = {"Happy", "Sad", "Neutral", "Angry", "Surprise", "Disgust", "Fear"}
MAFW = [
    *("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
    *("contempt", "anxiety", "helplessness", "disappointment"),
]


def quiet(done: int, total: int) -> None:
    pass


def synthesize(name: str, out: Path, clips: int, seed: int = SEED, workers: int = 2) -> None:
    importlib.import_module(f"benchmark.datasets.synthetic.{name}").synthesize(out, clips, seed, quiet, workers)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tree of a dataset, made when it is first asked for."""
    folder = tmp_path_factory.mktemp("trees")

    def tree_of(name: str) -> Path:
        if not (folder / name).exists():
            synthesize(name, folder / name, CLIPS[name])
        return folder / name

    return tree_of


def rows(path: Path, delimiter: str = ",") -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=delimiter))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def numbered(folder: Path, digits: int = 5) -> int:
    """The number of frames in a folder whose images must be numbered from 1 without gaps, in `digits` or unpadded."""
    found = frame_names(folder)
    assert [int(Path(name).stem) for name in found] == list(range(1, len(found) + 1))
    assert len(Path(found[0]).stem) in (1, digits)
    return len(found)


def digests(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.parametrize("name", ["affectnet", pytest.param("affwild2", marks=pytest.mark.slow), "table"])
def test_workers_do_not_change_a_byte(name: str, tree: Callable[[str], Path], tmp_path: Path) -> None:
    synthesize(name, tmp_path / name, CLIPS[name], workers=1)
    assert digests(tmp_path / name) == digests(tree(name))


@pytest.mark.parametrize("name", CLIPS)
def test_the_marker_names_the_layout_and_what_was_asked_for(name: str, tree: Callable[[str], Path]) -> None:
    marker = json.loads((tree(name) / "SYNTHETIC.json").read_text())
    layout = name.replace("_", "-")
    assert marker == {"dataset": layout, "generator": 2, "seed": SEED, "clips": CLIPS[name]}


@pytest.mark.parametrize("name", [name for name in CLIPS if name != "affwild2"])
def test_too_few_clips_leave_nothing_behind(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"Ask for {CLIPS[name]} or more"):
        synthesize(name, tmp_path / name, CLIPS[name] - 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", CLIPS)
def test_what_is_already_there_and_negative_seeds_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(UsageError, match="not an empty folder"):
        synthesize(name, tmp_path / "taken", CLIPS[name])
    with pytest.raises(UsageError, match="seed"):
        synthesize(name, tmp_path / "new", CLIPS[name], seed=-1)
    assert names(tmp_path) == {"taken"}


def test_affwild2_of_no_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 or more"):
        synthesize("affwild2", tmp_path / "out", 0)


@pytest.mark.parametrize(
    ("name", "count"),
    [("mafw", 55 + 2), ("mafw_compound", 60), ("afew", 35), ("caer", 35), ("blemore", 30), ("table", 25)],
)
def test_every_video_decodes_to_its_last_frame(name: str, count: int, tree: Callable[[str], Path]) -> None:
    videos = [path for path in tree(name).rglob("*") if path.suffix in VIDEO_SUFFIXES]
    assert len(videos) == count
    for video in videos:
        reader = open_clip(video)
        assert reader.count >= 11
        assert reader.read([reader.count - 1])[0].std() > 5


@pytest.mark.parametrize("name", ["ferv39k", "ferv39k_plus"])
def test_ferv39k_lists_every_clip_once_by_its_folders(name: str, tree: Callable[[str], Path]) -> None:
    root = tree(name)
    lists = {part: rows(root / f"4_setups/All_scenes/{part}_All.csv", " ") for part in ("train", "test")}
    places = [place for part in lists.values() for place, _ in part]
    assert len(set(places)) == len(places)
    for place, label in (row for part in lists.values() for row in part):
        _, emotion, number = place.split("/")
        assert emotion == label
        assert len(number) == 4 and number.isdigit()
    for source in ("2_ClipsforFaceCrop", "3_ClipsforScenImages"):
        assert {str(p.relative_to(root / source)) for p in (root / source).glob("*/*/*")} == set(places)


def test_ferv39k_tests_on_a_fifth_of_every_class(tree: Callable[[str], Path]) -> None:
    lists = tree("ferv39k") / "4_setups/All_scenes"
    train, test = (Counter(label for _, label in rows(lists / f"{part}_All.csv", " ")) for part in ("train", "test"))
    assert set(train) == set(test) == SEVEN
    assert train.total() + test.total() == 35
    assert all(test[label] == round(0.2 * (train[label] + test[label])) for label in SEVEN)


def test_ferv39k_clips_are_short_and_some_have_fewer_than_sixteen_frames(tree: Callable[[str], Path]) -> None:
    lengths = []
    for faces in (tree("ferv39k") / "2_ClipsforFaceCrop").glob("*/*/*"):
        scenes = tree("ferv39k") / "3_ClipsforScenImages" / "/".join(faces.parts[-3:])
        lengths.append(numbered(faces))
        assert numbered(scenes) == lengths[-1]
    assert min(lengths) >= 8 and max(lengths) <= 47
    assert 0 < sum(length < 16 for length in lengths) < 0.2 * len(lengths)
    assert cv2.imread(str(faces / "00001.jpg")).shape == (224, 224, 3)
    assert cv2.imread(str(scenes / "00001.jpg")).shape == (240, 320, 3)


def test_ferv39k_plus_votes_cover_all_classes_and_sometimes_contradict_the_folder(
    tree: Callable[[str], Path],
) -> None:
    root = tree("ferv39k_plus")
    header, *table = rows(root / "soft_labels.csv")
    assert header == ["clip_id", "happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"]
    assert len(table) == 35
    labels = {}
    for place, *cells in table:
        votes = [int(cell) for cell in cells]
        assert sum(votes) == 10 and votes.count(max(votes)) == 1
        labels[place] = header[1 + votes.index(max(votes))].capitalize()
    lists = {part: dict(rows(root / f"4_setups/All_scenes/{part}_All.csv", " ")) for part in ("train", "test")}
    filed = lists["train"] | lists["test"]
    assert labels.keys() < filed.keys()
    assert 0 < sum(filed[place] != label for place, label in labels.items()) < 0.3 * len(labels)
    counts = Counter((part, labels[place]) for part in lists for place in lists[part] if place in labels)
    assert all(counts["train", label] >= 3 and counts["test", label] >= 1 for label in SEVEN)


@pytest.mark.parametrize(
    ("name", "kind"), [("mafw", "single"), ("mafw_compound", "single"), ("mafw_compound", "compound")]
)
def test_mafw_test_folds_divide_the_clips_with_every_class_in_each(
    name: str, kind: str, tree: Callable[[str], Path]
) -> None:
    folder = tree(name) / "Train & Test Set" / kind / "no_caption"
    assert names(folder) == {f"set_{fold}" for fold in range(1, 6)}
    labels: dict[str, str] = {}
    tested: list[str] = []
    for fold in range(1, 6):
        train, test = (dict(rows(folder / f"set_{fold}" / f"{part}.txt", " ")) for part in ("train", "test"))
        assert not train.keys() & test.keys()
        labels = labels or train | test
        assert train | test == labels
        assert set(test.values()) == set(labels.values())
        tested += test
    assert sorted(tested) == sorted(labels)
    if kind == "single":
        assert set(labels.values()) == set(MAFW)


def test_mafw_lists_as_many_clips_as_asked_for_where_the_labels_are_learnt(tree: Callable[[str], Path]) -> None:
    for name, kind in (("mafw", "single"), ("mafw_compound", "compound")):
        folder = tree(name) / "Train & Test Set" / kind / "no_caption" / "set_1"
        assert sum(len(rows(folder / f"{part}.txt", " ")) for part in ("train", "test")) == CLIPS[name]


@pytest.mark.parametrize("name", ["mafw", "mafw_compound"])
def test_mafw_compound_labels_join_official_names_and_hold_the_single_one(
    name: str, tree: Callable[[str], Path]
) -> None:
    folder = tree(name) / "Train & Test Set"
    single, compound = (
        dict(row for part in ("train", "test") for row in rows(folder / kind / "no_caption/set_1" / f"{part}.txt", " "))
        for kind in ("single", "compound")
    )
    assert single.keys() <= compound.keys()
    assert any("_" in label for label in compound.values())
    for clip, label in compound.items():
        assert set(label.split("_")) <= set(MAFW)
        assert single.get(clip, label.split("_")[0]) in label.split("_")


def test_mafw_has_43_compound_classes_made_of_its_eleven_emotions() -> None:
    assert len(NAMES) == 11
    assert len(set(COMPOUNDS)) == 32
    assert all(set(name.split("_")) <= set(NAMES) for name in COMPOUNDS)


def test_mafw_has_eleven_votes_a_clip_of_which_most_are_for_its_label(tree: Callable[[str], Path]) -> None:
    root = tree("mafw")
    header, *table = openpyxl.load_workbook(root / "Labels/annotation.xlsx").active.values
    assert list(header) == ["clip", "invalid", *MAFW]
    assert all(sum(votes) == 11 for _, _, *votes in table)
    assert {invalid for _, invalid, *_ in table} == {0, -1}
    votes = {clip: counts for clip, _, *counts in table}
    folder = root / "Train & Test Set/single/no_caption/set_1"
    for clip, label in (row for part in ("train", "test") for row in rows(folder / f"{part}.txt", " ")):
        assert votes[clip][MAFW.index(label)] == max(votes[clip])
        assert votes[clip].count(max(votes[clip])) == 1
    stems = {clip.removesuffix(".mp4") for clip in votes}
    assert names(root / "data/faces") == names(root / "data/frames") == stems
    assert names(root / "data/clips") == votes.keys()
    for stem in stems:
        assert numbered(root / "data/faces" / stem) == numbered(root / "data/frames" / stem)


def test_afew_holds_a_third_for_validation_and_faces_for_every_video(tree: Callable[[str], Path]) -> None:
    root = tree("afew")
    faces = {
        "Train_AFEW": "Train_AFEW/AlignedFaces_LBPTOP_Points/Faces",
        "Val_AFEW": "Val_AFEW/AlignedFaces_LBPTOP_Points_Val/Faces",
    }
    sizes = {}
    for part, folder in faces.items():
        videos = list((root / part).glob("*/*.avi"))
        assert {video.parent.name for video in videos} == SEVEN
        assert {video.stem for video in videos} == names(root / folder)
        sizes[part] = len(videos)
        for video in videos:
            assert numbered(root / folder / video.stem, digits=3) == open_clip(video).count
    assert sum(sizes.values()) == 35
    assert sizes["Val_AFEW"] == pytest.approx(35 / 3, abs=4)


def test_caer_numbers_its_videos_in_every_part_and_class(tree: Callable[[str], Path]) -> None:
    root = tree("caer")
    for part in ("train", "validation", "test"):
        assert names(root / part) == {"Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"}
        for folder in (root / part).iterdir():
            videos = sorted(path.name for path in folder.iterdir())
            assert videos == [f"{number:04d}.avi" for number in range(1, len(videos) + 1)] and videos


def affwild2_labels(root: Path) -> dict[str, dict[str, list[int]]]:
    """The labels of each video of each set."""
    found: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for path in (root / "8th_ABAW_Annotations/EXPR_Recognition_Challenge").glob("*/*.txt"):
        header, *lines = path.read_text().splitlines()
        assert header == "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
        found[path.parent.name][path.stem] = [int(line) for line in lines]
    return found


def test_affwild2_labels_every_class_in_both_sets_and_leaves_some_frames_out(tree: Callable[[str], Path]) -> None:
    labels = affwild2_labels(tree("affwild2"))
    assert {part: len(videos) for part, videos in labels.items()} == {"Train_Set": 7, "Validation_Set": 3}
    for videos in labels.values():
        assert {label for frames in videos.values() for label in frames} == set(range(-1, 8))
        assert all(120 <= len(frames) <= 260 for frames in videos.values())
    stems = labels["Train_Set"].keys()
    assert sum(stem.endswith("_left") and stem.replace("_left", "_right") in stems for stem in stems) == 1


def test_affwild2_crops_are_numbered_by_label_line_and_a_few_are_lost(tree: Callable[[str], Path]) -> None:
    root = tree("affwild2")
    assert len(names(root / "cropped_aligned_new_50_vids")) == 1
    lost = total = 0
    for videos in affwild2_labels(root).values():
        for stem, labels in videos.items():
            (folder,) = root.glob(f"cropped_aligned*/{stem}")
            numbers = {int(path.stem) for path in folder.glob("?????.jpg")}
            assert numbers <= set(range(1, len(labels) + 1))
            lost, total = lost + len(labels) - len(numbers), total + len(labels)
    assert 0 < lost < 0.05 * total
    assert cv2.imread(str(next(folder.iterdir()))).shape == (112, 112, 3)


def test_raf_db_names_images_by_part_and_numbers_labels_from_one(tree: Callable[[str], Path]) -> None:
    basic = tree("raf_db") / "basic"
    listed = dict(rows(basic / "EmoLabel/list_patition_label.txt", " "))
    assert len(listed) == 35
    for part in ("train", "test"):
        assert {label for name, label in listed.items() if name.startswith(f"{part}_")} == set("1234567")
    assert names(basic / "Image/original") == set(listed)
    aligned = {name.replace(".jpg", "_aligned.jpg") for name in listed}
    assert names(basic / "Image/aligned") == aligned
    assert {cv2.imread(str(basic / "Image/aligned" / name)).shape for name in aligned} == {(100, 100, 3)}


def test_affectnet_lists_have_nine_columns_and_only_training_has_a_header(tree: Callable[[str], Path]) -> None:
    root = tree("affectnet")
    header, *training = rows(root / "Manually_Annotated_file_lists/training.csv")
    validation = rows(root / "Manually_Annotated_file_lists/validation.csv")
    assert header[0] == "subDirectory_filePath" and header[6] == "expression" and len(header) == 9
    for part in (training, validation):
        assert all(len(row) == 9 for row in part)
        assert {int(row[6]) for row in part} == set(range(11))
    listed = [row[0] for row in training + validation]
    assert sum(int(row[6]) < 8 for row in training + validation) == 40
    images = root / "Manually_Annotated_Images"
    assert sorted(listed) == sorted(str(path.relative_to(images)) for path in images.glob("*/*.jpg"))
    assert all(cv2.imread(str(images / path)) is not None for path in listed)


def test_ferplus_has_ten_votes_a_row_and_no_image_for_what_is_no_face(tree: Callable[[str], Path]) -> None:
    root = tree("ferplus")
    header, *table = rows(root / "fer2013new.csv")
    emotions = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]
    assert header == ["Usage", "Image name", *emotions, "unknown", "NF"]
    folders = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
    labels = defaultdict(set)
    kept = 0
    for usage, name, *cells in table:
        votes = [int(cell) for cell in cells]
        assert sum(votes) == 10 and votes.count(max(votes)) == 1
        most = header[2 + int(np.argmax(votes))]
        assert (name == "") == (most == "NF")
        if name:
            image = cv2.imread(str(root / "data" / folders[usage] / name), cv2.IMREAD_UNCHANGED)
            assert image.shape == (48, 48)
        labels[usage].add(most)
        kept += most in emotions
    assert kept == 40
    assert all(labels[usage] == {*emotions, "unknown", "NF"} for usage in folders)


def test_the_table_has_votes_and_keeps_every_subject_within_one_fold(tree: Callable[[str], Path]) -> None:
    root = tree("table")
    emotions = ["happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"]
    header, *table = rows(root / "clips.csv")
    assert header == ["clip_id", "path", "label", *(f"votes_{name}" for name in emotions), "fold", "subject"]
    assert len({row[0] for row in table}) == len(table) == 35
    folds, classes, forms = defaultdict(set), defaultdict(set), Counter()
    for clip, path, label, *votes, fold, subject in table:
        assert clip in path and open_clip(root / path).count >= 11
        forms[Path(path).suffix] += 1
        counts = [int(vote) for vote in votes]
        assert sum(counts) == 10 and emotions[int(np.argmax(counts))] == label
        folds[subject].add(fold)
        classes[fold].add(label)
    assert set(forms) == {".mp4", ".mkv", ".avi", ".m4v", ""}
    assert all(len(found) == 1 for found in folds.values())
    assert classes == {str(fold): set(emotions) for fold in range(1, 6)}
