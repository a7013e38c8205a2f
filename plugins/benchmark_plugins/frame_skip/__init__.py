"""V-NAW's frame skipping: a random part of a clip's frames is left out."""

from benchmark.specs import AugmentationSpec

AUGMENTATION = AugmentationSpec(
    name="frame-skip",
    title="Frame skipping",
    citation=(
        "JunGyu Lee, Kunyoung Lee, Haesol Park, Ig-Jae Kim and Gi Pyo Nam. V-NAW: Video-based Noise-aware Adaptive "
        "Weighting for Facial Expression Recognition. arXiv:2503.15970, 2025, section 3.3."
    ),
    touches=frozenset({"frames"}),
    build="benchmark_plugins.frame_skip.recipe:build",
    options={"low": 0.2, "high": 0.4, "refill": "resample"},
    imports=("benchmark_plugins.frame_skip.transform",),
)
