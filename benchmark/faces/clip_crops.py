"""The crops of one clip: folders of numbered JPEGs, a contact sheet, and what is known of them, written last.

Below the output folder:

    crops/<clip>/00001.jpg     the crop of the clip's first frame; a frame without its face has no crop
    crops/<clip>/2/00001.jpg   that of the second person, where all are wanted
    sheets/<clip>.jpg          the contact sheet
    faces/<clip>.json          `ClipFaces`; a clip without it is not done
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.errors import IntegrityError
from benchmark.faces.cropping import crop, middle
from benchmark.faces.people import People, find_people
from benchmark.faces.recipe import CropRecipe
from benchmark.faces.sheet import draw_sheet, sheet_frames
from benchmark.files import read_json, replacing, write_text
from benchmark.video.clip import FrameReader
from benchmark.video.frames import open_clip

CROPS, SHEETS, FACES, HALF = "crops", "sheets", "faces", ".half-written"
# A crop of 224x224 then differs from the frame by less than from one re-encoding of the video.
QUALITY = 95


class Box(BaseModel):
    """Where a face is in a frame, in pixels; `found` is False where the box was filled in between others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frame: int
    x: float
    y: float
    width: float
    height: float
    found: bool


class PersonFaces(BaseModel):
    """One person of a clip.

    clip: the folder of the crops, below `crops`. found: in how many of the clip's frames the face was found. kept: how
    many crops there are. longest_gap: the most frames in a row between two crops, or before the first or after the
    last, that have none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    clip: str
    found: int
    kept: int
    longest_gap: int
    boxes: tuple[Box, ...]


class ClipFaces(BaseModel):
    """What was found in a clip.

    source: hash of the signature of the files that it was read from. recipe: its hash. frames: of the clip, the first
    being 0. people: those whose crops were made; where there is nobody, the crops in the folder `clip` show the middle
    of the frames. best: in how many frames the face was found that was found most often. passed_over: how many more
    people there are. bytes: of all crops together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    clip: str
    source: str
    recipe: str
    decoder: str
    frames: int
    best: int
    people: tuple[PersonFaces, ...]
    passed_over: int
    bytes: int

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of crops, below `crops`."""
        return tuple(person.clip for person in self.people) or (self.clip,)

    def share(self, folder: str) -> float:
        """The share of the clip's frames in which the face was found whose crops a folder holds."""
        found = next((person.found for person in self.people if person.clip == folder), self.best)
        return round(found / self.frames, 6)


def crop_clip(
    path: Path, clip: str, output: Path, recipe: CropRecipe, report: Callable[[int, int], None] = lambda *_: None
) -> ClipFaces:
    """The crops of the clip at `path`, made, or kept if they are whole and of this recipe and these files.

    clip: its name, which may hold slashes. report: is told how many frames were looked at, of how many.

    Raises UnreadableClip.
    """
    reader = open_clip(path)
    # Taken before reading: a file that changes meanwhile will not match the next time.
    source = hashlib.sha256(reader.signature(thorough=True).encode(errors="surrogateescape")).hexdigest()
    kept = read_faces(output, clip)
    if kept and (kept.source, kept.recipe) == (source, recipe.hash) and _whole(kept, output):
        return kept
    _remove(clip, output)
    people = find_people(reader, recipe, report)
    folders = _folders(clip, recipe, people)
    size = _write_crops(reader, people, folders, clip, output, recipe)
    faces = ClipFaces(
        clip=clip,
        source=source,
        recipe=recipe.hash,
        decoder=reader.decoder,
        frames=people.count,
        best=people.best,
        people=tuple(
            PersonFaces(
                clip=folder,
                found=person.seen,
                kept=len(person.frames),
                longest_gap=_longest_gap(person.frames, people.count),
                boxes=tuple(
                    Box(frame=int(frame), x=x, y=y, width=width, height=height, found=bool(found))
                    for frame, (x, y, width, height), found in zip(
                        person.frames, person.boxes.round(2).tolist(), person.found, strict=True
                    )
                ),
            )
            for folder, person in zip(folders, people.taken, strict=False)
        ),
        passed_over=people.passed_over,
        bytes=size,
    )
    write_text(_faces_file(output, clip), faces.model_dump_json() + "\n")
    return faces


