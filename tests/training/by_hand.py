"""Trainings written out from the papers and official codes, beside the harness's own, to be compared step by step.

What is shared with the harness is the network, its first weights, and the clips of every batch as they were read.
Normalisation, mixing, losses, parameter groups, schedules and the loop itself are written here anew. Both train in
double precision: in single precision the last digits, which depend on how a loss is written, grow within twenty steps.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from torch import Tensor, nn

import benchmark.training.unit
from benchmark.planning.request import Request, Variant
from benchmark.running.steps import run_unit
from benchmark.training.config import build_config
from benchmark.training.loop import make_runner
from benchmark.watcher import Watcher
from tests.small_runs import planned

BATCH, STEPS, EPOCHS = 8, 4, 5

Groups = Callable[[str, Tensor], tuple[float, float]]


class Recorder(Hook):
    """The first weights, each batch as it was read, each loss, the last weights; every step has a seed of its own."""

    priority = "LOWEST"

    def __init__(self) -> None:
        self.batches: list[tuple[Tensor, Tensor]] = []
        self.losses: list[float] = []
        self.first: dict[str, Tensor] = {}
        self.last: dict[str, Tensor] = {}

    def before_train(self, runner: Any) -> None:
        self.first = copy_of(runner.model.double())

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        for sample in data_batch["data_samples"]:
            sample.target = sample.target.double()
        targets = torch.stack([sample.target for sample in data_batch["data_samples"]])
        self.batches.append((data_batch["inputs"].clone(), targets.clone()))
        seed(len(self.batches))

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.losses.append(outputs["loss"].item())

    def after_train(self, runner: Any) -> None:
        self.last = copy_of(runner.model)


def seed(step: int) -> None:
    """What a step draws, of mixing, dropout and dropped paths, follows from its number."""
    torch.manual_seed(step)
    np.random.seed(step)


def copy_of(model: nn.Module) -> dict[str, Tensor]:
    """The model's state, not following its training."""
    return {key: tensor.clone() for key, tensor in model.state_dict().items()}


def by_the_harness(
    method: str, settings: dict[str, Any], root: Path, out: Path, monkeypatch: Any
) -> tuple[Recorder, nn.Module]:
    """Twenty steps of the small network by `benchmark run`'s own code, and an untrained model of the same config."""
    given = {"epochs": EPOCHS, "batch_size": BATCH, **settings}
    request = Request(
        protocol="dfew-5fold",
        variants=(Variant(method),),
        preset="small",
        folds=(1,),
        settings=tuple(f"{key}={value}" for key, value in given.items()),
        limit=BATCH * STEPS,
    )
    group, machine = planned(request, root, out)
    [unit], data = group.units, group.data
    recorder = Recorder()
    monkeypatch.setattr(
        benchmark.training.unit,
        "make_runner",
        lambda config, folder, hooks, *rest: make_runner(config, folder, [*hooks, recorder], *rest),
    )
    run_unit(unit, data.folds[1], machine, Watcher())
    config = build_config(unit, out, data.root, data.root, out / "cache", 0)
    for module in config.custom_imports.imports:
        importlib.import_module(module)
    from mmaction.registry import MODELS

    with DefaultScope.overwrite_default_scope("mmaction"):
        model = MODELS.build(config.model)
    model.double().load_state_dict(recorder.first)
    return recorder, model.train()


@dataclass(frozen=True)
class Training:
    """A training as its paper and official code write it.

    settings: what the small preset needs to be trained by it. loss: of a model, clips, targets and how much of the
    training is over. groups: of a parameter, what its rate is multiplied by and its weight decay. rate: by epoch and
    iteration, both from 0.
    """

    loss: Callable[[Any, Tensor, Tensor, int], Tensor]
    optimiser: Callable[..., torch.optim.Optimizer]
    groups: Groups
    rate: Callable[[int, int], float]
    settings: dict[str, Any] = field(default_factory=dict)
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (255.0, 255.0, 255.0)
    mixed: bool = False
    clip: float | None = None

    def run(self, recorder: Recorder, model: nn.Module) -> list[float]:
        """Train the model on the recorded batches; returns the losses."""
        groups: list[dict[str, Any]] = []
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                factor, decay = self.groups(name, parameter)
                groups.append({"params": [parameter], "factor": factor, "weight_decay": decay})
        optimiser = self.optimiser(groups)
        losses = []
        for step, (raw, targets) in enumerate(recorder.batches):
            epoch = step // STEPS
            for group in optimiser.param_groups:
                group["lr"] = group["factor"] * self.rate(epoch, step)
            shape = (3, 1, 1) if model.data_preprocessor.format_shape == "NCHW" else (3, 1, 1, 1)
            mean, std = (torch.tensor(values).double().view(shape) for values in (self.mean, self.std))
            clips = (raw - mean) / std
            seed(step + 1)
            if self.mixed:
                clips, targets = mix(clips, targets)
            loss = self.loss(model, clips, targets, epoch)
            optimiser.zero_grad()
            loss.backward()
            if self.clip:
                torch.nn.utils.clip_grad_norm_([group["params"][0] for group in groups], self.clip)
            optimiser.step()
            losses.append(loss.item())
        return losses


