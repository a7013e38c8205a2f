"""Checks of an augmentation: what it keeps, what it draws from, and that it touches what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmark.specs import AugmentationSpec
from benchmark.testing.check import CheckFailed, Skipped, require
from benchmark.testing.methods import CLASS_COUNTS, CLASSES

if TYPE_CHECKING:
    from benchmark.training.augmenting import Augmented, Augmenting

SEEDS = range(12)


class AugmentationChecks:
    """Of one augmentation, with its own options."""

    def __init__(self, spec: AugmentationSpec) -> None:
        self.spec = spec

    def built(self, classes: int = CLASSES) -> Augmenting:
        """A new one."""
        from benchmark.training.augmenting import Augmenting

        return Augmenting(self.spec, classes)

    def some(self) -> list[Augmented]:
        """Several clips, or batches, augmented from several seeds."""
        built = self.built()
        return [built(seed, clip=seed) for seed in SEEDS]

    def builds(self) -> None:
        """It can be built for every number of classes that the protocols have."""
        for count in CLASS_COUNTS:
            try:
                self.built(count)(0)
            except Exception as error:
                raise CheckFailed(f"with {count} classes: {type(error).__name__}: {error}") from error

    def shapes(self) -> None:
        """As many frames come out as went in, of the same kind; a batch keeps its shape and stays in floating point."""
        for each in self.some():
            before, after = each.pixels_before, each.pixels
            same = after.shape == before.shape if self.built().mixes else len(after) == len(before)
            require(
                same and after.ndim == before.ndim and after.dtype == before.dtype,
                f"{before.dtype} {before.shape} went in, and {after.dtype} {after.shape} came out: frames stay uint8 "
                "RGB, as many as there were; a batch keeps its shape and type",
            )

    def targets(self) -> None:
        """A target stays a distribution over the classes."""
        for each in self.some():
            require(
                each.target.shape == each.target_before.shape
                and (each.target >= 0).all()
                and np.allclose(each.target.sum(axis=-1), 1, atol=1e-5),
                f"a target is no distribution any more: {np.round(np.atleast_2d(each.target)[0], 3).tolist()}",
            )

    def touches(self) -> None:
        """Only that changes which the spec says."""
        for each in self.some():
            if not {"frames", "pixels", "batch"} & self.spec.touches:
                require(np.array_equal(each.pixels, each.pixels_before), "it changes frames; `touches` says so nowhere")
            if "targets" not in self.spec.touches:
                require(np.allclose(each.target, each.target_before), 'it changes targets; say "targets" in `touches`')

    def own_frames(self) -> None:
        """The frames that came in are left as they were: they may belong to the frame cache."""
        require(
            not any(each.written for each in self.some()),
            "it writes into the frames that it is given, which may belong to the frame cache: make new arrays",
        )

    def stream(self) -> None:
        """All randomness comes from the clip's own stream: the same start gives the same clip, whatever went before."""
        built = self.built()
        for seed in SEEDS:
            require(
                built(seed, clip=3).same(built(seed, clip=3)),
                "the same clip with the same random stream comes out otherwise the second time: draw from NumPy's or "
                "torch's global generator when you are called, and keep nothing between calls",
            )

    def workers(self) -> None:
        """Which worker reads a clip, and what it has read before, changes nothing."""
        busy, fresh = self.built(), self.built()
        for seed in SEEDS:
            busy(seed, clip=seed)
        require(
            all(busy(seed, clip=1).same(fresh(seed, clip=1)) for seed in reversed(SEEDS)),
            "one that has seen other clips gives something else than a new one: it keeps a state, so that what a clip "
            "looks like depends on the worker that reads it",
        )

    def does_something(self) -> None:
        """With its own options it changes something, now and then."""
        if not self.spec.options and not self.spec.touches:
            raise Skipped("it says that it touches nothing")
        require(
            any(
                each.pixels.shape != each.pixels_before.shape
                or not np.array_equal(each.pixels, each.pixels_before)
                or not np.array_equal(each.target, each.target_before)
                for each in self.some()
            ),
            f"with its default options it changes none of {len(SEEDS)} clips",
        )
