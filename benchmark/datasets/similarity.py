"""When two clips show the same: the same bytes, or frames that look alike.

The perceptual hash is pHash's (Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010): the
64 lowest frequencies of a small grey image, without the constant row and column, each above their median or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmark.specs import ReportProgress
from benchmark.video.clip import FrameReader
from benchmark.video.folders import FrameFolder

# Frames hashed per clip, spread evenly over it.
FRAMES = 5
BITS = 64
SIDE = 32
# Grey levels: the hash of a frame that varies less says nothing, so the frame is left out.
LEAST_DEVIATION = 2.0
# Frames that must carry information, in a clip and in the comparison of two.
LEAST_FRAMES = 3
# Bump when a hash of the same frame changes.
KIND = "hashes-2"

BLOCK = 4096


def hash_clip(reader: FrameReader, path: Path) -> dict[str, Any]:
    """`sha256` of the clip's files in frame order, whatever they are called, and a perceptual hash (or None) of each
    of `FRAMES` frames, in hex."""
    digest = hashlib.sha256()
    for file in reader.files if isinstance(reader, FrameFolder) else [path]:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    indices = [(2 * number + 1) * reader.count // (2 * FRAMES) for number in range(FRAMES)]
    return {"sha256": digest.hexdigest(), "frames": [hash_frame(frame) for frame in reader.read(indices)]}


def hash_frame(frame: np.ndarray) -> str | None:
    """The perceptual hash of a frame (H, W, 3), uint8 RGB, as 16 hex digits; None for one that is nearly uniform."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    if grey.std() < LEAST_DEVIATION:
        return None
    # Averaging over area does what pHash's mean filter does.
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[1:9, 1:9]
    return np.packbits(low > np.median(low)).tobytes().hex()


def tells_enough(hashes: Sequence[str | None]) -> bool:
    """Whether enough of a clip's frames carry information to compare it with others."""
    return sum(value is not None for value in hashes) >= LEAST_FRAMES


def near_pairs(
    hashes: Sequence[Sequence[str | None]], threshold: float, most: int, report: ReportProgress
) -> Mapping[tuple[int, int], float]:
    """Pairs of clips whose hashes differ in `threshold` bits or fewer, with that distance; at most `most` + 1 of them.

    The distance is the Hamming distance of two frames' hashes, averaged over the frames that carry information in both
    clips. Clips (or pairs) with fewer than `LEAST_FRAMES` such frames are not compared.
    """
    bits, masks = _unpack(hashes)
    able = np.flatnonzero([tells_enough(frames) for frames in hashes])
    bits, masks = bits[able], masks[able]
    # With bits as +1 and -1, and 0 in frames left out, the product of two clips is 64 x frames - 2 x differing bits.
    # Five more columns subtract what it is at the threshold: pairs at or below it come out at 0 or above.
    signed = np.where(masks[:, :, None], 2.0 * bits - 1.0, 0.0).reshape(len(able), FRAMES * BITS).astype(np.float32)
    left = np.hstack([signed, masks * np.float32(2 * threshold - BITS)]).astype(np.float32)
    right = np.hstack([signed, masks]).astype(np.float32)
    found: dict[tuple[int, int], float] = {}
    for i, j in _at_or_above_zero(left, right, report):
        common = masks[i] & masks[j]
        if common.sum() >= LEAST_FRAMES:
            distance = (bits[i] != bits[j]).sum(axis=1)[common].mean()
            # The products are rounded when the threshold is not a whole number.
            if distance <= threshold:
                found[int(able[i]), int(able[j])] = float(distance)
                if len(found) > most:
                    break
    return found


def _unpack(hashes: Sequence[Sequence[str | None]]) -> tuple[np.ndarray, np.ndarray]:
    """Bits (clips, frames, 64) as booleans, and which frames have any (clips, frames)."""
    masks = np.array([[value is not None for value in frames] for frames in hashes], bool).reshape(-1, FRAMES)
    data = bytes.fromhex("".join(value or "0" * (BITS // 4) for frames in hashes for value in frames))
    bits = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(-1, FRAMES, BITS).astype(bool)
    return bits, masks


def _at_or_above_zero(left: np.ndarray, right: np.ndarray, report: ReportProgress) -> Iterator[tuple[int, int]]:
    """Row numbers i < j of which the product of `left[i]` and `right[j]` is not negative, but for rounding."""
    starts = range(0, len(left), BLOCK)
    total = len(starts) * (len(starts) + 1) // 2
    done = 0
    for row in starts:
        for column in range(row, len(left), BLOCK):
            products = left[row : row + BLOCK] @ right[column : column + BLOCK].T
            rows, columns = np.divmod(np.flatnonzero(products > -0.5), products.shape[1])
            for i, j in zip(rows + row, columns + column, strict=True):
                if i < j:
                    yield int(i), int(j)
            done += 1
            report(done, total)