def mix(clips: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mixup with Beta(0.8, 0.8) or CutMix with Beta(1, 1), one or the other, with the batch in random order."""
    if np.random.choice(2) == 0:
        share = torch.distributions.Beta(0.8, 0.8).sample()
        order = torch.randperm(len(clips))
        return share * clips + (1 - share) * clips[order], share * targets + (1 - share) * targets[order]
    order = torch.randperm(len(clips))
    share = torch.distributions.Beta(1.0, 1.0).sample()
    height, width = clips.shape[-2:]
    edge = torch.sqrt(1 - share)
    half_width, half_height = int(width * edge) // 2, int(height * edge) // 2
    x, y = int(torch.randint(width, (1,))), int(torch.randint(height, (1,)))
    left, right = max(x - half_width, 0), min(x + half_width, width)
    top, bottom = max(y - half_height, 0), min(y + half_height, height)
    mixed = clips.clone()
    mixed[..., top:bottom, left:right] = clips[order][..., top:bottom, left:right]
    kept = 1 - (right - left) * (bottom - top) / (height * width)
    return mixed, kept * targets + (1 - kept) * targets[order]


def entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of distributions, the uniform one having a share of `smoothing`."""
    smooth = (1 - smoothing) * targets + smoothing / targets.shape[1]
    return -(smooth * logits.log_softmax(dim=1)).sum(dim=1).mean()


def of_logits(smoothing: float = 0.0) -> Callable[[Any, Tensor, Tensor, int], Tensor]:
    """The loss that needs nothing but the logits."""
    return lambda model, clips, targets, epoch: entropy(model(clips, mode="tensor", stage="head"), targets, smoothing)


def features(model: Any, clips: Tensor) -> Any:
    """What the head is given."""
    return model.extract_feat(clips)[0]


def gca_ial(model: Any, clips: Tensor, targets: Tensor, epoch: int) -> Tensor:
    """CE + 0.1 IAL + 0.05 CE of the second stage's classifier; IAL is a softmax over the label and its rival."""
    clip, second, _ = features(model, clips)
    logits, head = model.cls_head.fc_cls(clip), model.cls_head
    label = targets.argmax(dim=1)
    others = logits.masked_fill(F.one_hot(label, logits.shape[1]).bool(), -math.inf)
    pair = torch.stack([logits.gather(1, label[:, None])[:, 0], others.max(dim=1).values], dim=1)
    intensity = -pair.log_softmax(dim=1)[:, 0].mean()
    return entropy(logits, targets) + 0.1 * intensity + 0.05 * entropy(head.auxiliary[1](second), targets)


def aen(model: Any, clips: Tensor, targets: Tensor, epoch: int) -> Tensor:
    """Equations 2 and 3, without a guide: 0.7 of the local and 0.3 of the global probabilities, at both levels."""
    head = model.cls_head
    overall, groups, emotions = features(model, clips).affective
    # happy and surprise; neutral; sad, angry, disgust and fear.
    member = torch.tensor([[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 1]]).double()
    shared = head.fc0(overall).softmax(dim=1)
    of_emotions = 0.7 * head.fc3(emotions).softmax(dim=1) + 0.3 * shared
    of_groups = 0.7 * head.fc1(groups).softmax(dim=1) + 0.3 * shared @ member
    terms = (targets * of_emotions.log()).sum(dim=1) + (targets @ member * of_groups.log()).sum(dim=1)
    return -terms.mean()


def v_naw(model: Any, clips: Tensor, targets: Tensor, epoch: int) -> Tensor:
    """Equations 9 to 12: (1 + w) CE of the mean of the frames' probabilities, with NLA's two Gaussians."""
    frames = model(clips, mode="tensor", stage="head").softmax(dim=2)
    probabilities, label = frames.mean(dim=1), targets.argmax(dim=1)
    growth = 1 - math.exp(-15 * epoch / EPOCHS)
    weights = []
    for row, index in zip(probabilities, label.tolist(), strict=True):
        own, rest = row[index], torch.cat([row[:index], row[index + 1 :]]).max()
        right = bool(own >= rest)
        centre = torch.tensor([0.5, 0.5] if right else [0.3, 0.15]).double()
        spread, shared = (0.8, -0.48 * growth) if right else (0.91**2 + (0.91 / 6) ** 2, 0.91**2 - (0.91 / 6) ** 2)
        covariance = torch.tensor([[spread, shared], [shared, spread]]).double()
        away = torch.stack([own, rest]) - centre
        density = 1 / (2 * math.pi * math.sqrt(spread**2 - shared**2))
        weights.append(density * torch.exp(-0.5 * away @ torch.linalg.inv(covariance) @ away))
    return ((1 + torch.stack(weights)) * -probabilities.log().gather(1, label[:, None])[:, 0]).mean()


class SelfDistillation:
    """S2D's loss on FERV39k: cross-entropy, and soft targets from the last 16 clips of each class."""

    def __init__(self) -> None:
        self.memory: dict[int, list[tuple[Tensor, Tensor]]] = {}

    def __call__(self, model: Any, clips: Tensor, targets: Tensor, epoch: int) -> Tensor:
        """Weights and the first update are those of the same hundredths of the official 100 epochs."""
        head, done = model.cls_head, 100 * epoch // EPOCHS
        if not self.memory:
            anchors = zip(head.anchors.features.clone(), head.anchors.probabilities.clone(), strict=True)
            self.memory = {label: list(zip(f, p, strict=True)) for label, (f, p) in enumerate(anchors)}
        seen = head.dropout(features(model, clips))
        logits = head.fc_cls(seen)
        weight = next(w for start, w in ((80, 1.0), (60, 0.5), (50, 0.1), (30, 0.01), (0, 0.0)) if done >= start)
        taught = torch.stack([self._target(row) for row in seen.detach()])
        distilled = F.binary_cross_entropy_with_logits(logits, taught)
        if done >= 21:
            for row, own, label in zip(seen.detach(), logits.detach(), targets.argmax(dim=1).tolist(), strict=True):
                self.memory[label] = [*self.memory[label][1:], (row, own.softmax(dim=0))]
        return entropy(logits, targets) + weight * distilled

    def _target(self, row: Tensor) -> Tensor:
        chosen = []
        for kept in self.memory.values():
            by_likeness = [(F.cosine_similarity(row, f, dim=0), p) for f, p in kept]
            chosen += sorted(by_likeness, key=lambda pair: float(pair[0]), reverse=True)[:2]
        weights = torch.stack([w for w, _ in chosen])
        return (weights[:, None] * torch.stack([p for _, p in chosen])).sum(dim=0) / weights.sum()


def adamw(decay: float = 0.05) -> Callable[..., torch.optim.Optimizer]:
    return lambda groups: torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.999), weight_decay=decay)


