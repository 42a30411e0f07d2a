"""Layers: a module imports only from layers before its own, and no modules import each other in a circle."""

import ast
import pathlib
from collections.abc import Iterator, Sequence

import pytest

ROOT = pathlib.Path(__file__).parents[1]

# Layers from the bottom up: one may import from itself and from those before it.
LAYERS = (
    "lipfd_jax.vocabulary",
    "lipfd_jax.settings",
    "lipfd_jax.version",
    "lipfd_jax.storage",
    "lipfd_jax.runtime",
    "lipfd_jax.listing",
    "lipfd_jax.preprocessing",
    "lipfd_jax.perturbations",
    "lipfd_jax.faces",
    "datasets_tfds",
    "lipfd_jax.data",
    "lipfd_jax.kernels",
    "lipfd_jax.models",
    "lipfd_jax.checkpoints",
    "lipfd_jax.exporting",
    "lipfd_jax.inference",
    "lipfd_jax.evaluation.metrics",
    "lipfd_jax.pages",
    "lipfd_jax.detection",
    "lipfd_jax.serving",
    "lipfd_jax.evaluation",
    "lipfd_jax.training",
    "lipfd_jax.experiments",
    "lipfd_jax.tools",
    "lipfd_jax.commands",
    "lipfd_jax.cli",
    "lipfd_jax.__main__",
    "lipfd_jax",  # its __init__: the public names
)


def find_modules(root: pathlib.Path, packages: Sequence[str]) -> dict[str, pathlib.Path]:
    """Returns {dotted name: file} of all modules of the packages; a package is named like its folder."""
    files = (file for package in packages for file in sorted((root / package).rglob("*.py")))
    names = {}
    for file in files:
        parts = file.relative_to(root).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return names


def find_imports(modules: dict[str, pathlib.Path]) -> Iterator[tuple[str, str, int]]:
    """Yields (importing module, imported module, line) of imports among modules, lazy ones included."""
    for module, file in modules.items():
        for node in ast.walk(ast.parse(file.read_text())):
            for target in _targets(node, modules):
                yield module, target, getattr(node, "lineno", 0)


def _targets(node: ast.AST, modules: dict[str, pathlib.Path]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in modules)
    elif isinstance(node, ast.ImportFrom) and node.module in modules:
        named = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from dict.fromkeys(name if name in modules else node.module for name in named)
    elif isinstance(node, ast.ImportFrom):
        assert not node.level, "relative imports hide their layer"


def find_upward_imports(modules: dict[str, pathlib.Path], layers: Sequence[str]) -> list[str]:
    """Returns a line for each import from a later layer; ValueError for a module in no layer."""
    lines = []
    for module, target, line in find_imports(modules):
        if _find_layer(target, layers) > _find_layer(module, layers):
            lines.append(f"{module}:{line} imports {target}")
    return lines


def _find_layer(module: str, layers: Sequence[str]) -> int:
    """Returns the number of the most specific layer that holds a module."""
    layer = max((r for r in layers if f"{module}.".startswith(f"{r}.")), key=len, default=None)
    if layer is None or (layer == "lipfd_jax" and module != layer):
        raise ValueError(f"{module} is in no layer: add it to LAYERS")
    return layers.index(layer)


def find_circle(modules: dict[str, pathlib.Path]) -> list[str]:
    """Returns the modules of a circle of imports, or an empty list."""
    targets: dict[str, list[str]] = {module: [] for module in modules}
    for module, target, _ in find_imports(modules):
        targets[module].append(target)
    finished: set[str] = set()
    for module in modules:
        if circle := _walk(module, targets, finished, []):
            return circle
    return []


def _walk(module: str, targets: dict[str, list[str]], finished: set[str], path: list[str]) -> list[str]:
    if module in path:
        return [*path[path.index(module) :], module]
    if module not in finished:
        for target in targets[module]:
            if circle := _walk(target, targets, finished, [*path, module]):
                return circle
        finished.add(module)
    return []


def test_every_module_imports_only_from_layers_before_it():
    assert find_upward_imports(find_modules(ROOT, ["lipfd_jax", "datasets_tfds"]), LAYERS) == []


def test_no_modules_import_each_other_in_a_circle():
    assert find_circle(find_modules(ROOT, ["lipfd_jax", "datasets_tfds"])) == []


@pytest.fixture
def house(tmp_path):
    """A package of two layers, whose modules the test writes."""
    for layer in ("lower", "upper"):
        (tmp_path / "house" / layer).mkdir(parents=True)
        (tmp_path / "house" / layer / "__init__.py").touch()

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / "house" / f"{name.replace('_', '/')}.py").write_text(text)
        return find_modules(tmp_path, ["house"])

    return write


@pytest.mark.parametrize(
    "line",
    [
        "from house.upper import b",
        "from house.upper.b import thing",
        "import house.upper.b",
        "def f():\n    from house.upper import b",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.upper.b import Thing",
    ],
)
def test_an_import_from_a_later_layer_is_found(house, line):
    modules = house(lower_a=line, upper_b="")
    (found,) = find_upward_imports(modules, ("house.lower", "house.upper"))
    assert found.startswith("house.lower.a:")
    assert found.endswith("imports house.upper.b")
    assert find_upward_imports(house(lower_a="", upper_b=line), ("house.lower", "house.upper")) == []


def test_a_module_in_no_layer_is_found(house):
    modules = house(lower_a="", upper_b="import house.lower.a")
    with pytest.raises(ValueError, match=r"house\.upper\.b is in no layer"):
        find_upward_imports(modules, ("house.lower",))


@pytest.mark.parametrize("line", ["import house.lower.a", "def f():\n    import house.lower.a"])
def test_a_circle_is_found(house, line):
    modules = house(lower_a="import house.upper.b", upper_b=line)
    assert set(find_circle(modules)) == {"house.lower.a", "house.upper.b"}
    assert find_circle(house(lower_a="import house.upper.b", upper_b="")) == []
