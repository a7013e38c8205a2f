"""Label smoothing (CVPR 2016), of hard and of soft labels."""

from benchmark.specs import AugmentationSpec

AUGMENTATION = AugmentationSpec(
    name="label-smoothing",
    title="Label smoothing",
    citation=(
        "Christian Szegedy, Vincent Vanhoucke, Sergey Ioffe, Jon Shlens and Zbigniew Wojna. Rethinking the Inception "
        "Architecture for Computer Vision. IEEE Conference on Computer Vision and Pattern Recognition, 2016, pp. "
        "2818-2826."
    ),
    touches=frozenset({"targets"}),
    build="benchmark_plugins.label_smoothing.recipe:build",
    options={"epsilon": 0.1},
    imports=("benchmark_plugins.label_smoothing.transform",),
)
