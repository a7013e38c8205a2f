"""From a split file to batches: the dataset, the sampler that fixes each clip's random stream, and the transforms."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import DATA_SAMPLERS, DATASETS, MODELS, TRANSFORMS
from mmengine.dataset import BaseDataset, DefaultSampler
from mmengine.registry import FUNCTIONS
from torch import Tensor
from torch.utils.data import WeightedRandomSampler

from benchmark.processes import follow_reader
from benchmark.specs import Sampling
from benchmark.training.batches import Samples
from benchmark.training.device_transforms import apply_changes
from benchmark.training.randomness import clip_stream
from benchmark.training.seeds import derive_seed
from benchmark.units.clip_names import read_names
from benchmark.video.cache import open_cached, resize
from benchmark.video.clip import FrameReader, UnreadableClip
from benchmark.video.frames import open_clip, open_numbered, open_shared
from benchmark.video.sampling import nearest, reorder, sample_frames


@DATASETS.register_module()
class ClipDataset(BaseDataset):
    """Clips of one split, listed in an MMEngine annotation file (see `benchmark.units.samples`).

    An index may be a triple (epoch, index, copy): the clip's random stream is then that of (seed, epoch, clip id) and
    of which copy it is in its epoch, whichever worker or process reads it, and however often the run was resumed.

    Clips have opaque names where the folder of the annotation file says what they stand for: what comes after the
    frames were read knows neither a clip's id nor its path.
    """

    def __init__(self, seed: str, **kwargs: Any) -> None:
        self.seed = seed
        self._names = read_names(Path(kwargs["ann_file"]).parent)
        super().__init__(data_prefix={}, serialize_data=False, **kwargs)

    def __getitem__(self, index: int | tuple[int, int, int]) -> dict:
        epoch, position, copy = index if isinstance(index, tuple) else (0, index, 0)
        info = self.get_data_info(position)
        clip_id = info["clip_id"]
        if self._names is not None:
            info["path"] = self._names.path_of(clip_id)
            clip_id = self._names.id_of(clip_id)
        again = [*([info["repeat"]] if "repeat" in info else []), *([f"copy {copy}"] if copy else [])]
        try:
            with clip_stream(derive_seed(self.seed, epoch, clip_id, *again)):
                return self.pipeline(info)
        except UnreadableClip as error:
            raise UnreadableClip(f"clip {clip_id}: {error}") from None

    def get_cat_ids(self, idx: int) -> list[int]:
        """The class index of a clip, as MMEngine asks for it; of a window, that of most of its labelled frames."""
        return [self.get_data_info(idx)["label"]]


@FUNCTIONS.register_module()
def start_reader(worker_id: int) -> None:
    """Prepare a process that reads clips. It needs no seed of its own: every clip has one."""
    follow_reader()


@contextlib.contextmanager
def plain_clip_errors() -> Iterator[None]:
    """Reduce what torch makes of a worker's error, a whole traceback as the message, to the message it began with."""
    try:
        yield
    except UnreadableClip as error:
        raise UnreadableClip(str(error).strip().rpartition(f"{UnreadableClip.__name__}: ")[2]) from None


