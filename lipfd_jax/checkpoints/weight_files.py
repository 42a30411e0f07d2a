"""Opens foreign weights: a file, a folder from a model hub, or shards with an index."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lipfd_jax.checkpoints.errors import quote, refusal
from lipfd_jax.checkpoints.pth.reader import open_pth
from lipfd_jax.checkpoints.safetensors import open_safetensors
from lipfd_jax.checkpoints.tables import Tensor

INDEX = ".index.json"
# File names of the weights in folders of HuggingFace's transformers, open_clip and timm.
_IN_FOLDERS = (
    "model.safetensors",
    f"model.safetensors{INDEX}",
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    f"pytorch_model.bin{INDEX}",
    "open_clip_pytorch_model.bin",
)
_MAX_JSON = 16 << 20


def is_weight_folder(path: str | Path) -> bool:
    """Whether a folder holds weights under a file name that model hubs use."""
    return any((Path(path) / name).is_file() for name in _IN_FOLDERS)


def open_weights(path: str | Path) -> Mapping[str, Tensor]:
    """Returns the tensors of a foreign weight file by key, still on disk.

    Args:
        path: a .safetensors or PyTorch file, an index of shards, or a folder of transformers, open_clip or
            timm that holds one of them.

    Raises:
        CheckpointError: a file is refused or missing.
    """
    path = Path(path)
    if path.is_dir():
        path = _find_in_folder(path)
    if path.name.endswith(INDEX):
        return _open_shards(path)
    return open_safetensors(path) if path.suffix == ".safetensors" else open_pth(path)


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object from a small foreign file; raises CheckpointError for anything else."""
    if path.stat().st_size > _MAX_JSON:
        raise refusal(path, f"it is larger than {_MAX_JSON:,} bytes")
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise refusal(path, f"it is not readable as JSON ({error})") from error
    if not isinstance(values, dict):
        raise refusal(path, f"it holds a {type(values).__name__}, expected an object")
    return values


def _find_in_folder(folder: Path) -> Path:
    for name in _IN_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise refusal(folder, f"it holds none of {', '.join(_IN_FOLDERS)}; give the file with the weights")


def _open_shards(index: Path) -> dict[str, Tensor]:
    """Returns the tensors of an index of shards; the shards must be in the index's folder."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise refusal(index, "it has no weight_map from tensors to files")
    files = set(map(str, places.values()))
    outside = sorted(name for name in files if Path(name).name != name or name.endswith(INDEX))
    if outside:
        raise refusal(index, [f"{quote(name)} is not the name of a file next to it" for name in outside])
    opened = {name: open_weights(index.parent / name) for name in sorted(files)}
    missing = [key for key, name in places.items() if key not in opened[name]]
    if missing:
        raise refusal(index, [f"{quote(key)} is not in {quote(places[key])}" for key in missing])
    return {key: opened[name][key] for key, name in places.items()}
