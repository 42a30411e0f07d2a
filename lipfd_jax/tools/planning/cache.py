"""Cache of compilation results, keyed by everything that the compiled step depends on."""

import dataclasses
import hashlib
import json
from pathlib import Path

from lipfd_jax.storage import files
from lipfd_jax.tools.planning.chips import Topology
from lipfd_jax.tools.planning.compilation import CompiledStep, package_version
from lipfd_jax.training.config import Experiment

DEFAULT = Path("~/.cache/lipfd_jax/plan")

_PACKAGES = ("jax", "jaxlib", "libtpu", "flax", "optax")
_SOURCES = ("models", "kernels", "runtime", "training", "tools/planning")  # folders of the package


def compute_key(experiment: Experiment, topology: Topology, batch_per_chip: int) -> str:
    """Returns a hash of the settings, the slice, the versions of the libraries and the source."""
    parts = {
        "experiment": dataclasses.asdict(experiment) | {"batch_size": None, "data": None},
        "topology": topology.name,
        "batch_per_chip": batch_per_chip,
        "versions": {name: package_version(name) for name in _PACKAGES},
        "sources": _hash_sources(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def load_result(folder: Path, key: str) -> CompiledStep | None:
    """Returns the result kept under a key; None without one, or where its file can't be read."""
    try:
        return CompiledStep(**json.loads(_result_file(folder, key).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save_result(folder: Path, key: str, compiled: CompiledStep) -> None:
    """Writes a result under its key, whole or not at all. Raises OSError."""
    file = _result_file(folder, key)
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(file, dataclasses.asdict(compiled))


def _result_file(folder: Path, key: str) -> Path:
    return folder.expanduser() / f"{key}.json"


def _hash_sources() -> dict[str, str]:
    package = Path(__file__).parents[2]
    found = (file for source in _SOURCES for file in sorted((package / source).glob("*.py")))
    return {str(f.relative_to(package)): hashlib.sha256(f.read_bytes()).hexdigest() for f in found}