@DATA_SAMPLERS.register_module()
class EpochSampler(DefaultSampler):
    """MMEngine's sampler, yielding (epoch, index, copy) so that both reach the clip's random stream.

    copies: how often each drawn clip comes, one right after the other (repeated augmentation). balanced: draw clips
    with replacement, all classes equally often, as many as there are, instead of every clip once. share: (batch, start,
    stop) to yield only these places of every complete batch, of an order that is the same in all processes; without it
    the processes take turns.
    """

    def __init__(
        self,
        dataset: BaseDataset,
        copies: int = 1,
        balanced: bool = False,
        share: tuple[int, int, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dataset, **kwargs)
        self.copies = copies
        self.share = share
        if share:
            self.rank, self.world_size = 0, 1
            self.num_samples = self.total_size = len(dataset)
        # As likely as its class is rare.
        self.weights = _rarity([dataset.get_cat_ids(index)[0] for index in range(len(dataset))]) if balanced else None

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        if self.share is None:
            yield from self._order()
            return
        batch, start, stop = self.share
        complete = self.num_samples * self.copies // batch * batch
        for place, each in enumerate(itertools.islice(self._order(), complete)):
            if start <= place % batch < stop:
                yield each

    def __len__(self) -> int:
        drawn = self.num_samples * self.copies
        if self.share is None:
            return drawn
        batch, start, stop = self.share
        return drawn // batch * (stop - start)

    def _order(self) -> Iterator[tuple[int, int, int]]:
        drawn = self._draw(self.weights) if self.weights else ((index, 0) for index in super().__iter__())
        for index, before in drawn:
            for copy in range(self.copies):
                yield self.epoch, index, before * self.copies + copy

    def _draw(self, weights: list[float]) -> list[tuple[int, int]]:
        """This process's share of the epoch: indices, each with how often it was drawn before, by any process."""
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        before: Counter[int] = Counter()
        draws = []
        for index in WeightedRandomSampler(weights, self.total_size, generator=generator):
            draws.append((index, before[index]))
            before[index] += 1
        return draws[self.rank :: self.world_size]


def _rarity(classes: list[int]) -> list[float]:
    clips = Counter(classes)
    return [1 / clips[each] for each in classes]


@TRANSFORMS.register_module()
class ReadFrames:
    """Choose a clip's frames and decode them.

    Of a `window` (first frame number, length) of a folder whose frames are numbered, or of a `span` (first frame,
    length) of any clip, those inside it. A `view` says itself which `frames` it is of.

    Adds `imgs` (list of T uint8 RGB arrays, H x W x 3) and the keys that MMAction2's transforms expect.
    """

    def __init__(
        self,
        data_root: str,
        sampling: dict[str, int],
        random: bool,
        order: str = "temporal",
        decode_size: int | None = None,
        cache: str | None = None,
    ) -> None:
        self.data_root = Path(data_root)
        self.sampling = Sampling(**sampling)
        self.random = random
        self.order = order
        self.decode_size = decode_size
        self.cache = Path(cache) if cache else None

    def __call__(self, results: dict) -> dict:
        """Read the clip that `results["path"]` names, relative to the dataset's root; the key is taken away."""
        path = self.data_root / results.pop("path")
        if "window" in results:
            frames, results["frame_numbers"] = self._window(path, *results["window"])
        else:
            frames = self._clip(path, results.get("span"), results.get("view"))
        results.update(
            imgs=frames,
            modality="RGB",
            num_clips=1,
            clip_len=len(frames),
            original_shape=frames[0].shape[:2],
            img_shape=frames[0].shape[:2],
        )
        return results

    def _clip(self, path: Path, span: tuple[int, int] | None, view: dict[str, Any] | None) -> list[np.ndarray]:
        cached = self.decode_size and self.cache
        if cached:
            reader: FrameReader = open_cached(path, self.decode_size, self.cache)
        else:
            reader = open_shared(path) if span else open_clip(path)
        start, length = span or (0, reader.count)
        frames = reader.read(view["frames"] if view else start + self._choose(length))
        return [resize(frame, self.decode_size) for frame in frames] if self.decode_size and not cached else frames

    def _window(self, path: Path, start: int, length: int) -> tuple[list[np.ndarray], np.ndarray]:
        """Frames and their numbers (T,); a missing one (no face was found) is replaced by the nearest that is there."""
        reader = open_numbered(path)
        numbers = start + self._choose(length)
        frames = reader.read(nearest(reader.numbers(), numbers))
        return [resize(frame, self.decode_size) for frame in frames] if self.decode_size else frames, numbers

    def _choose(self, count: int) -> np.ndarray:
        indices = sample_frames(count, self.sampling, np.random if self.random else None)
        return reorder(indices, self.order, np.random)


@TRANSFORMS.register_module()
class TargetToTensor:
    """Make the class distribution a float tensor: MMAction2 turns lists into integers without a word."""

    def __call__(self, results: dict) -> dict:
        """Replace the list `target` (K,) by a float32 tensor.

        A window also gets `frame_target` (T, K), each frame's class as one-hot, smoothed by `label_smoothing` if a
        transform has said so; unlabelled frames have zeros.
        """
        results["target"] = torch.tensor(results["target"], dtype=torch.float32)
        if "frame_labels" in results:
            labels = dict(zip(results["frames"], results["frame_labels"], strict=True))
            classes, smoothing = len(results["target"]), results.get("label_smoothing", 0.0)
            frames = torch.zeros(len(results["frame_numbers"]), classes)
            for row, number in enumerate(results["frame_numbers"].tolist()):
                if number in labels:
                    frames[row] = smoothing / classes
                    frames[row, labels[number]] += 1 - smoothing
            results["frame_target"] = frames
        return results


@MODELS.register_module()
class ClipPreprocessor(ActionDataPreprocessor):
    """MMAction2's preprocessor (normalisation and mixing on the device), learning from `target`.

    Random changes that were only drawn where a clip was read are made here, see `device_transforms`.

    Validation and testing keep the hard label.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # Copies from pinned memory; from any other it waits all the same.
        self._non_blocking = True

    def cast_data(self, data: Any) -> Any:
        """A batch on the model's device."""
        return data.to(self.device) if isinstance(data, Samples) else super().cast_data(data)

    def preprocess(self, inputs: Tensor | list[Tensor], data_samples: list, training: bool = False) -> tuple:
        """Normalise `inputs`, one tensor or one for each clip; in training, mix, and hand on the class distribution.

        What is learned without labels has no `target`. A mixed window is learned under its one mixed target, because
        a mixer knows nothing of single frames.
        """
        for sample in data_samples if training else ():
            if "target" in sample:
                sample.set_gt_label(sample.target)
            if self.blending is not None and "frame_target" in sample:
                del sample.frame_target
        if training and "changes" in data_samples[0]:
            drawn = zip(inputs, data_samples, strict=True)
            inputs = [apply_changes(clip, sample.changes) for clip, sample in drawn]
        clips = inputs if isinstance(inputs, Tensor) else torch.stack(inputs)
        clips = (clips - self.mean) / self.std
        return self.blending(clips, data_samples) if training and self.blending else (clips, data_samples)
