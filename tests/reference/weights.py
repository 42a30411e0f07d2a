"""Deterministic stand-in weights in the released checkpoint's key layout.

The released LipFD checkpoint can't be shipped, so parity is checked on weights
drawn from a seed: every tensor of the official state dict gets values that
depend only on (seed, key, shape). NumPy only; float32; about 10 s for all 770
tensors (451 M values).

    from weights import load_manifest, state_dict
    sd = state_dict(seed=7, manifest=load_manifest())     # {key: np.ndarray}
"""

import json
import pathlib
import zlib

import numpy as np

_HERE = pathlib.Path(__file__).parent


def load_manifest(path=_HERE / "official_manifest.json"):
    """Returns {key: (shape, dtype)} of the official checkpoint's 'model' entry."""
    return {k: (tuple(s), d) for k, (s, d) in json.loads(pathlib.Path(path).read_text()).items()}


def _fan_in(shape):
    return int(np.prod(shape[1:])) if len(shape) > 1 else shape[0]


def tensor(seed, key, shape, dtype):
    """Returns the value of one tensor; depends only on its arguments."""
    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32(key.encode())]))
    if dtype == "int64":  # num_batches_tracked
        return np.asarray(rng.integers(1, 1000), np.int64)
    n = rng.standard_normal(shape, dtype=np.float32)
    leaf = key.rsplit(".", 1)[-1]
    norm = any(t in key for t in (".ln_", ".bn", "downsample.1"))
    if leaf == "running_var":
        out = 0.5 + np.abs(n)
    elif leaf == "running_mean":
        out = 0.1 * n
    elif norm and leaf == "weight":
        out = (0.4 if ".bn3." in key else 1.0) + 0.1 * n
    elif leaf in ("bias", "in_proj_bias"):
        out = 0.05 * n
    elif key.endswith("logit_scale"):
        out = np.float32(4.6) + 0 * n
    elif "embedding" in key:  # class, positional, token embeddings
        out = 0.1 * n
    elif leaf == "in_proj_weight":  # peaked attention, so that the image matters
        out = n / np.sqrt(shape[1])
        out[: 2 * shape[1]] *= 3
    elif leaf in ("proj", "text_projection"):  # stored (in, out)
        out = n / np.sqrt(shape[0])
    elif key == "conv1.weight":  # sees pixels in 0..255
        out = n / (64 * np.sqrt(_fan_in(shape)))
    elif key == "backbone.conv1.weight":  # sees pixels in 0..255
        out = n * np.sqrt(2 / _fan_in(shape)) / 128
    elif len(shape) == 4:
        out = n * np.sqrt(2 / _fan_in(shape))
    else:
        out = n / np.sqrt(_fan_in(shape))
    return np.asarray(out, np.float32)


def state_dict(seed, manifest, prefix=""):
    """Returns {key: array} for every key of the manifest that starts with prefix."""
    return {k: tensor(seed, k, s, d) for k, (s, d) in manifest.items() if k.startswith(prefix)}
