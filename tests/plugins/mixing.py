"""Mixing a batch as the preprocessor does it, for the tests of batch mixers."""

import torch

from benchmark.specs import load_object
from benchmark.training.adapter import import_mmaction

import_mmaction()

from mmaction.registry import MODELS  # noqa: E402
from mmaction.structures import ActionDataSample  # noqa: E402

CLASSES = 7


def blending_of(augmentation, **options):
    return MODELS.build(load_object(augmentation.build)(num_classes=CLASSES, **options))


def mix(augmentation, clips, targets, **options):
    """Mixed clips and targets; what comes in is left as it is."""
    samples = [ActionDataSample() for _ in targets]
    for sample, target in zip(samples, targets, strict=True):
        sample.set_gt_label(target)
    clips, samples = blending_of(augmentation, **options)(clips.clone(), samples)
    return clips, torch.stack([sample.gt_label for sample in samples])
