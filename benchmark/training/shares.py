"""An optimisation step over the recipe's whole batch, of which as much is in memory at a time as fits.

The batch is drawn, and mixed where the recipe mixes, as a whole. Then it is cut into micro-batches of nearly equal
size, dealt in order to the processes that share it; each goes forward and backward by itself, and the gradients add up
to those of the whole batch. A loss is taken to be a mean over clips, each computed without the others. A model, or a
part of one, that is more than that says so by what it has:

* `summed_losses`, of the model: the names of its loss terms that are sums over the clips.
* `clip_weights(data_samples)`, of the model: how much each clip (n,) counts in the means, such as its labelled frames.
* `draw_for_batch(inputs)`, of the model: what is drawn at random for every clip of a batch, clips first; of `inputs`,
  which stand for the whole batch, only the shape counts. Each sample then has its own as `drawn`.
* `end_batch(gather)`, of any part: called when the batch is over; `gather` gives the rows of all processes, in order.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from benchmark.errors import UsageError
from benchmark.training.distributed import add_up, gather_rows, gather_samples
from benchmark.training.randomness import own_stream
from benchmark.training.seeds import derive_seed


@dataclass(frozen=True)
class Cut:
    """How a batch of `batch` clips is cut into `micro_batches`, and which of them are computed by process `rank`.

    Every one of the `processes` has equally many, so that what they compute together is in step.
    """

    batch: int
    micro_batches: int
    rank: int = 0
    processes: int = 1

    @classmethod
    def of(cls, batch: int, most: int | None, rank: int = 0, processes: int = 1) -> Cut:
        """The fewest micro-batches of at most `most` clips. Raises UsageError where a process would have no clip."""
        if batch < processes:
            raise UsageError(f"a batch of {batch} clips cannot be shared by {processes} processes: use fewer --gpus")
        each = math.ceil(batch / processes)
        # Some processes have one clip less than others, never a micro-batch less.
        rounds = min(math.ceil(each / (most or each)), batch // processes)
        return cls(batch, rounds * processes, rank, processes)

    @property
    def whole(self) -> bool:
        """Whether the batch is not cut at all."""
        return self.micro_batches == 1

    @property
    def own(self) -> list[tuple[int, slice]]:
        """This process's micro-batches: the number of each, and its clips in the batch."""
        borders = [number * self.batch // self.micro_batches for number in range(self.micro_batches + 1)]
        slices = [slice(*pair) for pair in itertools.pairwise(borders)]
        rounds = self.micro_batches // self.processes
        return list(enumerate(slices))[self.rank * rounds : (self.rank + 1) * rounds]

    @property
    def share(self) -> slice:
        """This process's clips in the batch."""
        own = self.own
        return slice(own[0][1].start, own[-1][1].stop)

    @property
    def most(self) -> int:
        """The most clips that this process computes at once."""
        return max(part.stop - part.start for _, part in self.own)

    @property
    def fewest(self) -> int:
        """The fewest clips that this process computes at once."""
        return min(part.stop - part.start for _, part in self.own)


class Step:
    """One optimisation step; see above.

    In each micro-batch, what the model draws while it computes (dropout, dropped paths) comes from a stream that
    follows from `seed`, the step and the micro-batch's number: from how the batch is cut, not from who computes it.
    """

    def __init__(self, cut: Cut, seed: str) -> None:
        self.cut = cut
        self.seed = seed

    def __call__(
        self, model: Any, data: Mapping[str, Any], optimiser: OptimWrapper, epoch: int, step: int
    ) -> dict[str, Tensor]:
        """Learn from a batch: `data` are this process's clips of it. Gives the losses, of those clips' part alone."""
        if self.cut.whole:
            losses = model.train_step(data, optim_wrapper=optimiser)
        else:
            losses = self._in_parts(model, data, optimiser, epoch, step)
        gather = gather_rows if self.cut.processes > 1 else lambda rows: rows
        for part in bare(model).modules():
            if hasattr(part, "end_batch"):
                part.end_batch(gather)
        return losses

    def _in_parts(
        self, model: Any, data: Mapping[str, Any], optimiser: OptimWrapper, epoch: int, step: int
    ) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        # What is there may not begin where its share of the batch does: a mixed batch is there as a whole.
        inputs, samples, first = self._prepared(bare(model), data, optimiser)
        weights = self._weights(bare(model), samples[self.cut.share.start - first : self.cut.share.stop - first])
        for number, clips in self.cut.own:
            own = slice(clips.start - first, clips.stop - first)
            weight = sum(weights[clips.start - self.cut.share.start : clips.stop - self.cut.share.start])
            seed = derive_seed(self.seed, "micro-batch", epoch, step, number)
            # Gradients are added up over the processes once, with the last micro-batch's.
            last = number == self.cut.own[-1][0]
            waiting = model.no_sync() if is_model_wrapper(model) and not last else contextlib.nullcontext()
            with own_stream(seed), waiting:
                with optimiser.optim_context(model):
                    losses = model(inputs[own], samples[own], mode="loss")
                total, terms = bare(model).parse_losses(_weighed(losses, bare(model), weight))
                # Data parallelism takes the mean over the processes, and this is a sum.
                optimiser.backward(total * self.cut.processes)
            for name, value in terms.items():
                found[name] = found[name] + value.detach() if name in found else value.detach()
        optimiser.step()
        optimiser.zero_grad()
        return found

    def _prepared(self, model: Any, data: Mapping[str, Any], optimiser: OptimWrapper) -> tuple[Tensor, list[Any], int]:
        """Inputs and samples as the model takes them, and the number in the batch of the first of them."""
        first = self.cut.share.start
        if self.cut.processes > 1 and getattr(model.data_preprocessor, "blending", None) is not None:
            # Any clip may be mixed with any other.
            samples = gather_samples(data["data_samples"])
            data = {"inputs": gather_rows(model.data_preprocessor.cast_data(data["inputs"])), "data_samples": samples}
            first = 0
        with optimiser.optim_context(model):
            data = model.data_preprocessor(dict(data), True)
        inputs, samples = data["inputs"], data["data_samples"]
        if hasattr(model, "draw_for_batch"):
            drawn = model.draw_for_batch(inputs[:1].expand(self.cut.batch, *inputs.shape[1:]))
            for sample, values in zip(samples, drawn[first : first + len(samples)], strict=True):
                sample.set_field(values, "drawn")
        return inputs, samples, first

    def _weights(self, model: Any, samples: list[Any]) -> list[Any]:
        """The share that each of this process's clips has in the means over the batch."""
        if not hasattr(model, "clip_weights"):
            return [1 / self.cut.batch] * len(samples)
        weights = model.clip_weights(samples)
        everyones = add_up(weights.sum()) if self.cut.processes > 1 else weights.sum()
        return list(weights / everyones.clamp(min=1))


def bare(model: nn.Module) -> Any:
    """The model without what wraps it for data parallelism."""
    return model.module if is_model_wrapper(model) else model


def _weighed(losses: Mapping[str, Any], model: nn.Module, weight: Any) -> dict[str, Any]:
    """The terms of a micro-batch as what they add to those of the whole batch."""
    sums = getattr(model, "summed_losses", ())
    return {name: value if name in sums else _times(value, weight) for name, value in losses.items()}


def _times(value: Any, weight: Any) -> Any:
    return [each * weight for each in value] if isinstance(value, list) else value * weight
