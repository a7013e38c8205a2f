"""Predictions files: per clip its id and class probabilities; the truth from which every score is computed."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.errors import IntegrityError
from benchmark.files import read_bounded, replacing

SUM_TOLERANCE = 1e-3
# A published file is untrusted: a few kilobytes of gzip can hold gigabytes. No DFER dataset comes near this.
MAX_BYTES, MAX_ROWS = 128 * 2**20, 1_000_000


@dataclass(frozen=True, eq=False)
class Predictions:
    """Class probabilities of N clips: `ids` (N), `probabilities` (N, K) float32 in a protocol's class order.

    clusters: what each clip (N) belongs to, such as a subject, where the protocol's clips are not independent.
    answers: the number of each clip's answer (N,), where a protocol scores something else than the most probable class;
        not part of the file.
    """

    ids: tuple[str, ...]
    probabilities: np.ndarray
    clusters: tuple[str, ...] | None = None
    answers: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.probabilities.ndim != 2 or len(self.ids) != len(self.probabilities):
            raise ValueError(f"{len(self.ids)} ids with probabilities of shape {self.probabilities.shape}")
        if self.clusters is not None and len(self.clusters) != len(self.ids):
            raise ValueError(f"{len(self.ids)} ids with {len(self.clusters)} clusters")

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of ids and probabilities, however their file is written."""
        content = hashlib.sha256("\n".join(self.ids).encode())
        content.update(np.ascontiguousarray(self.probabilities).tobytes())
        return content.hexdigest()

    @property
    def predicted(self) -> np.ndarray:
        """What is answered, (N,): `answers`, or the index of the most probable class, the lowest one of equals."""
        return self.probabilities.argmax(axis=1) if self.answers is None else self.answers

    @property
    def cluster_numbers(self) -> np.ndarray | None:
        """The number of each clip's cluster, (N,), clusters being counted in the order of their names."""
        return None if self.clusters is None else np.unique(self.clusters, return_inverse=True)[1]


def write_predictions(path: Path, predictions: Predictions, classes: Sequence[str]) -> None:
    """Write `clip_id,p_<class>...` (or `clip_id,cluster,p_<class>...`) as gzip CSV, whole or not at all.

    Rows are sorted by clip id, numbers are the shortest that give the same float32 again, and the gzip header holds
    neither a time nor a name: equal predictions give equal bytes. Raises IntegrityError for what could not be read
    back: a wrong shape, repeated ids, ids with commas, quotes or control characters, rows that are not probabilities.
    """
    probabilities = np.asarray(predictions.probabilities, dtype=np.float32) + np.float32(0)  # -0.0 becomes 0.0
    if probabilities.shape[1] != len(classes):
        raise IntegrityError(f"{path}: {probabilities.shape[1]} probabilities per clip for {len(classes)} classes")
    for what, names in (("clip id", predictions.ids), ("cluster", predictions.clusters or ())):
        for name in dict.fromkeys(names):
            if not name or not name.isprintable() or "," in name or '"' in name:
                raise IntegrityError(f"{path}: {what} {name!r} cannot be written to a predictions file")
    order = sorted(range(len(predictions.ids)), key=predictions.ids.__getitem__)
    ids = [predictions.ids[i] for i in order]
    probabilities = probabilities[order]
    _check(path, ids, probabilities)
    # numpy prints a float32 as the shortest decimal that reads back as the same float32.
    numbers = probabilities.astype("U")
    clusters = predictions.clusters
    leads = ids if clusters is None else [f"{clip_id},{clusters[i]}" for clip_id, i in zip(ids, order, strict=True)]
    lines = [",".join([lead, *row]) for lead, row in zip(leads, numbers.tolist(), strict=True)]
    text = "\n".join([_header(classes, clusters is not None), *lines, ""])
    with (
        replacing(path) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as file,
    ):
        file.write(text.encode())


