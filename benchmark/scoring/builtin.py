"""The built-in metrics, as light specs: listing them imports no numpy."""

from __future__ import annotations

from benchmark.specs import MetricSpec

METRICS = (
    MetricSpec(
        name="uar",
        title="UAR",
        citation="Schuller et al., The INTERSPEECH 2009 Emotion Challenge, Interspeech 2009",
        compute="benchmark.scoring.metrics:uar",
    ),
    MetricSpec(
        name="war",
        title="WAR",
        citation="Jiang et al., DFEW: A Large-Scale Database for Recognizing Dynamic Facial Expressions in the Wild, "
        "ACM MM 2020 (accuracy)",
        compute="benchmark.scoring.metrics:war",
    ),
    MetricSpec(
        name="macro_f1",
        title="macro-F1",
        citation="Opitz and Burst, Macro F1 and Macro F1, arXiv:1911.03347, 2019 (mean of the classes' F1)",
        compute="benchmark.scoring.metrics:macro_f1",
    ),
)
