"""Further results: what a finished run's models were asked afterwards, beside a record that they never change.

On spoiled clips (`robustness.json`), on clips without a label (`unlabelled.json`), how long a prediction takes
(`latency-<device>.json`), and what the models' confidence is worth (`confidence.json`), which takes the labels. Scores
are kept to four decimals, and no confusions: forty of them over the same clips would give the labels of gated datasets
away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import Field, ValidationError, model_validator

from benchmark.errors import IntegrityError
from benchmark.files import read_bounded
from benchmark.records.model import FileReference, Name, Record, Sha256, SplitUse
from benchmark.scoring.scores import FileModel
from benchmark.units.computing import Computing
from benchmark.validation import problem_of
from benchmark.video.corruptions import CORRUPTIONS

ROBUSTNESS, UNLABELLED, LATENCY = "robustness.json", "unlabelled.json", "latency-*.json"
CONFIDENCE = "confidence.json"
DECIMALS = 4
MOST_BYTES = 2**22

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Result = TypeVar("Result", bound=FileModel)


class AskedUnit(FileModel):
    """A unit whose model was asked; predictions: its further ones, the file being relative to the run's folder."""

    seed: int
    fold: int
    checkpoint_sha256: Sha256
    predictions: FileReference


class Spoiled(FileModel):
    """One metric, each score being the mean over units: on clean clips, and by corruption at each severity."""

    clean: Share
    by_corruption: dict[Name, tuple[Share, ...]]

    @property
    def corrupted(self) -> float:
        """The mean corrupted score: over severities, then over corruptions."""
        return float(np.mean([np.mean(scores) for scores in self.by_corruption.values()]))

    @property
    def relative(self) -> float | None:
        """The mean corrupted score as a share of the clean one; None where that is 0."""
        return self.corrupted / self.clean if self.clean else None


class Robustness(FileModel):
    """Scores on spoiled clips (DFER-C), by each metric of the protocol.

    Predictions are files of predicted classes, whose columns are `ways`.
    """

    schema_version: Literal[1] = 1
    severities: Annotated[tuple[int, ...], Field(min_length=1)]
    units: list[AskedUnit]
    metrics: dict[Name, Spoiled]

    @model_validator(mode="after")
    def _complete(self) -> Robustness:
        for name, spoiled in self.metrics.items():
            if sorted(spoiled.by_corruption) != sorted(CORRUPTIONS):
                raise ValueError(f"metrics.{name}: must have the corruptions {', '.join(CORRUPTIONS)}")
            if any(len(scores) != len(self.severities) for scores in spoiled.by_corruption.values()):
                raise ValueError(f"metrics.{name}: must have a score for each severity")
        return self

    @property
    def ways(self) -> tuple[str, ...]:
        """Every corruption with every severity, such as `jpeg-3`."""
        return tuple(f"{name}-{severity}" for name in CORRUPTIONS for severity in self.severities)


class MeanScore(FileModel):
    """A metric: the mean over units, and its 95 % interval for the choice of clips; None of one clip."""

    mean: float
    low: float | None
    high: float | None


class Agreement(FileModel):
    """Predictions of clips whose most voted class has this share of the votes, and how many of them are that class."""

    agreement: Share
    predictions: int = Field(ge=1)
    right: Share


class Unlabelled(FileModel):
    """Scores on clips that have votes and no label; predictions are files of probabilities.

    clips: the same for all units. without_frames: how many more have votes and no frames. agreement: over these clips
    and the units' test clips, the least agreement first; see `right_by_plurality`.
    """

    schema_version: Literal[1] = 1
    clips: SplitUse
    without_frames: int = Field(ge=0)
    units: list[AskedUnit]
    metrics: dict[Name, MeanScore]
    agreement: list[Agreement]


