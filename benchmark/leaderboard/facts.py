"""Records against what is known of the official lists."""

from __future__ import annotations

from pathlib import Path

from benchmark.errors import IntegrityError
from benchmark.protocol import Protocol
from benchmark.protocol.facts import SplitFacts, known_facts
from benchmark.records import Record, SplitUse, UnitRecord, protocol_of
from benchmark.scoring.scores import SplitScores


def check_facts(record: Record, where: Path) -> None:
    """A record that claims an official protocol on real data has that protocol's clips; IntegrityError if not.

    Sizes, the hash of the ids and the row sums of the confusions are compared, fold by fold and split by split.
    Synthetic records and unofficial ones make no such claim.
    """
    if record.data.synthetic or record.marks.unofficial:
        return
    departure = departure_from_facts(record)
    if departure:
        raise IntegrityError(f"{where}: {departure}")


def rests_on_facts(record: Record) -> bool:
    """Whether the record's test clips are known to be those of the official lists."""
    if record.data.synthetic:
        return False
    known = known_facts(protocol_of(record))
    return any("test" in splits for splits in known.values()) and departure_from_facts(record) is None


def departure_from_facts(record: Record) -> str | None:
    """The first thing in which a record differs from the official lists; None if they agree, or none are known."""
    protocol = protocol_of(record)
    known = known_facts(protocol)
    for unit in record.units:
        for split, facts in known.get(unit.fold, {}).items():
            found = _difference(unit, split, facts, protocol)
            if found:
                return f"seed {unit.seed}, fold {unit.fold}: {found}"
    sizes = {sum(facts.clips for facts in splits.values()) for splits in known.values() if len(splits) == 3}
    if len(sizes) == 1 and record.data.clips not in sizes:
        return f"data.clips is {record.data.clips}, the official lists have {sizes.pop()}"
    return None


def _difference(unit: UnitRecord, split: str, facts: SplitFacts, protocol: Protocol) -> str | None:
    use = getattr(unit.splits, split)
    if use is None:
        return f"has no {split} clips, the official lists have {facts.clips}"
    scores = None if split == "train" else getattr(unit.scores, split)
    return difference_from_facts(split, facts, use, scores, protocol)


def difference_from_facts(
    split: str, facts: SplitFacts, use: SplitUse, scores: SplitScores | None, protocol: Protocol
) -> str | None:
    """The first thing in which a split differs from the official lists: its clips or, if scored, their classes."""
    if use.clips != facts.clips:
        return f"{split} has {use.clips} clips, the official lists have {facts.clips}"
    if use.sha256 != facts.sha256:
        return f"the ids of {split} are not those of the official lists"
    if scores is None:
        return None
    for name, row in zip(protocol.answer_names, scores.confusion, strict=True):
        if sum(row) != facts.per_class[name]:
            return f"{split} has {sum(row)} clips of {name}, the official lists have {facts.per_class[name]}"
    return None
