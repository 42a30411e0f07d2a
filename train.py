"""Trains a detector: python train.py --config=configs/lipfd.py --workdir=DIR, the same as `lipfd train`."""

import sys

from lipfd_jax.cli import run_command

if __name__ == "__main__":
    run_command("train", *sys.argv[1:])
