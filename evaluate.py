"""Evaluates a checkpoint: python evaluate.py --checkpoint=DIR --data=DIR, the same as `lipfd evaluate`."""

import sys

from lipfd_jax.cli import run

if __name__ == "__main__":
    run("evaluate", *sys.argv[1:])
