"""Scores against costs: which rows no other one dominates."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(costs: Sequence[float | None], scores: Sequence[float | None]) -> set[int]:
    """The positions that no other one dominates: cheaper or as cheap, and as good or better, one of them strictly.

    Positions without a cost or a score are on no front.
    Source: Pareto, Manuale di economia politica, 1906; of models, Schwartz et al., Green AI, CACM 2020.
    """
    known = [(k, c, s) for k, (c, s) in enumerate(zip(costs, scores, strict=True)) if c is not None and s is not None]
    return {
        k
        for k, cost, score in known
        if not any(c <= cost and s >= score and (c < cost or s > score) for _, c, s in known)
    }
