"""Read weight files, other people's too, without running anything that is in them; write our own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.files import check_regular, replacing
from benchmark.training.torchfile import MOST_DESCRIPTION, damaged, is_tar, is_zip, read_torch
from benchmark.units.history import Training, history_text, read_history, videos_of

# Where training scripts put the state dict inside what they save, in the order in which one is chosen: what was trained
# before its running mean, because that is what a script goes on from.
_EMA = ("model_ema", "ema", "state_dict_ema", "ema_state_dict", "params_ema", "ema_model")
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "params", *_EMA)
# What wraps a model puts its own name before all of its tensors': DataParallel, torch.compile, DeepSpeed, Lightning.
PREFIXES = ("module.", "_orig_mod.", "_forward_module.", "model.")
# Under which key of its `meta` a checkpoint of ours says what it is.
ORIGIN = "benchmark"

_KINDS = {
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"version https://git-lfs": "the pointer of a file in Git LFS: fetch the file itself with `git lfs pull`",
    b"<!DOCTYPE": "a web page, not what it links to: download the file itself",
    b"<html": "a web page, not what it links to: download the file itself",
}


@dataclass(frozen=True)
class Origin:
    """What a file of ours says of itself.

    method, network, preset: what it was made with. class_order: emotion names in the index order of its classifier,
    empty if that is not known. source_sha256: of the file that it was converted from; empty if it was trained here.
    crops: the recipe, as JSON, by which the faces that it was trained on were cropped here; empty if they were not.
    dataset: that it was trained on, which a preset may follow; empty if that is not known. history: every training
    behind it, the first one first; empty if that is not known.
    """

    method: str
    network: str
    preset: str
    class_order: tuple[str, ...] = ()
    source_sha256: str = ""
    dataset: str = ""
    history: tuple[Training, ...] = ()
    crops: str = ""

    def metadata(self) -> dict[str, str]:
        """As a safetensors file holds it."""
        order = json.dumps(self.class_order) if self.class_order else ""
        values = {
            "method": self.method,
            "network": self.network,
            "preset": self.preset,
            "class_order": order,
            "source_sha256": self.source_sha256,
            "dataset": self.dataset,
            "history": history_text(self.history) if self.history else "",
            "crops": self.crops,
        }
        return {key: value for key, value in values.items() if value}


@dataclass(frozen=True)
class WeightFile:
    """A weight file's named tensors, on the CPU, and what was around them.

    format: `safetensors`, `torch` (a zip archive), or `torch before 1.6`. wrapper: the keys under which the tensors
    lay, outermost first. prefix: what was removed from all their names. others: names of what else the file held.
    """

    path: Path
    format: str
    state: Mapping[str, Tensor]
    wrapper: tuple[str, ...] = ()
    prefix: str = ""
    others: tuple[str, ...] = ()
    origin: Origin | None = None

    @property
    def choice(self) -> str:
        """Which weights were taken where the file holds several, such as a running mean (EMA); else empty."""
        left = [name for name in self.others if name in _WRAPPERS]
        return f"taken from '{' > '.join(self.wrapper)}', not from '{left[0]}' beside it" if left else ""

    @property
    def history(self) -> tuple[Training, ...]:
        """Every training behind it, as far as it says; a single unknown one where it does not."""
        if self.origin and self.origin.history:
            return self.origin.history
        datasets = (videos_of(self.origin.dataset),) if self.origin and self.origin.dataset else ()
        return (Training(kind="unknown", datasets=datasets),)


def read_weight_file(path: Path) -> WeightFile:
    """Read a safetensors file or a file written by `torch.save`, whatever its name.

    Unwraps what training scripts wrap around the tensors (`state_dict`, `model`, ...) and removes the prefixes of what
    wraps models (`module.` of DataParallel, ...). Raises EnvironmentProblem when there is no such file, IntegrityError,
    with the reason and the keys that are there, when the file is damaged, holds no tensors, or some that are not
    numbers, is far larger inside than outside, or would have to run code.
    """
    path = Path(path)
    if not os.path.lexists(path):
        raise EnvironmentProblem(f"no weight file at {path}; check the path, or download the file first")
    check_regular(path)
    content: Any
    if is_safetensors(path):
        metadata, content = _read_safetensors(path)
        kind = "safetensors"
    else:
        _refuse_other_kinds(path)
        content = read_torch(path)
        kind = "torch" if is_zip(path) else "torch before 1.6"
        metadata = _origin_in(content)
    wrapper, found = _unwrapped(content)
    state = {key: value.detach() for key, value in found.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if not state:
        raise IntegrityError(f"{path} {_without_tensors(content)}")
    others: list[str] = []
    inside = content
    for key in (*wrapper, None):
        others += [str(other) for other in inside if other != key and (key is not None or other not in state)]
        inside = inside[key] if key is not None else inside
    _check_numbers(path, state)
    prefix = _prefix_of(state)
    return WeightFile(
        path=path,
        format=kind,
        state={key.removeprefix(prefix): tensor for key, tensor in state.items()},
        wrapper=wrapper,
        prefix=prefix,
        others=tuple(others),
        origin=_origin(metadata),
    )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint of a unit's or a pre-training's own, whole, tensors on the CPU; see `KeepCheckpoints`.

    Of what it says of itself only what is needed to go on is given: MMEngine would run a `config` that it finds there.
    Raises IntegrityError for any other file.
    """
    _refuse_other_kinds(path)
    content = read_torch(path)
    try:
        meta = content["meta"]
        history = [
            {"epoch": int(row["epoch"]), "loss": float(row["loss"]), "val": dict(row["val"]), "seconds": row["seconds"]}
            for row in meta["history"]
        ]
        wanted = ("epoch", "iter", "seed", "dataset_meta")
        kept = {**{key: meta[key] for key in wanted if key in meta}, "history": history}
        _check_numbers(path, content["state_dict"])
        parts = {key: content[key] for key in ("state_dict", "optimizer", "param_schedulers") if key in content}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(
            f"{path}: is not a checkpoint of this benchmark's ({type(error).__name__}: {error}); delete "
            f"{path.parent.parent} to start over"
        ) from error
    return {"meta": kept, **parts}


