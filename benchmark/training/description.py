"""What a file of `torch.save` says of its tensors, followed without creating any of it and without calling anything."""

from __future__ import annotations

import io
import math
import pickletools
from dataclasses import dataclass, field
from typing import Any

import torch
from torch._utils import IMPORT_MAPPING, NAME_MAPPING

# The description of all tensors, without their values: a few hundred bytes and 35 operations for each.
MOST_DESCRIPTION, MOST_OPERATIONS = 16 * 2**20, 500_000
_ITEM_SIZES = {
    "torch.storage.UntypedStorage": 1,
    **{
        f"torch.{kind}Storage": size
        for kind, size in {
            **dict.fromkeys(("Bool", "Byte", "Char"), 1),
            **dict.fromkeys(("BFloat16", "Half", "Short"), 2),
            **dict.fromkeys(("Float", "Int"), 4),
            **dict.fromkeys(("ComplexFloat", "Double", "Long"), 8),
            "ComplexDouble": 16,
        }.items()
    },
}
_TENSORS = {f"torch._utils._rebuild_tensor{version}" for version in ("", "_v2", "_v3")}
_PLAIN = {
    "builtins.set",
    "collections.Counter",
    "collections.OrderedDict",
    "torch.Size",
    "torch.device",
    "torch.nn.parameter.Parameter",
    "torch._utils._rebuild_parameter",
    "_codecs.encode",
    *(f"torch.{name}" for name, value in vars(torch).items() if isinstance(value, torch.dtype)),
}
# What training scripts are known to save beside the weights. None of it is needed, so none of it is ever created:
# each of these names stands for `_Ignored`, not for the class or function it names.
IGNORED = frozenset(
    {
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
    }
)
_LOGS = "mmengine.logging.history_buffer.HistoryBuffer"
_UNUSUAL = {
    "_rebuild_sparse_tensor": "sparse tensors",
    "_rebuild_qtensor": "quantised tensors",
    "_rebuild_meta_tensor_no_storage": "tensors without values",
    "_rebuild_nested_tensor": "nested tensors",
    "_rebuild_wrapper_subclass": "tensors of a class of their own",
    "_rebuild_from_type_v2": "tensors of a class of their own",
    "_rebuild_parameter_with_state": "parameters with attributes of their own",
    "DTensor": "one machine's share of distributed tensors",
}


class Unsound(Exception):
    """Why a file is not read any further."""


@dataclass(frozen=True, slots=True)
class _Named:
    name: str


@dataclass(frozen=True, slots=True)
class _Made:
    """What a function of that name would have made."""

    name: str


@dataclass(frozen=True, slots=True)
class _Stored:
    key: Any
    count: int
    item_size: int


class _Pairs(list):
    """Stands for a dict: nothing of the file's is hashed here."""


@dataclass
class Description:
    """What a file says of its tensors. names: everything it names. size: bytes of all tensors, shared ones repeated."""

    names: set[str] = field(default_factory=set)
    storages: dict[Any, int] = field(default_factory=dict)
    size: int = 0
    operations: int = 0


def describe(found: Description, stream: io.BytesIO) -> Any:
    """Follow one pickle, creating nothing; what it would make is added to `found`, and its plain result returned."""
    try:
        result = _follow(found, stream)
    except Unsound:
        _check_names(found.names)
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        _check_names(found.names)
        if stream.tell() >= MOST_DESCRIPTION:
            raise Unsound(f"the description of its tensors is longer than {MOST_DESCRIPTION} bytes") from error
        raise
    _check_names(found.names)
    return result


def _check_names(names: set[str]) -> None:
    """Unsound, with the true reason, if a name stands for more than a tensor or a plain container."""
    strange = sorted(names - _PLAIN - _TENSORS - _ITEM_SIZES.keys() - IGNORED)
    if not strange:
        return
    if _LOGS in names:
        raise Unsound(
            f"it holds MMEngine's logs, and reading these would run {' and '.join(strange)}, which could do anything. "
            "Earlier versions of this benchmark saved them: delete the folder of the run that left it, to start over. "
            "Of any other file save only the state_dict, with safetensors.torch.save_file"
        )
    for ending, what in _UNUSUAL.items():
        if any(name.endswith(ending) for name in strange):
            raise Unsound(f"it holds {what}; save ordinary tensors")
    if any(name.startswith("torch.nn.modules.") for name in strange):
        own = next((name for name in strange if not name.startswith("torch.")), strange[0])
        raise Unsound(
            f"it is a whole pickled model, and reading it would run '{own}', which could do anything; where the "
            "model's code is, load it and save only its state_dict()"
        )
    raise Unsound(
        f"reading it would run '{strange[0]}', which could do anything. If you trust where "
        "the file comes from, load it on a machine that has nothing to lose and save only its state dict with "
        "safetensors.torch.save_file; a .safetensors file is read here as it is"
    )


