"""An entry of the leaderboard."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from benchmark.leaderboard.attestations import Level
from benchmark.leaderboard.facts import rests_on_facts
from benchmark.records import Record
from benchmark.records.further import FurtherResults


@dataclass(frozen=True)
class Entry:
    """A record that was accepted; `path` is its folder, relative to the leaderboard's.

    level: how far it was verified; None for one's own run, which nobody has. further: what its models were asked
    afterwards.
    """

    path: PurePosixPath
    record: Record
    level: Level | None = None
    further: FurtherResults = field(default_factory=FurtherResults)

    @property
    def verified(self) -> str:
        """The level in words, and whether nothing is known of the clips that the record should have."""
        if self.level is None:
            return "own run"
        return self.level.replace("labels-", "labels ") + ("" if rests_on_facts(self.record) else ", no facts")
