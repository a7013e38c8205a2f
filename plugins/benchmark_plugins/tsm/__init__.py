"""TSM (ICCV 2019): a 2D ResNet that shifts an eighth of its channels to the next and the previous frame."""

import dataclasses

from benchmark.specs import MethodSpec, Network, Preset, Sampling

_PAPER = Preset(
    size=224,
    sampling=Sampling(clips=8),
    epochs=50,
    batch_size=128,
    reference_batch=128,
    parameters=11_180_103,
    gflops=29.017,
    pretraining="none (paper: ImageNet)",
)

METHOD = MethodSpec(
    name="tsm",
    title="TSM (ResNet-18)",
    citation=(
        "Ji Lin, Chuang Gan and Song Han. TSM: Temporal Shift Module for Efficient Video Understanding. "
        "IEEE/CVF International Conference on Computer Vision, 2019, pp. 7083-7093."
    ),
    licence="MIT (official code); Apache-2.0 (MMAction2's implementation, used here)",
    recipe="benchmark_plugins.tsm.recipe:recipe",
    networks={
        "model": Network(
            title="the ResNet with its classifier",
            keys="benchmark_plugins.tsm.recipe:official_keys",
            signature=("base_model.conv1.weight", "base_model.layer1.0.conv1.net.weight"),
            head="new_fc.weight",
        )
    },
    presets={
        "paper": _PAPER,
        # The MIDAS paper trains all its models by the same settings: frames of 160 x 160, a batch of 64.
        "midas": dataclasses.replace(_PAPER, size=160, batch_size=64, gflops=14.805),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=8),
            epochs=14,
            batch_size=8,
            parameters=702_999,
            gflops=0.044,
            decode_size=40,
            model={"width": 16, "dropout": 0.2, "lr": 0.005, "scales": (1,)},
        ),
    },
    version="2",
    official_evaluation=(
        "No facial-expression script. For action recognition it reports the epoch with the best validation accuracy, "
        "optionally averaged over several crops and two temporal samples, and replaces a missing clip by a random one."
    ),
)
