"""M3DFEL (CVPR 2023): a 3D ResNet on short instances of a clip, related by an LSTM and attention over the bag."""

from benchmark.specs import UNIT_MEAN, UNIT_STD, MethodSpec, Network, Preset, Sampling

METHOD = MethodSpec(
    name="m3dfel",
    title="M3DFEL",
    citation=(
        "Hanyang Wang, Bo Li, Shuang Wu, Siyuan Shen, Feng Liu, Shouhong Ding and Aimin Zhou. Rethinking the Learning "
        "Paradigm for Dynamic Facial Expression Recognition. IEEE/CVF Conference on Computer Vision and Pattern "
        "Recognition, 2023, pp. 17958-17968."
    ),
    licence="Apache-2.0 (official code); Apache-2.0 (MMAction2's ResNet, used here)",
    recipe="benchmark_plugins.m3dfel.recipe:recipe",
    networks={
        "model": Network(
            title="the whole network, or a 3D ResNet to start it from",
            keys="benchmark_plugins.m3dfel.recipe:official_keys",
            signature=("features.0.0.weight", "lstm.weight_ih_l0", "norm.mean_weight", "pwconv.weight"),
            head="fc.weight",
            class_order=("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"),
        )
    },
    presets={
        "paper": Preset(
            size=112,
            sampling=Sampling(clips=16),
            epochs=300,
            batch_size=256,
            mean=UNIT_MEAN,
            std=UNIT_STD,
            parameters=46_823_384,
            gflops=86.299,
            # Each of four cards had its own.
            statistics=64,
            model={"antialias": True},
            pretraining="none (paper: the 3D ResNet on Kinetics-400)",
        ),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=8),
            epochs=18,
            batch_size=4,
            mean=UNIT_MEAN,
            std=UNIT_STD,
            parameters=585_424,
            gflops=0.08,
            decode_size=40,
            model={
                "width": 8,
                "hidden": 32,
                "heads": 4,
                "instance_length": 2,
                "lr": 1e-3,
                "warmup": 1,
                "area_range": (0.9, 1.0),
            },
        ),
    },
    version="2",
    official_evaluation=(
        "Evaluates the test fold after every epoch; the best UAR and the best WAR may come from different epochs, and "
        "there is no validation set. Test frames are drawn at random, up to 15 frames off and not always in order."
    ),
)