def sgd(groups: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=1.0, momentum=0.9)


def everything(decay: float) -> Groups:
    return lambda name, parameter: (1.0, decay)


def warm_then_cosine(peak: float, floor: float, warm: int) -> Callable[[int, int], float]:
    """By iteration: `warm` epochs from 0 to the peak, the rest half a cosine towards the floor."""
    first, total = warm * STEPS, EPOCHS * STEPS

    def rate(epoch: int, step: int) -> float:
        if step < first:
            return peak * step / (first - 1)
        return floor + (peak - floor) * (1 + math.cos(math.pi * (step - first) / (total - first))) / 2

    return rate


def layer_decay(name: str, parameter: Tensor) -> tuple[float, float]:
    """0.75 for each layer below the classifier, of a network of two blocks; vectors and messengers have no decay."""
    depth = 2
    if "patch_embed" in name:
        layer = 0
    elif ".blocks." in name:
        layer = int(name.split(".blocks.")[1].split(".")[0]) + 1
    else:
        layer = depth + 1
    spared = parameter.ndim == 1 or "lg_region_tokens" in name
    return 0.75 ** (depth + 1 - layer), 0.0 if spared else 0.05


def spare_vectors_and_tables(name: str, parameter: Tensor) -> tuple[float, float]:
    tables = ("cls_token", "pos_embed", "temporal_embedding")
    return 1.0, 0.0 if parameter.ndim == 1 or any(table in name for table in tables) else 0.05


