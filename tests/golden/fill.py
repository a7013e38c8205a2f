"""Deterministic weights and inputs for the golden fixtures (numpy + torch only).

Everything a test needs to rebuild the reference set-up from names and seeds:

* fill_model(model, seed)     overwrite a model's state_dict in place
* make_frames(seed, B, T, H, W)   input frames, float32, shape (B, T, 3, H, W)
* make_scene_frames(...)      structured frames of the golden_scene.json fixtures
* rand_tensor / rand_labels   inputs of the loss fixtures
* selftest()                  checks that this numpy reproduces the reference stream

Weight rule, for each (key, tensor) of state_dict(), in this order of precedence
  1. non-floating tensors and 0-dim tensors ............ left as the model made them
  2. last key component 'attn_mask' (Swin's constant shifted-window mask, a persistent
     floating buffer) .................................. left as the model made it
  3. z = Generator(PCG64(crc32(key) + seed)).standard_normal(shape, float32)
     ndim >= 2 .......................... z * float32(1 / sqrt(prod(shape[1:])))
     1-D, key ends with 'running_var' ... 1 + float32(0.1) * |z|
     1-D, key ends with 'running_mean' .. float32(0.1) * z
     1-D, last component is exactly 'weight' (norm scale, PReLU slope)
                                          1 + float32(0.1) * z
     any other 1-D (all biases, 'bias_ih_l0', 'gamma_1', 'mean_weight', 'smooth', ...)
                                          float32(0.1) * z
Note that rule 3 looks at the shape first: a norm affine stored as (1, C, 1) or a position
embedding stored as (1, N, C) falls under "ndim >= 2".
Keys are those of the bare model (no 'module.' prefix).  All arithmetic is in float32.
Tensors that are not in state_dict() (e.g. fixed sinusoid tables kept as plain attributes)
are never touched.
"""

import math
import zlib

import numpy as np
import torch

LEFT_ALONE = ("attn_mask",)


def generator(key, seed):
    return np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()) + seed))


def fill_array(key, shape, seed):
    """float32 numpy array for a floating tensor of that key and shape (ndim >= 1)."""
    shape = tuple(int(s) for s in shape)
    z = generator(key, seed).standard_normal(shape, dtype=np.float32)
    if len(shape) >= 2:
        fan_in = int(np.prod(shape[1:], dtype=np.int64))
        return z * np.float32(1.0 / math.sqrt(fan_in))
    tenth, one = np.float32(0.1), np.float32(1.0)
    if key.endswith("running_var"):
        return one + tenth * np.abs(z)
    if key.endswith("running_mean"):
        return tenth * z
    if key.rsplit(".", 1)[-1] == "weight":
        return one + tenth * z
    return tenth * z


def filled_state_dict(state_dict, seed):
    out = type(state_dict)()
    for key, t in state_dict.items():
        if (not torch.is_floating_point(t)) or t.dim() == 0 or key.rsplit(".", 1)[-1] in LEFT_ALONE:
            out[key] = t.clone()
        else:
            a = fill_array(key, t.shape, seed)
            assert a.dtype == np.float32
            out[key] = torch.from_numpy(np.ascontiguousarray(a)).to(t.dtype)
    return out


def fill_model(model, seed):
    """Overwrite the model's parameters and buffers in place; returns the model."""
    new = filled_state_dict(model.state_dict(), seed)
    model.load_state_dict(new, strict=True)
    return model


def make_frames(seed, batch, time, height, width, channels=3):
    """Uniform [0, 1) float32 frames, (B, T, C, H, W), from PCG64(1234 + seed)."""
    rng = np.random.Generator(np.random.PCG64(1234 + seed))
    return torch.from_numpy(rng.random((batch, time, channels, height, width), dtype=np.float32))


def make_scene_frames(seed, batch, time, height, width, channels=3, grid=4):
    """Structured float32 frames, (B, T, C, H, W), values in [0, 1): 0.75 * blocks + 0.25 * noise.

    One generator PCG64(4321 + seed); first blocks = random((B, T, C, grid, grid)), each value repeated over
    (H/grid) x (W/grid) pixels (an independent coarse pattern per frame and channel), then noise =
    random((B, T, C, H, W)); float32 arithmetic.  Uniform noise alone makes pooled features nearly equal
    in all frames, which hides mistakes in temporal parts; these frames do not.
    """
    rng = np.random.Generator(np.random.PCG64(4321 + seed))
    blocks = rng.random((batch, time, channels, grid, grid), dtype=np.float32)
    noise = rng.random((batch, time, channels, height, width), dtype=np.float32)
    blocks = blocks.repeat(height // grid, axis=3).repeat(width // grid, axis=4)
    return torch.from_numpy(np.float32(0.75) * blocks + np.float32(0.25) * noise)


IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def imagenet_normalise(x, channel_dim):
    """(x - mean) / std in float32 along channel_dim (used by the masked-autoencoder fixtures only)."""
    shape = [1] * x.dim()
    shape[channel_dim] = 3
    mean = torch.tensor(IMAGENET_MEAN, dtype=torch.float32).view(shape)
    std = torch.tensor(IMAGENET_STD, dtype=torch.float32).view(shape)
    return (x - mean) / std


def rand_tensor(name, shape, seed, kind="normal", scale=1.0):
    """Input tensor of a loss fixture: PCG64(crc32(name) + seed), standard normal or uniform [0, 1), times scale."""
    g = generator(name, seed)
    if kind == "normal":
        a = g.standard_normal(tuple(shape), dtype=np.float32)
    else:
        a = g.random(tuple(shape), dtype=np.float32)
    return torch.from_numpy(a * np.float32(scale))


def rand_labels(name, n, num_classes, seed):
    """int64 labels: PCG64(crc32(name) + seed).integers(0, num_classes, n)."""
    return torch.from_numpy(generator(name, seed).integers(0, num_classes, size=n, dtype=np.int64))


SELFTEST = (
    ["0.083399944", "0.207215548", "-0.19360365", "0.355241418"],
    ["1.25675869", "1.06007791", "1.01599789", "1.17303658"],
    ["0.979350746", "0.97669971", "0.98794055", "0.380195677"],
    [6, 3, 4, 4, 5, 5],
)


def selftest():
    """Raises AssertionError when this numpy does not give the reference numbers."""
    a = fill_array("selftest.conv.weight", (4, 3, 3, 3), 0)
    b = fill_array("selftest.bn.running_var", (5,), 7)
    c = make_frames(0, 1, 1, 2, 2).flatten().numpy()
    d = rand_labels("selftest.y", 6, 7, 3).tolist()
    got = ([f"{v:.9g}" for v in a.flatten()[:4]], [f"{v:.9g}" for v in b[:4]], [f"{v:.9g}" for v in c[:4]], d)
    assert got == SELFTEST, (got, SELFTEST)
    return True


if __name__ == "__main__":
    print(selftest())