def write_weights(path: Path, state: Mapping[str, Tensor], origin: Origin) -> None:
    """Write tensors under the recognizer's names as `.safetensors` that say what they are, whole or not at all."""
    with replacing(path) as temporary:
        save_file({key: tensor.contiguous() for key, tensor in state.items()}, temporary, origin.metadata())


def is_safetensors(path: Path) -> bool:
    """Whether the file is one, by its content: a length, and a JSON object of that length or less than the file's."""
    with open(path, "rb") as file:
        head = file.read(9)
    return path.suffix == ".safetensors" or (len(head) == 9 and head[8:] == b"{" and head[7] == 0)


def _refuse_other_kinds(path: Path) -> None:
    """Say what a file is that neither library writes."""
    with open(path, "rb") as file:
        head = file.read(64)
    kind = next((what for begins, what in _KINDS.items() if head.startswith(begins)), None)
    if is_tar(path):
        kind = "a tar archive: unpack it, and give the file with the weights"
    elif head.lstrip().startswith(b"{"):
        kind = "JSON: if it is the index of weights in several files, join these into one first"
    elif not head:
        raise damaged(path, "it is empty")
    if kind:
        raise IntegrityError(f"{path} is not a weight file but {kind}")


def _unwrapped(content: Any) -> tuple[tuple[str, ...], Mapping[Any, Any]]:
    """The keys under which named tensors lie, outermost first, and the mapping there; an empty one if there is none."""
    ways: list[tuple[tuple[str, ...], Any]] = [((), content)]
    seen: set[int] = set()
    outer: list[tuple[tuple[str, ...], Mapping[Any, Any]]] = []
    while ways:
        way, inside = ways.pop()
        # A wrapper may contain itself.
        if not isinstance(inside, Mapping) or id(inside) in seen:
            continue
        seen.add(id(inside))
        deeper = [((*way, key), inside[key]) for key in _WRAPPERS if isinstance(inside.get(key), Mapping)]
        if any(isinstance(value, Tensor) for value in inside.values()):
            if not deeper:
                return way, inside
            outer.append((way, inside))
        ways += reversed(deeper)
    return outer[0] if outer else ((), {})


