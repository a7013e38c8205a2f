"""A record against a training of one's own of the same units."""

from __future__ import annotations

from benchmark.errors import IntegrityError
from benchmark.records import Record, protocol_of


def compare_training(published: Record, own: Record, tolerance: float) -> float:
    """The published mean of the ranking metric minus one's own, in -1..1; both over the same units.

    Raises IntegrityError if the two records say that they ran other units, if they are one and the same training, or
    if the difference exceeds the tolerance.
    """
    identities = [{(unit.seed, unit.fold): unit.identity for unit in record.units} for record in (published, own)]
    for key, identity in identities[0].items():
        if identities[1].get(key) != identity:
            raise IntegrityError(f"seed {key[0]}, fold {key[1]}: the two records ran different units")
    if published.created == own.created:
        raise IntegrityError("the two records are of one and the same training")
    ranking = protocol_of(published).ranking
    if published.aggregates is None or own.aggregates is None:
        raise IntegrityError("one of the two records has no score")
    difference = published.aggregates.metrics[ranking].mean - own.aggregates.metrics[ranking].mean
    if abs(difference) > tolerance:
        raise IntegrityError(f"{ranking} differs by {100 * difference:+.2f} points, more than {100 * tolerance:.2f}")
    return difference
