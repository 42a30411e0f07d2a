"""Experiments that ship with the package, found by name (lipfd:tiny), and the flag that finds them."""
