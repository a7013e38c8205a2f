"""A method's model, tried on a handful of made-up clips: what it is given, what it gives, and whether it learns.

Nothing outside is disturbed: the random streams of the process go on afterwards as if nothing had happened.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.optim.scheduler import _ParamScheduler
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from torch import Tensor

from benchmark.specs import Preset, Recipe
from benchmark.training.adapter import quiet_logger
from benchmark.training.model import build_recipe
from benchmark.training.randomness import clip_stream
from benchmark.training.shares import Cut, Step

Batch = dict[str, Any]


class Trial:
    """The model of a recipe, its weights initialised from `seed`."""

    def __init__(self, recipe: Recipe, preset: Preset, num_classes: int, seed: int = 0) -> None:
        quiet_logger()
        self.recipe, self.preset, self.num_classes = recipe, preset, num_classes
        with clip_stream(seed):
            self.model: BaseModel = build_recipe(recipe, preset)
            self.model.init_weights()

    def clips(self, count: int, soft: float = 0.0, labelled: bool = True, coarse: bool = False) -> Batch:
        """Noisy clips, each class of a colour of its own, of the classes 0, 1, 2 ... in turn.

        soft: how much of each target is spread over all classes. coarse: with few levels of grey, which are easier to
        reconstruct.
        """
        with clip_stream(1):
            colours = torch.randint(0, 196, (self.num_classes, 3))
            noise = [torch.randint(0, 61, self.shape) for _ in range(count)]
        inputs, samples = [], []
        for clip in range(count):
            label = clip % self.num_classes
            pixels = (noise[clip] + colours[label].view(3, *[1] * (len(self.shape) - self.shape.index(3) - 1))).byte()
            inputs.append(pixels // 32 * 32 if coarse else pixels)
            sample = ActionDataSample(metainfo={"clip_id": str(clip)}).set_gt_label(label)
            if labelled:
                target = torch.eye(self.num_classes)[label] * (1 - soft) + soft / self.num_classes
                sample.set_field(target, "target")
            samples.append(sample)
        return {"inputs": inputs, "data_samples": samples}

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one clip, as it is packed for the model."""
        frames, size = self.preset.sampling.frames, self.preset.size
        return (frames, 3, size, size) if self.recipe.format_shape == "NCHW" else (1, 3, frames, size, size)

    def scores(self, batch: Batch, stream: int = 2) -> np.ndarray:
        """What evaluation gives for each clip of the batch (N, ...), whose K values should be probabilities.

        stream: what the random streams start from.
        """
        self.model.eval()
        with torch.inference_mode(), DefaultScope.overwrite_default_scope("mmaction"), clip_stream(stream):
            samples = self.model.test_step(_own(batch))
        return np.stack([sample.pred_score.float().cpu().numpy() for sample in samples])

    def loss(self, batch: Batch) -> Tensor:
        """The loss of a training batch, with its graph."""
        self.model.train()
        with DefaultScope.overwrite_default_scope("mmaction"):
            data = self.model.data_preprocessor(_own(batch), training=True)
            total, _ = self.model.parse_losses(self.model(**data, mode="loss"))
        return total

    def loss_value(self, batch: Batch) -> float:
        """The loss of a training batch."""
        with clip_stream(3):
            return self.loss(batch).item()

    def fit(self, batch: Batch, steps: int, until: float = 0.0) -> list[float]:
        """Learn the batch by heart, until the loss is `until` of the first one; the loss before every step."""
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-3)
        losses = []
        with clip_stream(3):
            for _ in range(steps):
                loss = self.loss(batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                if losses[-1] < until * losses[0]:
                    break
        return losses

    def cut_gap(self, batch: Batch, micro_batch: int) -> float:
        """The largest difference of a gradient of the batch, computed `micro_batch` clips at a time, from its own.

        As a share of the largest gradient. Nothing is random, and batch norms use their running statistics: over parts
        of a batch they would have others.
        """
        whole, cut = self._gradients(batch, None), self._gradients(batch, micro_batch)
        largest = max(float(gradient.abs().max()) for gradient in whole.values())
        if whole.keys() != cut.keys():
            return float("inf")
        return max(float((cut[name] - gradient).abs().max()) for name, gradient in whole.items()) / largest

    def _gradients(self, batch: Batch, micro_batch: int | None) -> dict[str, Tensor]:
        self.model.eval()
        head = getattr(self.model, "cls_head", None)
        if head is not None:
            # Its parts stay as they are: dropout among them.
            head.training = True
        holding = _Holding(self.model)
        count = len(batch["inputs"])
        with DefaultScope.overwrite_default_scope("mmaction"), clip_stream(3):
            Step(Cut.of(count, micro_batch), "trial")(self.model, _own(batch), holding, epoch=0, step=0)
        self.model.zero_grad()
        return holding.gradients

    def untouched(self, batch: Batch) -> list[str]:
        """Weights that are said to learn, and that the loss does not reach."""
        with clip_stream(3):
            self.loss(batch).backward()
        return [name for name, p in self.model.named_parameters() if p.requires_grad and p.grad is None]

    def frozen(self) -> dict[str, np.ndarray]:
        """The weights that are said not to learn."""
        return {name: p.detach().numpy().copy() for name, p in self.model.named_parameters() if not p.requires_grad}

    def weights(self) -> dict[str, np.ndarray]:
        """The weights that learn."""
        return {name: p.detach().numpy().copy() for name, p in self.model.named_parameters() if p.requires_grad}

    def parameters(self) -> int:
        """How many there are."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def gflops(self) -> float:
        """For one clip, as a record has them."""
        from benchmark.training.operations import count_operations

        self.model.eval()
        with torch.inference_mode(), DefaultScope.overwrite_default_scope("mmaction"):
            return count_operations(self.model, self.clips(1)) / 1e9

    def saved_and_loaded(self, batch: Batch) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Save the weights and load them into a second model.

        Gives the names of tensors that are not the same in it, and what each of the two gives for a batch.
        """
        from safetensors.torch import load_file, save_file

        other = Trial(self.recipe, self.preset, self.num_classes, seed=4)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "weights.safetensors"
            save_file({name: tensor.clone() for name, tensor in self.model.state_dict().items()}, file)
            other.model.load_state_dict(load_file(file))
        theirs = other.model.state_dict()
        different = [name for name, tensor in self.model.state_dict().items() if not torch.equal(tensor, theirs[name])]
        return different, self.scores(batch), other.scores(batch)


class _Holding(OptimWrapper):
    """An optimiser that keeps the gradients of its step, and changes nothing."""

    def __init__(self, model: BaseModel) -> None:
        super().__init__(torch.optim.SGD(model.parameters(), lr=0.0))
        self._model = model
        self.gradients: dict[str, Tensor] = {}

    def step(self, **_: Any) -> None:
        """Keep them."""
        self.gradients = {name: p.grad.clone() for name, p in self._model.named_parameters() if p.grad is not None}


def schedule_fault(recipe: Recipe) -> str | None:
    """What is wrong with the recipe's schedulers, with three iterations an epoch; None if they can be built."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    for config in recipe.param_scheduler:
        options = dict(config)
        kind = PARAM_SCHEDULERS.get(options.pop("type"))
        try:
            if options.pop("convert_to_iter_based", False):
                built = kind.build_iter_from_epoch(optimizer=optimizer, epoch_length=3, **options)
            else:
                built = kind(optimizer=optimizer, **options)
        # Whatever it is, it is what is wrong.
        except Exception as error:
            return f"{config['type']}: {type(error).__name__}: {error}"
        if not isinstance(built, _ParamScheduler):
            return f"{config['type']}: is no scheduler"
    return None


def pick(batch: Batch, places: Sequence[int]) -> Batch:
    """Some clips of a batch, in this order."""
    return {key: [values[place] for place in places] for key, values in batch.items()}


def _own(batch: Batch) -> Batch:
    """A batch that may be changed, as models change the samples that they are given."""
    return {"inputs": list(batch["inputs"]), "data_samples": [sample.clone() for sample in batch["data_samples"]]}