def read_predictions(path: Path, classes: Sequence[str]) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises IntegrityError, naming the file, the line and the reason, when the file is missing, cut off or not gzip, when
    its header is not `clip_id`, perhaps `cluster`, and the classes in this order, when an id is repeated, or when a row
    is not a probability distribution (not a number, negative, or a sum further than 1e-3 from 1).
    """
    text = unpacked(path)
    if text.count("\n") > MAX_ROWS:
        raise IntegrityError(f"{path}: has {text.count(chr(10))} lines; {MAX_ROWS} are the limit")
    lines = text.split("\n")
    clustered = lines[0] == _header(classes, clustered=True)
    if not clustered and lines[0] != _header(classes):
        raise IntegrityError(f"{path}: line 1: header is '{lines[0][:200]}', expected '{_header(classes)}'")
    if lines.pop() != "":
        raise IntegrityError(f"{path}: line {len(lines) + 1}: the last line does not end; the file is cut off")
    rows = lines[1:]
    for number, row in enumerate(rows, start=2):
        if row.count(",") != len(classes) + clustered:
            expected = len(classes) + clustered + 1
            raise IntegrityError(f"{path}: line {number}: {row.count(',') + 1} fields, expected {expected}")
    parts = [row.split(",", 1 + clustered) for row in rows]
    ids = [part[0] for part in parts]
    probabilities = _numbers(path, [part[-1] for part in parts], len(classes))
    _check(path, ids, probabilities)
    return Predictions(tuple(ids), probabilities, tuple(part[1] for part in parts) if clustered else None)


def _header(classes: Sequence[str], clustered: bool = False) -> str:
    return ",".join(["clip_id", *(["cluster"] if clustered else []), *(f"p_{name}" for name in classes)])


def unpacked(path: Path) -> str:
    """The text in a gzip file from strangers; IntegrityError where there is none, or too much of it."""
    try:
        content = gzip.GzipFile(fileobj=io.BytesIO(read_bounded(path, MAX_BYTES))).read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise IntegrityError(f"{path}: holds more than {MAX_BYTES} bytes")
        return content.decode()
    except FileNotFoundError as error:
        raise IntegrityError(f"{path}: the predictions file is missing") from error
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise IntegrityError(f"{path}: not a whole gzip file of UTF-8 text: {error}") from error
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read: {error.strerror}") from error


def _numbers(path: Path, rows: list[str], width: int) -> np.ndarray:
    if not rows:
        return np.zeros((0, width), np.float32)
    try:
        return np.loadtxt(rows, delimiter=",", dtype=np.float32, comments=None, ndmin=2)
    except ValueError:
        pass  # Read again, slowly, to say which line it is.
    for number, row in enumerate(rows, start=2):
        for field in row.split(","):
            try:
                float(field)
            except ValueError:
                raise IntegrityError(f"{path}: line {number}: '{field[:50]}' is not a number") from None
    raise IntegrityError(f"{path}: holds something that is not a number")


def _check(path: Path, ids: list[str], probabilities: np.ndarray) -> None:
    """Refuse repeated ids and rows that are not distributions; rows are counted from line 2."""
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        for number, clip_id in enumerate(ids, start=2):
            if clip_id in seen:
                raise IntegrityError(f"{path}: line {number}: clip id '{clip_id}' is there twice")
            seen.add(clip_id)
    sums = probabilities.sum(axis=1, dtype=np.float64)
    # A comparison with NaN is false, so "not close" also catches rows with NaN.
    wrong = (probabilities < 0).any(axis=1) | ~(np.abs(sums - 1) <= SUM_TOLERANCE)
    if wrong.any():
        row = int(wrong.argmax())
        values = probabilities[row]
        if np.isnan(values).any():
            reason = "a probability is not a number"
        elif (values < 0).any():
            reason = f"a probability is negative ({values.min()})"
        else:
            reason = f"the probabilities sum to {sums[row]:.6g}, not 1"
        raise IntegrityError(f"{path}: line {row + 2}: clip '{ids[row]}': {reason}")
