"""Evaluates a checkpoint: python evaluate.py --checkpoint=DIR --data=DIR, the same as `lipfd evaluate`."""

import sys

from lipfd_jax.cli import run_command

if __name__ == "__main__":
    run_command("evaluate", *sys.argv[1:])
