"""Keeps what the compiler said, so that the same question is not compiled twice."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path

from lipfd_jax.tools.planning.chips import Topology
from lipfd_jax.tools.planning.compilation import Compiled, version
from lipfd_jax.training.config import Experiment

DEFAULT = Path("~/.cache/lipfd_jax/plan")

_PACKAGES = ("jax", "jaxlib", "libtpu", "flax", "optax")
_SOURCES = (
    "models",
    "kernels",
    "mesh.py",
    "training",
    "tools/planning/compilation.py",
    "tools/planning/hlo_text.py",
    "tools/planning/traffic.py",
    "tools/planning/windows.py",
)


def key(experiment: Experiment, topology: Topology, batch_per_chip: int) -> str:
    """A hash of everything the compiled step depends on: settings, slice, versions, source."""
    parts = {
        "experiment": dataclasses.asdict(experiment) | {"batch_size": None, "data": None},
        "topology": topology.name,
        "batch_per_chip": batch_per_chip,
        "versions": {name: version(name) for name in _PACKAGES},
        "sources": _source_hashes(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def load(folder: Path, name: str) -> Compiled | None:
    """What is kept under a key, or None; a file that can't be read counts as none."""
    try:
        return Compiled(**json.loads(_file(folder, name).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save(folder: Path, name: str, compiled: Compiled) -> None:
    """Keeps it; the file appears whole or not at all."""
    file = _file(folder, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(dataclasses.asdict(compiled), indent=1) + "\n", "utf-8")
    partial.replace(file)


def _file(folder: Path, name: str) -> Path:
    return folder.expanduser() / f"{name}.json"


def _source_hashes() -> dict[str, str]:
    package = Path(__file__).parents[2]
    found = (file for source in _SOURCES for file in _files(package / source))
    return {str(f.relative_to(package)): hashlib.sha256(f.read_bytes()).hexdigest() for f in found}


def _files(place: Path) -> list[Path]:
    return sorted(place.glob("*.py")) if place.is_dir() else [place]
