"""Attestations: what a maintainer has verified of a record, signed with an SSH key.

An attestation is a small JSON file with a detached signature beside it (`ssh-keygen -Y sign`). It counts when the key
is in the leaderboard's list of maintainers, a file in OpenSSH's `allowed_signers` format. Keys that maintainers of a
repository have anyway serve, everybody can verify them offline, and nothing new is installed. Nothing else raises a
record's level: whoever publishes a record says nothing of it that counts.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from pydantic import Field, ValidationError

from benchmark.errors import EnvironmentProblem, IntegrityError, UsageError
from benchmark.files import hash_value, write_json
from benchmark.records import Record
from benchmark.scoring.scores import FileModel
from benchmark.validation import problem_of

ATTESTATIONS = "attestations"
MAINTAINERS = "maintainers"
SIGNATURE = ".sig"
# What the signature is for: a key that also signs commits cannot be made to attest by them.
NAMESPACE = "dfer-benchmark-attestation"
LARGEST = 64 * 1024

Attested = Literal["labels-joined", "re-predicted", "re-trained"]
Level = Literal["consistent", "labels-joined", "re-predicted", "re-trained"]
LEVELS: tuple[Level, ...] = get_args(Level)


class Attestation(FileModel):
    """A maintainer's word for a record.

    record: SHA-256 of the record's canonical JSON. tolerance: by how much what was made again may differ and was
    accepted: a probability for `re-predicted`, a score in 0..1 for `re-trained`, nothing for `labels-joined`. how: what
    was done, in words. by: the principal in the list of maintainers.
    """

    version: Literal[1] = 1
    record: str = Field(pattern=r"^[0-9a-f]{64}$")
    level: Attested
    tolerance: float = Field(ge=0, le=1)
    how: str = Field(min_length=1, max_length=200)
    by: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$", max_length=100)
    date: date


def record_hash(record: Record) -> str:
    """The hash that an attestation names."""
    return hash_value(record.canonical())


def place_of_attestations(entry: PurePosixPath) -> PurePosixPath:
    """Where an entry's attestations lie, relative to the leaderboard's folder: outside the record's, which is fixed."""
    return PurePosixPath(ATTESTATIONS, *entry.parts[1:])


def read_level(folder: Path, entry: PurePosixPath, record: Record) -> Level:
    """The highest level that was attested of an entry.

    Raises IntegrityError for an attestation that does not hold (an exception rather than a lower level: somebody
    changed a file), EnvironmentProblem where there is one and no ssh-keygen to verify it.
    """
    place = folder / place_of_attestations(entry)
    levels: list[Level] = ["consistent"]
    for path in sorted(place.glob("*.json")):
        levels.append(_verified(folder, path, record).level)
    return max(levels, key=LEVELS.index)


def files_of_attestations(folder: Path, entry: PurePosixPath) -> list[Path]:
    """The files that may lie among an entry's attestations: each statement with its signature."""
    found = sorted((folder / place_of_attestations(entry)).glob("*.json"))
    return [file for path in found for file in (path, _signature_of(path))]


def attest(
    folder: Path, entry: PurePosixPath, record: Record, level: Attested, tolerance: float, how: str, by: str, key: Path
) -> Path:
    """Write and sign an attestation with the private key (or, for a key in an agent, the public one) in `key`.

    Raises UsageError when the key is not one of the leaderboard's maintainers'; nothing is left behind then.
    """
    try:
        statement = Attestation(
            record=record_hash(record), level=level, tolerance=tolerance, how=how, by=by, date=datetime.now(UTC).date()
        )
    except ValidationError as error:
        raise UsageError(problem_of(error, "attestation")) from error
    path = folder / place_of_attestations(entry) / f"{level}.json"
    with tempfile.TemporaryDirectory() as temporary:
        draft = Path(temporary, path.name)
        write_json(draft, statement.model_dump(mode="json"))
        done = _ssh_keygen("sign", "-q", "-f", str(key), "-n", NAMESPACE, str(draft), terminal=True)
        if done.returncode:
            raise UsageError(f"--key {key}: ssh-keygen could not sign with it: {_last_line(done.stderr)}")
        try:
            _verify_signature(folder / MAINTAINERS, draft, by)
        except IntegrityError as error:
            raise UsageError(f"--key {key}: is not a key of '{by}' in {folder / MAINTAINERS}") from error
        path.parent.mkdir(parents=True, exist_ok=True)
        # The signature first: a statement without one would stop every check.
        for source, target in ((_signature_of(draft), _signature_of(path)), (draft, path)):
            shutil.copyfile(source, target)
    return path


def _verified(folder: Path, path: Path, record: Record) -> Attestation:
    for file in (path, _signature_of(path)):
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST:
            raise IntegrityError(f"{file}: an attestation is a small file with its signature beside it")
    try:
        statement = Attestation.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise IntegrityError(problem_of(error, str(path))) from error
    if path.stem != statement.level:
        raise IntegrityError(f"{path}: attests {statement.level}, so it must be called {statement.level}.json")
    if statement.record != record_hash(record):
        raise IntegrityError(f"{path}: attests another record")
    _verify_signature(folder / MAINTAINERS, path, statement.by)
    return statement


def _verify_signature(maintainers: Path, path: Path, by: str) -> None:
    if not maintainers.is_file():
        raise IntegrityError(f"{path}: there is no list of maintainers, {maintainers}")
    options = ("-f", str(maintainers), "-I", by, "-n", NAMESPACE, "-s", str(_signature_of(path)))
    done = _ssh_keygen("verify", *options, content=path.read_bytes())
    if done.returncode:
        raise IntegrityError(f"{path}: is not signed by '{by}' of {maintainers.name}: {_last_line(done.stderr)}")


def _signature_of(path: Path) -> Path:
    return path.with_name(path.name + SIGNATURE)


def _ssh_keygen(
    action: str, *options: str, content: bytes = b"", terminal: bool = False
) -> subprocess.CompletedProcess[bytes]:
    """terminal: whether ssh-keygen may ask for a passphrase."""
    command: Sequence[str] = ("ssh-keygen", "-Y", action, *options)
    try:
        if terminal:
            return subprocess.run(command, capture_output=True, check=False)
        return subprocess.run(command, input=content, capture_output=True, timeout=60, check=False)
    except FileNotFoundError as error:
        raise EnvironmentProblem(
            "ssh-keygen is missing, and without it no attestation can be verified or made: "
            "install OpenSSH's client (Debian: openssh-client)"
        ) from error


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "no reason given"
