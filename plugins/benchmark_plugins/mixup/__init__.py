"""Mixup (ICLR 2018) of whole clips."""

from benchmark.specs import AugmentationSpec

AUGMENTATION = AugmentationSpec(
    name="mixup",
    title="mixup",
    citation=(
        "Hongyi Zhang, Moustapha Cisse, Yann N. Dauphin and David Lopez-Paz. mixup: Beyond Empirical Risk "
        "Minimization. International Conference on Learning Representations, 2018."
    ),
    touches=frozenset({"batch", "pixels", "targets"}),
    build="benchmark_plugins.mixup.recipe:build",
    options={"alpha": 0.2},
)
