"""The metric: from confusions to scores."""

import numpy as np


def compute(confusion: np.ndarray) -> np.ndarray:
    """Cohen's kappa, as (1 + kappa) / 2, which lies in 0..1, of counts (..., K, K); all other dimensions are kept.

    Kappa is the agreement beyond what answering at random, with the same frequencies, would reach; 0 where that is all.
    """
    total = confusion.sum(axis=(-2, -1))
    agreed = np.trace(confusion, axis1=-2, axis2=-1) / total
    chance = (confusion.sum(axis=-1) * confusion.sum(axis=-2)).sum(axis=-1) / total**2
    kappa = np.divide(agreed - chance, 1 - chance, out=np.zeros_like(agreed), where=chance < 1)
    return (1 + kappa) / 2
