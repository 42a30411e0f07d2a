"""Experiments that ship with the package, by name: --config=lipfd:tiny."""
