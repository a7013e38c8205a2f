"""Checks of a method's model: what it gets and gives, whether it learns, and what its presets say of it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from benchmark.errors import UsageError
from benchmark.plugin_functions import make_recipe, rename_tensors
from benchmark.specs import MethodSpec, Recipe
from benchmark.testing.check import CheckFailed, Skipped, require
from benchmark.testing.network import without_network

if TYPE_CHECKING:
    from benchmark.training.trial import Trial

# Of the field's protocols: positive/negative/neutral, the basic ones, with more (FERPlus, Aff-Wild2), MAFW's.
CLASS_COUNTS = (3, 7, 8, 11)
CLASSES = 7
STEPS, FALL = 100, 0.8
SOFT = 0.2
TOLERANCE, CUT_TOLERANCE = 1e-5, 1e-3


class MethodChecks:
    """Of one method, on its smallest preset: `small`, or whichever its author calls the first."""

    def __init__(self, method: MethodSpec) -> None:
        self.method = method
        self.name = "small" if "small" in method.presets else next(iter(method.presets))
        self.preset = method.presets[self.name]

    def recipe(self, classes: int = CLASSES) -> Recipe:
        """The recipe of the preset; PluginFault if there is none."""
        return make_recipe(self.method.recipe, self.preset, classes)

    def trial(self, classes: int = CLASSES, seed: int = 0) -> Trial:
        """A model on trial."""
        from benchmark.training.trial import Trial

        return Trial(self.recipe(classes), self.preset, classes, seed)

    @property
    def softness(self) -> float:
        """How soft the targets are that the method says it can learn from."""
        return SOFT if "soft" in self.method.label_modes else 0.0

    def presets(self) -> None:
        """Both presets are there, and the networks that are spoken of."""
        missing = sorted({"paper", "small"} - set(self.method.presets))
        require(
            not missing,
            f"no preset '{''.join(missing[:1])}': `paper` is the paper's size and recipe, `small` the same code at a "
            "size that trains in seconds on two cores (for --demo)",
        )
        unknown = sorted(self.method.needs.keys() - self.method.networks.keys())
        require(not unknown, f"needs: '{''.join(unknown[:1])}' is none of its networks {sorted(self.method.networks)}")

    def schedule(self) -> None:
        """Every preset has a recipe, with a schedule that can be as short as one epoch (`--set epochs=1`)."""
        from benchmark.training.trial import schedule_fault

        for name, preset in self.method.presets.items():
            for epochs in (1, 2, 3):
                recipe = make_recipe(self.method.recipe, dataclasses.replace(preset, epochs=epochs), CLASSES)
                fault = schedule_fault(recipe)
                require(fault is None, f"preset {name} for {epochs} epochs: {fault}")

    def shapes(self) -> None:
        """Two clips become two distributions over seven classes, and a loss."""
        from benchmark.training.shapes import shape_fault

        fault = shape_fault(self.trial())
        require(fault is None, f"preset {self.name}: {fault}")

    def classes(self) -> None:
        """The same for every number of classes that the protocols have, or word of what to give with `--set`."""
        from benchmark.training.shapes import shape_fault

        for count in CLASS_COUNTS:
            try:
                fault = shape_fault(self.trial(count))
            except Exception as error:
                if isinstance(error, UsageError) and "--set" in str(error):
                    continue
                fault = f"{type(error).__name__}: {error}"
            require(fault is None, f"with {count} classes: {fault}")

    def learns(self) -> None:
        """The loss is a number, and falls when a handful of clips is learned by heart."""
        trial = self.trial()
        losses = trial.fit(trial.clips(6, self.softness), STEPS, until=FALL)
        broken = [step for step, loss in enumerate(losses) if not math.isfinite(loss)]
        require(not broken, f"the loss is {losses[broken[0]] if broken else 0} at step {broken[:1]}")
        require(
            losses[-1] < FALL * losses[0],
            f"the loss does not fall: {losses[0]:.4f} at first, {losses[-1]:.4f} after {len(losses) - 1} steps with "
            "AdamW on the same six clips. Do the features depend on the clip, and does the loss on the logits?",
        )

    def gradients(self) -> None:
        """What is said to learn is reached by the loss, and what is frozen stays as it is."""
        trial = self.trial()
        batch = trial.clips(6, self.softness)
        untouched = trial.untouched(batch)
        require(
            not untouched,
            f"the loss does not reach {len(untouched)} weights, the first is {''.join(untouched[:1])}: freeze them "
            "(requires_grad=False), or leave them out",
        )
        before = trial.frozen()
        trial.fit(batch, 1)
        changed = [name for name, value in trial.frozen().items() if not np.array_equal(value, before[name])]
        require(not changed, f"{', '.join(changed[:3])}: frozen, and changed by training")

    def soft_targets(self) -> None:
        """A distribution is learned from as it is, also in a batch of one; or the spec says that it cannot be."""
        if "soft" not in self.method.label_modes:
            raise Skipped("label_modes says that it learns from hard labels only, so --labels soft is refused")
        trial, hard = self.trial(), self.trial()
        soft_loss = trial.loss_value(trial.clips(4, soft=0.6))
        hard_loss = hard.loss_value(hard.clips(4))
        require(
            math.isfinite(soft_loss) and math.isfinite(self.trial().loss_value(trial.clips(2, soft=0.6))),
            "the loss of soft targets is not a number",
        )
        require(
            abs(soft_loss - hard_loss) > 1e-6,
            f"the loss of soft targets is that of their most likely class ({hard_loss:.6f}): the distribution is not "
            'used. Use it, or say label_modes=("hard",)',
        )

    def distributions(self) -> None:
        """Evaluation gives probabilities."""
        trial = self.trial()
        scores = trial.scores(trial.clips(6))
        require(np.isfinite(scores).all(), "a clip's scores are not numbers")
        sums = scores.sum(axis=-1)
        require(
            (scores >= -TOLERANCE).all() and np.allclose(sums, 1, atol=TOLERANCE),
            f"a clip's scores are no probabilities: they lie between {scores.min():.3f} and {scores.max():.3f}, and "
            f"their sum is {sums.flat[0]:.3f}. In a head of MMAction2, say average_clips='prob'",
        )

    def deterministic(self) -> None:
        """Evaluating a clip again gives the same."""
        trial = self.trial()
        batch = trial.clips(6)
        first = trial.scores(batch)
        # From other places in the random streams.
        again = [trial.scores(batch, stream=stream) for stream in (5, 6)]
        require(
            all(np.array_equal(first, other) for other in again),
            "the same clips get other scores when they are evaluated again: something draws random numbers, or keeps a "
            "state, in evaluation (dropout by F.dropout without training=self.training?)",
        )

    def batch_independent(self) -> None:
        """A clip's scores depend neither on the clips beside it nor on its place."""
        from benchmark.training.trial import pick

        trial = self.trial()
        batch = trial.clips(6)
        together = trial.scores(batch)
        for places, what in (
            ([0], "alone"),
            ([4, 1], "beside another"),
            ([5, 4, 3, 2, 1, 0], "in another order"),
        ):
            scores = trial.scores(pick(batch, places))
            gap = float(np.abs(scores - together[places]).max())
            require(
                gap <= TOLERANCE,
                f"a clip evaluated {what} gets other scores than in a batch of six (by {gap:.2g}): in evaluation "
                "nothing may be computed over the batch",
            )

    def save_load(self) -> None:
        """Weights that are saved and loaded into a new model give the same model."""
        trial = self.trial()
        trial.fit(trial.clips(4), 1)
        different, scores, loaded = trial.saved_and_loaded(trial.clips(3))
        require(not different, f"{', '.join(different[:3])}: not the same after saving and loading")
        require(
            np.allclose(scores, loaded, atol=TOLERANCE),
            "a model loaded from saved weights predicts otherwise: some of its state is neither a parameter nor a "
            "buffer (register_buffer)",
        )

    def micro_batches(self) -> None:
        """A batch that is cut to fit into memory teaches what the whole one does, dropout and batch norms aside."""
        trial = self.trial()
        gap = trial.cut_gap(trial.clips(5, self.softness), micro_batch=2)
        require(
            gap <= CUT_TOLERANCE,
            f"five clips, two at a time, give gradients that differ by {gap:.2g} of the largest from those of all at "
            "once: some loss is not a mean over clips, or something is drawn for a batch. What to say of such a loss "
            "is in benchmark/training/shares.py (summed_losses, clip_weights, draw_for_batch, end_batch)",
        )

    def initial_weights(self) -> None:
        """Initial weights follow from the seed, and from nothing else."""
        first, again, other = (self.trial(seed=seed).weights() for seed in (0, 0, 1))
        changing = [name for name in first if not np.array_equal(first[name], again[name])]
        require(
            not changing,
            f"{', '.join(changing[:3])}: initialised otherwise each time from the same seed: use torch's generator",
        )
        require(
            not first or any(not np.array_equal(first[name], other[name]) for name in first),
            "every seed gives the same initial weights: something seeds torch itself, or the weights are constants",
        )

    def offline(self) -> None:
        """Nothing is fetched when a model is built, trained and asked."""
        with without_network() as tried:
            try:
                trial = self.trial()
                batch = trial.clips(2, self.softness)
                trial.loss_value(batch)
                trial.scores(batch)
            except Exception as error:
                if not tried:
                    raise
                raise CheckFailed(_online(tried)) from error
        require(not tried, _online(tried) if tried else "")

    def size(self, name: str) -> None:
        """The parameters and GFLOPs that a preset states are those of its model with seven classes."""
        preset = self.method.presets[name]
        from benchmark.training.trial import Trial

        trial = Trial(make_recipe(self.method.recipe, preset, CLASSES), preset, CLASSES)
        parameters, gflops = trial.parameters(), trial.gflops()
        require(
            parameters == preset.parameters and abs(gflops - preset.gflops) <= 6e-4,
            f"preset {name} states parameters={preset.parameters:_}, gflops={preset.gflops:g}; its model has "
            f"parameters={parameters:_}, gflops={gflops:.3f}: write these",
        )

    def pretraining(self, stage: str) -> None:
        """A pre-training learns, and what it exports is the method's."""
        from benchmark.training.trial import Trial

        pretraining = self.method.pretrainings[stage]
        require({"paper", "small"} <= set(pretraining.presets), "its presets must be `paper` and `small`, or more")
        preset = pretraining.presets["small"]
        recipe = make_recipe(pretraining.recipe, preset, 0 if pretraining.data == "videos" else CLASSES)
        trial = Trial(recipe, preset, CLASSES)
        batch = trial.clips(6, self.softness, labelled=pretraining.data == "images", coarse=True)
        losses = trial.fit(batch, 20)
        require(losses[-1] < losses[0], f"the loss does not fall: {losses[0]:.4f}, then {losses[-1]:.4f}")
        exported = {
            name: tuple(tensor.shape)
            for name, tensor in rename_tensors(pretraining.export, trial.model.state_dict()).items()
        }
        require(exported, f"{pretraining.export} gives nothing")
        # A pre-training of another encoder is for the method with that encoder.
        same = dataclasses.replace(self.preset, model={**self.preset.model, **preset.model})
        model = Trial(make_recipe(self.method.recipe, same, CLASSES), same, CLASSES).model
        own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        fitting = [name for name in exported if name in own]
        require(fitting, f"none of the tensors that {pretraining.export} gives is the method's: {list(exported)[:3]}")
        other = [name for name in fitting if exported[name] != own[name]]
        require(not other, f"{', '.join(other[:3])}: of another shape in the method")


def _online(tried: list[str]) -> str:
    return (
        f"the plugin tried to reach {', '.join(dict.fromkeys(tried))}: a run must work without a network. Weights come "
        "with --init; a preset's `pretraining` says which"
    )
