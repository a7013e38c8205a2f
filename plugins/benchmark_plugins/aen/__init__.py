"""AEN (CVPRW 2023): emotions and their groups from three levels of a ResNet, guided by a frame-level network."""

from benchmark.specs import UNIT_MEAN, UNIT_STD, MethodSpec, Network, Preset, Pretraining, Sampling

_CITATION = (
    "Bokyeung Lee, Hyunuk Shin, Bonhwa Ku and Hanseok Ko. Frame Level Emotion Guided Dynamic Facial Expression "
    "Recognition with Emotion Grouping. IEEE/CVF Conference on Computer Vision and Pattern Recognition Workshops, "
    "2023, pp. 5681-5691."
)
_CLASS_ORDER = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
_SMALL = {"width": 16, "area_range": (0.9, 1.0)}

METHOD = MethodSpec(
    name="aen",
    title="AEN",
    citation=_CITATION,
    licence="none given; non-commercial use allowed (official code)",
    recipe="benchmark_plugins.aen.recipe:recipe",
    networks={
        "model": Network(
            title="the video network",
            keys="benchmark_plugins.aen.recipe:official_keys",
            signature=("s_former.conv_sp1_1.weight", "t_former.cls_token1", "fc3.weight"),
            head="fc3.weight",
            class_order=_CLASS_ORDER,
        ),
        # A part of every official file: these names alone do not tell it from the video network's.
        "guide": Network(
            title="the frozen frame-level network, which the loss needs",
            keys="benchmark_plugins.aen.recipe:official_guide_keys",
            signature=("s_former.conv_sp3_2.weight", "fc2D.weight"),
            head="fc2D.weight",
            class_order=_CLASS_ORDER,
            prefix="guide.",
        ),
    },
    pretrainings={
        "guide": Pretraining(
            title="the frame-level network, on single labelled images (paper: RAF-DB)",
            citation=_CITATION,
            data="images",
            recipe="benchmark_plugins.aen.recipe:guide_recipe",
            export="benchmark_plugins.aen.recipe:export_guide",
            presets={
                "paper": Preset(
                    size=112,
                    sampling=Sampling(clips=1),
                    epochs=100,
                    batch_size=32,
                    mean=UNIT_MEAN,
                    std=UNIT_STD,
                    parameters=13_095_628,
                    gflops=0.593,
                    model={"antialias": True},
                ),
                "small": Preset(
                    size=32,
                    sampling=Sampling(clips=1),
                    epochs=15,
                    batch_size=16,
                    mean=UNIT_MEAN,
                    std=UNIT_STD,
                    parameters=824_044,
                    gflops=0.004,
                    decode_size=40,
                    model={**_SMALL, "lr": 0.02},
                ),
            },
        )
    },
    needs={"guide": "its loss is L_mc alone, without the terms that the guide gives"},
    presets={
        "paper": Preset(
            size=112,
            sampling=Sampling(clips=8, length=2),
            epochs=100,
            batch_size=32,
            mean=UNIT_MEAN,
            std=UNIT_STD,
            pretraining="none (paper: RAF-DB, for the guide and for the backbone)",
            parameters=66_007_945,
            gflops=14.761,
            model={"antialias": True, "losses": "paper"},
            # Former-DFER's settings there.
            datasets={"afew": {"epochs": 20, "model": {"lr": 0.001, "step": 2.0}}},
        ),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=4, length=2),
            epochs=12,
            batch_size=8,
            mean=UNIT_MEAN,
            std=UNIT_STD,
            parameters=1_860_585,
            gflops=0.043,
            decode_size=40,
            model={**_SMALL, "losses": "paper", "depth": 1, "heads": 4, "head_dim": 16, "hidden": 128},
        ),
    },
    version="2",
    official_evaluation=(
        "Evaluates the test list after every epoch and reports the best epoch and the best of eleven mixtures of two "
        "classifiers. Drops clips of fewer than 16 frames from training and testing. Prints accuracy (WAR) only."
    ),
)
