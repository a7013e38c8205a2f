"""How a unit or a pre-training computes: the run-time choices that change the last digits of its result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from benchmark.errors import IntegrityError
from benchmark.scoring.scores import FileModel
from benchmark.units.precision import Precision

# In which a resumed unit need not agree: they give the same batches, and the same sums up to their order.
FREE = frozenset({"processes"})


class Computing(FileModel):
    """What computes the steps, and how; work that is resumed must agree with it, and records say it.

    precision: of multiplications: `fp32`; `tf32`, float32 rounded to TensorFloat-32 in matrix products; `bf16` and
    `fp16`, autocast to that type, with weights, losses and probabilities in float32. deterministic: only algorithms
    that add in the same order each time. compile: the model is compiled. micro_batch: clips that go through the model
    together; None for the whole batch. processes: accelerators that share a batch. threads: of the processor.
    """

    precision: Precision = "fp32"
    deterministic: bool = False
    compile: bool = False
    micro_batch: int | None = Field(default=None, ge=1)
    processes: int = Field(default=1, ge=1)
    threads: int = Field(default=1, ge=1)

    def __str__(self) -> str:
        """In words: the precision, and what is not as by default."""
        plain = Computing(precision=self.precision)
        chosen = [_option(name, value) for name, value in self if value != getattr(plain, name)]
        return " ".join([self.precision, *chosen])


def computing_before(values: Any) -> Any:
    """What a state file says, where an older version wrote the number of threads alone, as it is written today."""
    if not isinstance(values, Mapping) or "threads" not in values:
        return values
    others = {key: value for key, value in values.items() if key != "threads"}
    return {**others, "computing": {"threads": values["threads"]}}


def check_computing(folder: Path, begun_with: Computing, now: Computing) -> None:
    """Refuse to continue work with other choices: its last digits would be such as nobody could repeat."""
    differing = {name: value for name, value in begun_with if value != getattr(now, name) and name not in FREE}
    if differing:
        options = " ".join(_option(name, value) for name, value in differing.items())
        raise IntegrityError(
            f"{folder}: was begun with {options}, and anything else gives other last digits: continue with {options}, "
            f"or delete {folder} to start again"
        )


def _option(name: str, value: Any) -> str:
    """As on the command line."""
    option = "--gpus" if name == "processes" else "--" + name.replace("_", "-")
    if value is None or value is False:
        return f"no {option}"
    return option if value is True else f"{option} {value}"