def read_faces(output: Path, clip: str) -> ClipFaces | None:
    """What was written of a clip; None if it is not done."""
    path = _faces_file(output, clip)
    if not path.is_file():
        return None
    with suppress(ValidationError, IntegrityError):
        return ClipFaces.model_validate(read_json(path))
    return None


def every_clip(output: Path) -> Iterator[ClipFaces]:
    """What was written of each clip that is done, by name."""
    place = output / FACES
    for path in sorted(place.rglob("*.json")):
        found = read_faces(output, path.relative_to(place).as_posix().removesuffix(".json"))
        if found is not None:
            yield found


def sheet_file(output: Path, clip: str) -> Path:
    """Where a clip's contact sheet lies."""
    return output / SHEETS / f"{clip}.jpg"


def _faces_file(output: Path, clip: str) -> Path:
    return output / FACES / f"{clip}.json"


def _folders(clip: str, recipe: CropRecipe, people: People) -> tuple[str, ...]:
    """The folders of the people's crops: the clip's own, or one for each where all are wanted."""
    if recipe.people != "all" or not people.taken:
        return (clip,)
    return tuple(f"{clip}/{number}" for number in range(1, len(people.taken) + 1))


def _write_crops(
    reader: FrameReader, people: People, folders: tuple[str, ...], clip: str, output: Path, recipe: CropRecipe
) -> int:
    """Write the crops beside where they belong, the sheet, and put them there; how many bytes the crops are."""
    half = output / HALF / hashlib.sha256(clip.encode()).hexdigest()[:16]
    shutil.rmtree(half, ignore_errors=True)
    for folder in folders:
        (half / folder).mkdir(parents=True)
    places = [{int(frame): k for k, frame in enumerate(person.frames)} for person in people.taken]
    shown = sheet_frames(people.count)
    needed = set(shown).union(*places) if places else set(range(people.count))
    columns, size = [], 0
    for index in sorted(needed):
        (frame,) = reader.read([index])
        boxes: list[np.ndarray | None] = []
        crops: list[np.ndarray | None] = []
        for person, place in zip(people.taken, places, strict=True):
            k = place.get(index)
            boxes.append(None if k is None else person.boxes[k])
            crops.append(None if k is None else crop(frame, person.boxes[k], float(person.angles[k]), recipe))
        if not people.taken:
            boxes, crops = [None], [middle(frame, recipe.size)]
        for folder, picture in zip(folders, crops, strict=True):
            if picture is not None:
                size += _write_jpeg(half / folder / f"{index + 1:05d}.jpg", picture)
        if index in shown:
            # Without anybody no crop is shown: what is in the folder is none.
            columns.append((index, frame, boxes, crops if people.taken else [None]))
    sheet = sheet_file(output, clip)
    with replacing(sheet) as temporary:
        _write_jpeg(temporary, draw_sheet(columns))
    target = output / CROPS / clip
    target.parent.mkdir(parents=True, exist_ok=True)
    (half / clip).rename(target)
    shutil.rmtree(half)
    return size


def _write_jpeg(path: Path, picture: np.ndarray) -> int:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return path.write_bytes(data.tobytes())


def _longest_gap(frames: np.ndarray, count: int) -> int:
    return int(np.diff(np.concatenate([[-1], frames, [count]])).max()) - 1


def _whole(faces: ClipFaces, output: Path) -> bool:
    """Whether all that was written of a clip is still there."""
    with suppress(OSError):
        files = [path for folder in faces.folders for path in (output / CROPS / folder).iterdir()]
        counts = sum(person.kept for person in faces.people) or faces.frames
        sizes = sum(path.stat().st_size for path in files)
        return (len(files), sizes) == (counts, faces.bytes) and sheet_file(output, faces.clip).is_file()
    return False


def _remove(clip: str, output: Path) -> None:
    """Remove what is there of a clip: of an earlier file, or half of it after a kill."""
    _faces_file(output, clip).unlink(missing_ok=True)
    shutil.rmtree(output / CROPS / clip, ignore_errors=True)
