"""CutMix (ICCV 2019) of whole clips: one box through all frames."""

from benchmark.specs import AugmentationSpec

AUGMENTATION = AugmentationSpec(
    name="cutmix",
    title="CutMix",
    citation=(
        "Sangdoo Yun, Dongyoon Han, Seong Joon Oh, Sanghyuk Chun, Junsuk Choe and Youngjoon Yoo. CutMix: "
        "Regularization Strategy to Train Strong Classifiers with Localizable Features. IEEE/CVF International "
        "Conference on Computer Vision, 2019, pp. 6023-6032."
    ),
    touches=frozenset({"batch", "pixels", "targets"}),
    build="benchmark_plugins.cutmix.recipe:build",
    options={"alpha": 1.0},
)
