"""Sets an XLA flag that prevents wrong results on CPUs, when the package is imported.

jaxlib 0.10.2 and 0.12.0.1 fuse some sums with the operations before them and then return values that are
off by any factor, or NaN, without an error: jit of sum(matmul(a, b) * c, axes) is one case. With the flag
no sum is fused. XLA reads its flags when JAX first runs something, so the package must be imported earlier.
"""

import importlib.util
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

NAME = "xla_cpu_experimental_ynn_fusion_type"
FLAG = f"--{NAME}=-reduce"
# Libraries with XLA: each reads the flags itself, and aborts on one that it does not know.
_LIBRARIES = {
    "jaxlib": "libjax_common.so",
    "libtpu": "libtpu.so",
    "jax_plugins": "xla_cuda*/xla_cuda_plugin.so",
}


def set_flag() -> None:
    """Appends the flag to XLA_FLAGS if every installed XLA knows it and XLA_FLAGS does not mention it."""
    flags = os.environ.get("XLA_FLAGS", "")
    # A value that does not begin with -- names a file of flags, to which nothing can be added.
    if NAME in flags or not (flags.strip() or "--").startswith("--"):
        return
    libraries = list(_libraries())
    if libraries and all(_contains(path, NAME) for path in libraries):
        os.environ["XLA_FLAGS"] = f"{flags} {FLAG}".strip()


def _libraries() -> Iterator[Path]:
    for package, pattern in _LIBRARIES.items():
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            yield from Path(folder).glob(pattern)


def _contains(path: Path, text: str) -> bool:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(text.encode()) >= 0
