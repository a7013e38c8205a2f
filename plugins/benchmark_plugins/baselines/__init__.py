"""The convolutional and recurrent networks that papers on dynamic facial expressions compare themselves with."""

from collections.abc import Mapping
from typing import Any

from benchmark.specs import UNIT_MEAN, UNIT_STD, MethodSpec, Network, Preset, Sampling


def _method(
    name: str,
    title: str,
    citation: str,
    cost: tuple[int, float],
    small_cost: tuple[int, float],
    small: Mapping[str, Any],
    small_sampling: Sampling,
    small_epochs: int = 12,
    networks: Mapping[str, Network] | None = None,
) -> MethodSpec:
    """A baseline trained as Former-DFER is; `cost` and `small_cost` are parameters and GFLOPs of the two presets."""
    return MethodSpec(
        name=name,
        title=title,
        citation=citation,
        licence="no official code for facial expressions; built from MMAction2 (Apache-2.0)",
        recipe=f"benchmark_plugins.baselines.recipe:{name.replace('-', '_')}",
        networks=networks or {},
        presets={
            "paper": Preset(
                size=112,
                sampling=Sampling(clips=8, length=2),
                epochs=100,
                batch_size=32,
                mean=UNIT_MEAN,
                std=UNIT_STD,
                parameters=cost[0],
                gflops=cost[1],
                model={"antialias": True},
            ),
            "small": Preset(
                size=32,
                sampling=small_sampling,
                epochs=small_epochs,
                batch_size=8,
                mean=UNIT_MEAN,
                std=UNIT_STD,
                parameters=small_cost[0],
                gflops=small_cost[1],
                decode_size=40,
                model={"area_range": (0.9, 1.0), **small},
            ),
        },
        version="2",
        official_evaluation=(
            "The figures in papers come from re-implementations whose settings are rarely given; papers that build on "
            "Former-DFER's code select the best epoch on the test fold."
        ),
    )


def _torchvision(name: str, signature: tuple[str, ...]) -> dict[str, Network]:
    """The network as torchvision distributes it, trained on Kinetics-400."""
    return {
        "model": Network(
            title=f"torchvision's {name}",
            keys="benchmark_plugins.baselines.recipe:torchvision_keys",
            signature=signature,
            head="fc.weight",
        )
    }


METHODS = (
    _method(
        name="c3d",
        title="C3D",
        citation=(
            "Du Tran, Lubomir Bourdev, Rob Fergus, Lorenzo Torresani and Manohar Paluri. Learning Spatiotemporal "
            "Features with 3D Convolutional Networks. IEEE International Conference on Computer Vision, 2015, "
            "pp. 4489-4497."
        ),
        cost=(78_024_455, 77.094),
        small_cost=(454_399, 0.117),
        # Without batch norm twelve epochs of so few clips leave it at the class frequencies, at any learning rate.
        small={"width": 8, "hidden": 64, "init_std": 0.1, "dropout": 0.0, "batch_norm": True, "lr": 0.005},
        small_sampling=Sampling(clips=8, length=2),
    ),
    _method(
        name="i3d",
        title="I3D (Inception-v1)",
        citation=(
            "Joao Carreira and Andrew Zisserman. Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset. "
            "IEEE Conference on Computer Vision and Pattern Recognition, 2017, pp. 6299-6308."
        ),
        cost=(12_294_439, 13.965),
        small_cost=(784_831, 0.121),
        small={"width": 16, "dropout": 0.0, "lr": 0.003},
        small_sampling=Sampling(clips=8, length=2),
        small_epochs=15,
    ),
    _method(
        name="r2plus1d",
        title="R(2+1)D-18",
        citation=(
            "Du Tran, Heng Wang, Lorenzo Torresani, Jamie Ray, Yann LeCun and Manohar Paluri. A Closer Look at "
            "Spatiotemporal Convolutions for Action Recognition. IEEE Conference on Computer Vision and Pattern "
            "Recognition, 2018, pp. 6450-6459."
        ),
        cost=(31_303_716, 81.038),
        small_cost=(492_200, 0.054),
        small={"width": 8, "dropout": 0.0},
        small_sampling=Sampling(clips=8),
        small_epochs=15,
        networks=_torchvision("r2plus1d_18", ("stem.3.weight", "layer1.0.conv1.0.3.weight")),
    ),
    _method(
        name="r3d-18",
        title="3D ResNet-18",
        citation=(
            "Kensho Hara, Hirokatsu Kataoka and Yutaka Satoh. Can Spatiotemporal 3D CNNs Retrace the History of 2D "
            "CNNs and ImageNet? IEEE Conference on Computer Vision and Pattern Recognition, 2018, pp. 6546-6555."
        ),
        cost=(33_169_863, 81.393),
        small_cost=(522_815, 0.065),
        small={"width": 8, "dropout": 0.0},
        small_sampling=Sampling(clips=8),
        networks=_torchvision("r3d_18", ("stem.0.weight", "layer1.0.conv1.0.weight")),
    ),
    _method(
        name="resnet18-lstm",
        title="ResNet-18 + LSTM",
        citation=(
            "Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun. Deep Residual Learning for Image Recognition. IEEE "
            "Conference on Computer Vision and Pattern Recognition, 2016, pp. 770-778. Sepp Hochreiter and Juergen "
            "Schmidhuber. Long Short-Term Memory. Neural Computation 9(8), 1997, pp. 1735-1780."
        ),
        cost=(13_281_351, 15.515),
        small_cost=(752_215, 0.044),
        small={"width": 16, "hidden": 64, "dropout": 0.0, "lr": 0.03},
        small_sampling=Sampling(clips=8),
    ),
    _method(
        name="resnet18-gru",
        title="ResNet-18 + GRU",
        citation=(
            "Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun. Deep Residual Learning for Image Recognition. IEEE "
            "Conference on Computer Vision and Pattern Recognition, 2016, pp. 770-778. Junyoung Chung, Caglar "
            "Gulcehre, KyungHyun Cho and Yoshua Bengio. Empirical Evaluation of Gated Recurrent Neural Networks on "
            "Sequence Modeling. arXiv:1412.3555, 2014."
        ),
        cost=(12_756_039, 15.565),
        small_cost=(739_799, 0.045),
        small={"width": 16, "hidden": 64, "dropout": 0.0},
        small_sampling=Sampling(clips=8),
    ),
)