class Confidence(FileModel):
    """What a model's confidence in its test predictions is worth: would it keep silent where it is wrong?

    metrics: `augrc` and `risk_at_80`. curve: the share of wrong predictions among the surest 5, 10, 15 ... 100 % of the
    clips, the mean over units.
    """

    schema_version: Literal[1] = 1
    metrics: dict[Name, MeanScore]
    curve: tuple[Share, ...]


class Latency(FileModel):
    """How long predictions take on one device, from decoded frames in memory to probabilities.

    identity: of the unit whose model it is. device: the accelerator, or the processor. torch: its version. warm_up,
    repeats: predictions of one clip before the clock, and on it. milliseconds: of one clip, the median, with the
    quartiles. batch: clips of a batch; clips_per_second: of the median batch.
    """

    schema_version: Literal[1] = 1
    identity: Name
    device: Name
    hardware: dict[str, str]
    computing: Computing
    torch: Name
    warm_up: int = Field(ge=1)
    repeats: int = Field(ge=3)
    milliseconds: Positive
    low: Positive
    high: Positive
    batch: int = Field(ge=1)
    clips_per_second: Positive

    @model_validator(mode="after")
    def _ordered(self) -> Latency:
        if not self.low <= self.milliseconds <= self.high:
            raise ValueError("low, milliseconds and high must be in this order")
        return self

    @property
    def file(self) -> str:
        """Its file's name: one for each device and way of computing."""
        words = f"{self.device} {self.computing}".lower()
        return LATENCY.replace("*", re.sub(r"[^a-z0-9]+", "-", words).strip("-")[:80])

    @property
    def where(self) -> str:
        """The device and the way of computing, in words: only within one of these are times compared."""
        return f"{self.device}, {self.computing}"


class FurtherResults(FileModel):
    """All that there is beside one record."""

    robustness: Robustness | None = None
    unlabelled: Unlabelled | None = None
    latencies: tuple[Latency, ...] = ()
    confidence: Confidence | None = None

    @property
    def files(self) -> dict[str, list[FileReference]]:
        """The names of the results' files, each with the predictions that it refers to."""
        found: dict[str, list[FileReference]] = {one.file: [] for one in self.latencies}
        if self.confidence is not None:
            found[CONFIDENCE] = []
        for name, result in ((ROBUSTNESS, self.robustness), (UNLABELLED, self.unlabelled)):
            if result is not None:
                found[name] = [unit.predictions for unit in result.units]
        return found


def read_further(folder: Path) -> FurtherResults:
    """The further results in a folder; IntegrityError names the file, the key and what is wrong with it."""
    robustness, unlabelled, confidence = folder / ROBUSTNESS, folder / UNLABELLED, folder / CONFIDENCE
    latencies = []
    for path in sorted(folder.glob(LATENCY)):
        latency = _read(path, Latency)
        if path.name != latency.file:
            raise IntegrityError(f"{path}: must be called {latency.file}")
        latencies.append(latency)
    return FurtherResults(
        robustness=_read(robustness, Robustness) if robustness.exists() else None,
        unlabelled=_read(unlabelled, Unlabelled) if unlabelled.exists() else None,
        latencies=tuple(latencies),
        confidence=_read(confidence, Confidence) if confidence.exists() else None,
    )


def lacking_units(units: Sequence[AskedUnit], record: Record) -> str:
    """Why a result is not of exactly the record's models; empty if it is."""
    asked = {(unit.seed, unit.fold): unit.checkpoint_sha256 for unit in units}
    known = {(unit.seed, unit.fold): unit.checkpoint_sha256 for unit in record.units}
    if any(known.get(place) != sha256 for place, sha256 in asked.items()) or len(asked) != len(units):
        return "was made by other checkpoints than the record's"
    if len(asked) < len(known):
        return f"is of {len(asked)} of {len(known)} units"
    return ""


def _read(path: Path, kind: type[Result]) -> Result:
    try:
        return kind.model_validate_json(read_bounded(path, MOST_BYTES, links=False))
    except ValidationError as error:
        raise IntegrityError(problem_of(error, str(path))) from error
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read: {error}") from error
