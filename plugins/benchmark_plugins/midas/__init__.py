"""MIDAS (WACV 2024): mixup of whole clips and of their annotators' votes."""

from benchmark.specs import AugmentationSpec

AUGMENTATION = AugmentationSpec(
    name="midas",
    title="MIDAS",
    citation=(
        "Ryosuke Kawamura, Hideaki Hayashi, Noriko Takemura and Hajime Nagahara. MIDAS: Mixing Ambiguous Data with "
        "Soft Labels for Dynamic Facial Expression Recognition. IEEE/CVF Winter Conference on Applications of Computer "
        "Vision, 2024, pp. 6552-6562; extended in arXiv:2506.20867, 2025."
    ),
    touches=frozenset({"batch", "pixels", "targets"}),
    build="benchmark_plugins.midas.recipe:build",
    options={"alpha": 0.8, "normalise": "softmax", "per_pair": False},
    imports=("benchmark_plugins.midas.blending",),
)
