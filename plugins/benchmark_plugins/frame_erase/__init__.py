"""V-NAW's in-frame erasing: the same fifth of the pixels in every frame of a clip."""

from benchmark.specs import AugmentationSpec

AUGMENTATION = AugmentationSpec(
    name="frame-erase",
    title="In-frame erasing",
    citation=(
        "JunGyu Lee, Kunyoung Lee, Haesol Park, Ig-Jae Kim and Gi Pyo Nam. V-NAW: Video-based Noise-aware Adaptive "
        "Weighting for Facial Expression Recognition. arXiv:2503.15970, 2025, section 3.4."
    ),
    touches=frozenset({"pixels"}),
    build="benchmark_plugins.frame_erase.recipe:build",
    options={"share": 0.2, "shape": "pixels"},
    imports=("benchmark_plugins.frame_erase.transform",),
)
