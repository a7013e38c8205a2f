"""Whether the weights that a run started from have seen its test clips, as far as the record can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.protocol import Protocol
from benchmark.units.history import InitialWeights, Training, shared_clips, videos_of

# The ids of the test clips, or of what is scored in them, by fold.
TestIds = Mapping[int, Sequence[str]]


def seen_reasons(
    init: Mapping[str, str] | None, initial: Mapping[str, InitialWeights] | None, protocol: Protocol, tested: TestIds
) -> list[str]:
    """Why test clips may have been learned from before the run began; empty if they were not, as far as is known.

    init: the SHA-256 of each network's file. initial: what is known of these files. What a training learned from is no
    test clip if it was under the same protocol and fold, if it was on another dataset's videos, or if none of the
    hashed ids that it left is that of a test clip. A file that does not say what it has learned from counts if it
    brought a classifier of these very classes, and not if it brought less: that it has seen no test clips is then
    neither known nor said.
    """
    reasons = []
    for name in sorted(init or {}):
        weights = (initial or {}).get(name)
        if weights is None:
            reasons.append(f"{name}: holds what nothing is known of")
            continue
        for training in weights.history:
            found = _reason(training, weights.classifier, protocol, tested)
            if found:
                reasons.append(f"{name}: {found}")
    return list(dict.fromkeys(reasons))


def necessary(
    initial: Mapping[str, InitialWeights] | None, protocol: Protocol, tested: TestIds
) -> dict[str, InitialWeights] | None:
    """The same weights without those hashed ids on which no answer of `seen_reasons` depends."""
    if initial is None:
        return None

    def shortened(training: Training, classifier: bool) -> Training:
        short = training.model_copy(update={"clips": ""})
        same = _reason(short, classifier, protocol, tested) == _reason(training, classifier, protocol, tested)
        return short if same else training

    return {
        name: weights.model_copy(
            update={"history": tuple(shortened(training, weights.classifier) for training in weights.history)}
        )
        for name, weights in initial.items()
    }


def _reason(training: Training, classifier: bool, protocol: Protocol, tested: TestIds) -> str | None:
    dataset = protocol.test_on.dataset if protocol.test_on else protocol.dataset
    if training.kind == "unknown" and classifier:
        return "brings a classifier that has already learned these emotions, nobody knows from which clips"
    if videos_of(dataset) not in training.datasets:
        return None
    folds = sorted(tested)
    if training.protocol_hash == protocol.hash:
        folds = [fold for fold in folds if fold != training.fold]
    if training.clips:
        folds = [fold for fold in folds if shared_clips(training.clips, _clips(tested[fold], protocol))]
    if not folds:
        return None
    return f"was {training.title}, and may have learned from test clips of fold {', '.join(map(str, folds))}"


def _clips(ids: Sequence[str], protocol: Protocol) -> list[str]:
    """The clips that predictions are of: of labelled frames, their videos."""
    return [name.rpartition("/")[0] for name in ids] if protocol.windows else list(ids)
