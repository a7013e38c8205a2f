"""Read what `torch.save` wrote, by anybody: nothing in it is executed, and nothing is made larger than the file.

A file is looked through before torch reads it: what it names, what its parts would need, how it is built up. Then
torch's own safe reader creates tensors and plain containers. Its list of what else may be called stays empty; what
training scripts save beside the weights is replaced by objects that do nothing.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmark.errors import IntegrityError
from benchmark.files import check_regular
from benchmark.training.description import IGNORED, MOST_DESCRIPTION, Description, Unsound, describe

# Tensors may share values (tied weights), but not for ever.
MOST_SHARING = 8
MOST_PARTS = 100_000
_MAGIC = 0x1950A86A20F9469CFC6C


def read_torch(path: Path) -> Any:
    """What a file of `torch.save` holds, tensors on the CPU; what is neither a tensor nor plain stands as `_Ignored`.

    Raises IntegrityError, with the reason, for anything else than tensors in plain containers.
    """
    check_regular(path)
    try:
        names = _look_through(path)
        with _nothing_else_allowed(names & IGNORED):
            return torch.load(path, map_location="cpu", weights_only=True)
    except IntegrityError:
        raise
    except Unsound as error:
        raise IntegrityError(f"{path} was not loaded: {error}") from None
    # A file cut short or overwritten can fail anywhere in torch's reader, in more ways than can be listed.
    except Exception as error:
        # torch's own message begins by advising to switch the safety off; what happened comes after that.
        _, _, reason = str(error).rpartition("WeightsUnpickler error:")
        raise damaged(path, (reason.strip().splitlines() or [type(error).__name__])[0]) from error


def is_zip(path: Path) -> bool:
    """Whether the file is a zip archive, as `torch.save` writes since 1.6."""
    with open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"


def damaged(path: Path, reason: str) -> IntegrityError:
    """What to say of a file that breaks off or contradicts itself."""
    return IntegrityError(f"{path} cannot be read as a weight file ({reason}); it may be damaged: get it again")


class _Ignored:
    """Takes the place of an object that came with the weights: accepts and forgets whatever made it up."""

    def __new__(cls, *_: Any, **__: Any) -> _Ignored:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


@contextmanager
def _nothing_else_allowed(ignored: set[str]) -> Iterator[None]:
    """Let these names stand for nothing while reading, and no other name for anything, whatever the process allows."""
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        torch.serialization.add_safe_globals([(_Ignored, name) for name in sorted(ignored)])
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def _look_through(path: Path) -> set[str]:
    """The names in the file, all of them harmless; else Unsound."""
    found = Description()
    size = path.stat().st_size
    if is_zip(path):
        parts, description = _parts(path, size)
        describe(found, io.BytesIO(description))
        for key, needed in found.storages.items():
            there = parts.get(f"data/{key}", 0)
            if there < needed:
                raise Unsound(f"its part data/{key} has {there} bytes where the tensors need {needed}")
    else:
        with open(path, "rb") as file:
            stream = io.BytesIO(file.read(MOST_DESCRIPTION))
        if describe(found, stream) != _MAGIC:
            raise Unsound("it is a pickle that torch.save did not write; save the weights with safetensors or torch")
        for _ in ("version", "machine", "content", "storages"):
            describe(found, stream)
        needed = sum(found.storages.values())
        if needed > size:
            raise damaged(path, f"its tensors need {needed} bytes, it has {size}")
    if found.size > MOST_SHARING * size + 2**20:
        raise Unsound(f"its {size} bytes would make tensors of {found.size}")
    return found.names


def _parts(path: Path, size: int) -> tuple[dict[str, int], bytes]:
    """The size of every part of a zip archive of torch's, and the part that describes the tensors."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if len(entries) > MOST_PARTS:
        raise Unsound(f"it has {len(entries)} parts; a file of weights has some thousands")
    parts = {entry.filename.partition("/")[2]: entry.file_size for entry in entries}
    if "constants.pkl" in parts:
        raise Unsound("it is a TorchScript archive, which is a program; save the state_dict() of the model instead")
    if "data.pkl" not in parts:
        inside = ", ".join(sorted(entry.filename for entry in entries)[:4])
        raise Unsound(f"it is a zip archive, but not one of torch's; in it: {inside or 'nothing'}")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise Unsound("its parts are compressed, which torch.save never does; unpack it and save it again")
    if sum(entry.file_size for entry in entries) > size:
        raise Unsound("its parts overlap: together they are larger than the file")
    if parts["data.pkl"] > MOST_DESCRIPTION:
        raise Unsound(f"the description of its tensors has {parts['data.pkl']} bytes; {MOST_DESCRIPTION} is the limit")
    reader = torch._C.PyTorchFileReader(str(path))
    if len(reader.get_all_records()) != len(parts):
        raise Unsound("it holds two tables of contents")
    return parts, reader.get_record("data.pkl")


def is_tar(path: Path) -> bool:
    """Whether the file is a tar archive; weights called `.pth.tar` are none."""
    with open(path, "rb") as file:
        return file.read(tarfile.BLOCKSIZE)[257:262] == b"ustar"