def _without_tensors(content: Any) -> str:
    """Why there is nothing to load."""
    if not isinstance(content, Mapping):
        return f"holds a {type(content).__name__}, not named tensors; save the state_dict() of the model"
    keys = list(content)
    names = ", ".join(str(key)[:80] for key in keys[:12]) + (", ..." if len(keys) > 12 else "")
    if any(isinstance(value, Mapping) and "param_groups" in value for value in (content, *content.values())):
        return f"holds no named tensors but the state of an optimiser; its keys: {names}"
    return (
        f"holds no named tensors; expected a state dict, or a dict with one under {', '.join(_WRAPPERS)}; "
        f"its keys: {names or 'none'}"
    )


def _prefix_of(names: Mapping[str, Any]) -> str:
    """What wrappers of models have put before all names, each once."""
    prefix = ""
    left = list(PREFIXES)
    while found := next((each for each in left if all(key.startswith(prefix + each) for key in names)), None):
        prefix += found
        left.remove(found)
    return prefix


def _check_numbers(path: Path, state: Mapping[str, Tensor]) -> None:
    """IntegrityError if a tensor holds what is not a number; minus infinity beside zero is a mask."""
    broken = [key for key, tensor in state.items() if not _sound(tensor)]
    if broken:
        names = ", ".join(name[:80] for name in broken[:4]) + (", ..." if len(broken) > 4 else "")
        raise IntegrityError(
            f"{path}: {len(broken)} of its {len(state)} tensors hold NaN or infinity ({names}); such a model has no "
            "answer: its training diverged, or the file is damaged"
        )


def _sound(tensor: Tensor) -> bool:
    if not tensor.numel() or not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    values = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
    # The smallest and largest value, NaN if there is any, without a copy of the tensor; 8-bit floats have no order.
    low, high = torch.aminmax(values if values.element_size() > 1 else values.half())
    if torch.isfinite(low) and torch.isfinite(high):
        return True
    return bool(low == -torch.inf and high == 0 and ((values == 0) | (values == low)).all())


def _read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MOST_DESCRIPTION:
        raise damaged(path, f"its header has {length} bytes; {MOST_DESCRIPTION} is the limit")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
        return metadata or {}, load_file(path)
    # An unknown kind of number is a KeyError.
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def _origin_in(content: Any) -> Any:
    """What a checkpoint of ours says of itself, if `content` is one."""
    meta = content.get("meta") if isinstance(content, Mapping) else None
    return meta.get(ORIGIN) if isinstance(meta, Mapping) else None


def _origin(metadata: Any) -> Origin | None:
    """The origin in a file's metadata; None for a file that is not ours, whatever else its metadata say."""
    if not isinstance(metadata, Mapping) or not {"method", "network", "preset"} <= metadata.keys():
        return None
    try:
        order = json.loads(metadata.get("class_order") or "[]")
    except (TypeError, ValueError):
        order = []
    named = isinstance(order, list) and all(isinstance(name, str) for name in order)
    return Origin(
        method=str(metadata["method"]),
        network=str(metadata["network"]),
        preset=str(metadata["preset"]),
        class_order=tuple(order) if named else (),
        source_sha256=str(metadata.get("source_sha256", "")),
        dataset=str(metadata.get("dataset", "")),
        history=read_history(str(metadata.get("history", ""))),
        crops=str(metadata.get("crops", "")),
    )