def _follow(found: Description, stream: io.BytesIO) -> Any:
    """The operations that torch's safe reader knows, on stand-ins; any other is refused, as there."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[Any, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    for operation, argument, _ in pickletools.genops(stream):
        found.operations += 1
        if found.operations > MOST_OPERATIONS:
            raise Unsound(f"it holds more than {MOST_OPERATIONS:,} entries; a file of weights has some thousands")
        match operation.name:
            case "PROTO" if argument in (2, 3):
                pass
            case "PROTO":
                raise Unsound(
                    f"it is a pickle of protocol {argument}, which is no file of torch's: save it with torch.save"
                )
            case "STOP":
                return stack.pop()
            case "MARK":
                marks.append(len(stack))
            case "GLOBAL":
                stack.append(_Named(_today(str(argument))))
                found.names.add(stack[-1].name)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[operation.name])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE" | "SHORT_BINSTRING":
                stack.append(argument)
            case "EMPTY_TUPLE":
                stack.append(())
            case "EMPTY_LIST" | "EMPTY_SET":
                stack.append([])
            case "EMPTY_DICT":
                stack.append(_Pairs())
            case "TUPLE" | "TUPLE1" | "TUPLE2" | "TUPLE3":
                length = int(operation.name[5:] or 0)
                items = stack[-length:] if length else since_mark()
                if length:
                    del stack[-length:]
                stack.append(tuple(items))
            case "APPEND":
                item = stack.pop()
                stack[-1].append(item)
            case "APPENDS":
                items = since_mark()
                stack[-1].extend(items)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _keep(stack[-1], [key, value])
            case "SETITEMS":
                items = since_mark()
                _keep(stack[-1], items)
            case "BUILD":
                stack.pop()
            case "REDUCE" | "NEWOBJ":
                arguments = stack.pop()
                stack[-1] = _made(found, stack[-1], arguments)
            case "BINPERSID":
                stack.append(_stored(found, stack.pop()))
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case other:
                raise ValueError(f"torch.save does not write the operation {other}")
    raise ValueError("it breaks off")


def _today(name: str) -> str:
    """A name as this Python and torch's reader call it."""
    module, _, attribute = name.partition(" ")
    if (module, attribute) in NAME_MAPPING:
        module, attribute = NAME_MAPPING[module, attribute]
    return f"{IMPORT_MAPPING.get(module, module)}.{attribute}"


def _keep(pairs: Any, items: list[Any]) -> None:
    if not isinstance(pairs, _Pairs):
        raise TypeError("only a dict has keys")
    _check_keys(items[::2])
    pairs.extend(items)


def _check_keys(keys: list[Any]) -> None:
    """Keys that a file chooses freely can be made to collide, or be nested too deep to be hashed at all."""
    for key in keys:
        if not (key is None or isinstance(key, str | float) or (isinstance(key, int) and key.bit_length() <= 64)):
            raise Unsound("a name in it is neither text nor a number")


def _made(found: Description, function: Any, arguments: Any) -> Any:
    """What `function(*arguments)` would give; a dict where that is one."""
    if not isinstance(function, _Named):
        raise TypeError("it calls what is not a function")
    name = function.name
    if name in _TENSORS:
        storage, shape = arguments[0], arguments[2]
        if not (isinstance(storage, _Stored) and isinstance(shape, tuple) and len(shape) <= 64):
            raise TypeError("a tensor has no values or no shape")
        values = math.prod(shape)
        if not 0 <= values <= storage.count:
            raise Unsound(f"a tensor of shape {list(shape)[:8]} would be made of {storage.count} values")
        found.size += values * storage.item_size
    elif name == "collections.OrderedDict":
        # Under Python 2, and by nobody since, one was saved as a list of its pairs.
        pairs = arguments[0] if arguments else []
        _check_keys([pair[0] for pair in pairs])
        return _Pairs(item for pair in pairs for item in pair)
    elif name == "collections.Counter":
        return arguments[0] if isinstance(arguments[0], _Pairs) else _Pairs()
    elif name == "builtins.set":
        _check_keys(list(arguments[0]))
    elif name == "_codecs.encode" and arguments[1:] not in (("latin1",), ()):
        raise Unsound(f"it encodes text as {arguments[1]!r}")
    return _Made(name)


def _stored(found: Description, reference: Any) -> _Stored:
    """The part of the file that a tensor's values are in."""
    kind, storage, key, _, count, *_ = reference
    if kind != "storage" or not isinstance(storage, _Named) or not isinstance(key, str) or count < 0:
        raise TypeError("a tensor's values are not where torch.save puts them")
    if storage.name not in _ITEM_SIZES:
        raise Unsound(f"it holds tensors of {storage.name}, which no weights are")
    size = _ITEM_SIZES[storage.name]
    found.storages[key] = max(found.storages.get(key, 0), count * size)
    return _Stored(key, count, size)