def tsm_groups(name: str, parameter: Tensor) -> tuple[float, float]:
    """The classifier at 5 times the rate, its bias at 10 times and without decay; norms without decay."""
    if "fc_cls" in name:
        return (5.0, 1e-4) if parameter.ndim > 1 else (10.0, 0.0)
    return 1.0, 0.0 if parameter.ndim == 1 else 1e-4


IMAGENET: dict[str, Any] = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
_MIXED = {"preset.mixing": True, "preset.smoothing": 0.1}
_MASKED = {**_MIXED, "preset.layer_decay": 0.75, "preset.drop_path": 0.1, "preset.head_scale": 0.001}

TRAININGS = {
    "former-dfer": Training(of_logits(), sgd, everything(1e-4), lambda epoch, step: 0.01 * 0.1 ** (epoch // 2)),
    "gca-ial": Training(
        gca_ial,
        sgd,
        everything(0.1),
        lambda epoch, step: 0.001 * 0.5**epoch,
        {"preset.lr": 0.001, "preset.weight_decay": 0.1},
    ),
    # Half the reference batch, half the rate.
    "m3dfel": Training(
        of_logits(0.1),
        adamw(),
        everything(0.05),
        warm_then_cosine(5e-4 / 2, 5e-6 / 2, 2),
        {"preset.lr": 5e-4, "preset.warmup": 2, "reference_batch": 2 * BATCH},
    ),
    "s2d": Training(
        of_logits(0.1),
        adamw(),
        spare_vectors_and_tables,
        warm_then_cosine(2e-5, 2e-5 * (1e-8 / 256) / (1e-5 / 8), 2),
        {**_MIXED, "preset.lr": 1e-5, "preset.dropout": 0.5, "reference_batch": 4},
        **IMAGENET,
        mixed=True,
    ),
    "s2d-ferv39k": Training(
        SelfDistillation(),
        adamw(),
        spare_vectors_and_tables,
        warm_then_cosine(5e-4, 5e-4 * (1e-8 / 256) / (1e-5 / 8), 2),
        {"preset.sdl": True, "preset.smoothing": 0.0, "preset.dropout": 0.0},
        **IMAGENET,
    ),
    "tsm": Training(
        of_logits(),
        sgd,
        tsm_groups,
        lambda epoch, step: 0.02 * 0.1 ** ((epoch >= 2) + (epoch >= 4)),
        {"preset.lr": 0.02, "preset.dropout": 0.5},
        **IMAGENET,
        clip=20.0,
    ),
    "videomae": Training(
        of_logits(0.1),
        adamw(),
        layer_decay,
        warm_then_cosine(5e-4 / 2, 1e-6 / 2, 2),
        {**_MASKED, "preset.lr": 5e-4, "reference_batch": 2 * BATCH},
        **IMAGENET,
        mixed=True,
    ),
    "mae-dfer": Training(
        of_logits(0.1),
        adamw(),
        layer_decay,
        warm_then_cosine(1e-3 / 2, 1e-6 / 2, 2),
        {**_MASKED, "preset.lr": 1e-3, "reference_batch": 2 * BATCH},
        **IMAGENET,
        mixed=True,
    ),
    "aen": Training(aen, sgd, everything(1e-4), lambda epoch, step: 0.01 * 0.1 ** (epoch // 2)),
    "v-naw": Training(
        v_naw,
        adamw(0.01),
        everything(0.01),
        lambda epoch, step: 1e-5 + (1e-4 - 1e-5) * (1 + math.cos(math.pi * epoch / 2)) / 2,
        {"preset.lr": 1e-4},
        mean=(147.135, 114.597, 102.0255),
        std=(67.014, 61.0725, 60.7665),
    ),
}
