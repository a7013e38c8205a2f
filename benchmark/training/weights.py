"""Read weight files, other people's too, without running anything that is in them; write our own."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.serialization import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    get_unsafe_globals_in_checkpoint,
)

from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.files import replacing

# Where training scripts put the state dict inside what they save, outermost first.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
PARALLEL = "module."
# Under which key of its `meta` a checkpoint of ours says what it is.
ORIGIN = "benchmark"

# What training scripts are known to save beside the weights. None of it is needed, so none of it is ever created:
# each of these names stands for `_Ignored`, not for the class or function it names.
_IGNORED_GLOBALS = (
    "__main__.RecorderMeter",  # Former-DFER
    "argparse.Namespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    "numpy.ndarray",
    "numpy.dtype",
    *(
        f"numpy.dtypes.{name}DType"
        for name in ("Bool", "Int32", "Int64", "UInt8", "UInt32", "UInt64", "Float16", "Float32", "Float64")
    ),
)

# MMEngine's logs lie in our own checkpoints and ask for their methods by name: allowed beside them only, and as little
# called as the rest.
_LOGS, _FOR_LOGS = "mmengine.logging.history_buffer.HistoryBuffer", "builtins.getattr"


class _Ignored:
    """Takes the place of an object that came with the weights: accepts and forgets whatever made it up."""

    def __new__(cls, *_: Any, **__: Any) -> _Ignored:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


@dataclass(frozen=True)
class Origin:
    """What a file of ours says of itself.

    method, network, preset: what it was made with. class_order: emotion names in the index order of its classifier,
    empty if that is not known. source_sha256: of the file that it was converted from; empty if it was trained here.
    dataset: that it was trained on, which a preset may follow; empty if that is not known.
    """

    method: str
    network: str
    preset: str
    class_order: tuple[str, ...] = ()
    source_sha256: str = ""
    dataset: str = ""

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


def read_weight_file(path: Path) -> WeightFile:
    """Read a `.safetensors` file or a file written by `torch.save`, whatever its name.

    Unwraps what training scripts wrap around the tensors (`state_dict`, `model`, ...) and removes the prefix `module.`
    of DataParallel. Raises EnvironmentProblem when there is no such file, IntegrityError when the file is damaged,
    holds no tensors, or would have to run code that is not on a short list.
    """
    path = Path(path)
    if not path.is_file():
        raise EnvironmentProblem(f"no weight file at {path}; check the path, or download the file first")
    content: Any
    if path.suffix == ".safetensors":
        metadata, content = _read_safetensors(path)
        kind = "safetensors"
    else:
        content = _read_torch(path)
        kind = "torch" if _is_zip(path) else "torch before 1.6"
        metadata = _origin_in(content)
    wrapper: list[str] = []
    others: list[str] = []
    while isinstance(content, Mapping) and (key := _wrapper_of(content)) is not None:
        wrapper.append(key)
        others += [str(other) for other in content if other != key]
        content = content[key]
    found = content if isinstance(content, Mapping) else {}
    state = {key: value.detach() for key, value in found.items() if isinstance(key, str) and isinstance(value, Tensor)}
    others += [str(key) for key in found if key not in state]
    if not state:
        raise IntegrityError(
            f"{path} holds no named tensors; expected a state dict, or a dict with one under {', '.join(_WRAPPERS)}"
        )
    prefix = PARALLEL if all(key.startswith(PARALLEL) for key in state) else ""
    return WeightFile(
        path=path,
        format=kind,
        state={key.removeprefix(prefix): tensor for key, tensor in state.items()},
        wrapper=tuple(wrapper),
        prefix=prefix,
        others=tuple(others),
        origin=_origin(metadata),
    )


def write_weights(path: Path, state: Mapping[str, Tensor], origin: Origin) -> None:
    """Write tensors under the recognizer's names as `.safetensors` that say what they are, whole or not at all."""
    with replacing(path) as temporary:
        save_file({key: tensor.contiguous() for key, tensor in state.items()}, temporary, origin.metadata())


def _wrapper_of(content: Mapping[Any, Any]) -> str | None:
    return next((key for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)


def _read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
        return metadata or {}, load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


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
    )


def _read_torch(path: Path) -> Any:
    try:
        with _only_ignored_globals(path):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if name := _refused_global(str(error)):
            raise IntegrityError(
                f"{path} was not loaded: reading it would run '{name}', which could do anything. If you trust where "
                "the file comes from, load it on a machine that has nothing to lose and save only its state dict with "
                "safetensors.torch.save_file; a .safetensors file is read here as it is"
            ) from error
        raise _damaged(path, error) from error
    # A file cut short or overwritten can fail anywhere in torch's reader, in more ways than can be listed.
    except Exception as error:
        raise _damaged(path, error) from error


@contextmanager
def _only_ignored_globals(path: Path) -> Iterator[None]:
    """Allow exactly our names while reading, whatever this process allows for the checkpoints it writes itself."""
    before = get_safe_globals()
    clear_safe_globals()
    try:
        # The older format cannot be asked; our own checkpoints never have it.
        named = get_unsafe_globals_in_checkpoint(path) if _is_zip(path) else ()
        allowed = (*_IGNORED_GLOBALS, *((_LOGS, _FOR_LOGS) if _LOGS in named else ()))
        add_safe_globals([(_Ignored, name) for name in allowed])
        yield
    finally:
        clear_safe_globals()
        add_safe_globals(before)


def _is_zip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _refused_global(message: str) -> str | None:
    match = re.search(r"GLOBAL (\S+)|for unrecognized function (.+?)(?: which belongs|$)", message, re.MULTILINE)
    return match and (match[1] or match[2])


def _damaged(path: Path, error: Exception) -> IntegrityError:
    # torch's own message begins by advising to switch the safety off; what happened comes after that.
    _, _, reason = str(error).rpartition("WeightsUnpickler error:")
    reason = (reason.strip().splitlines() or [type(error).__name__])[0]
    return IntegrityError(f"{path} cannot be read as a weight file ({reason}); it may be damaged: get it again")
