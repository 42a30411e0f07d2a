"""Judges videos: python detect.py VIDEO_OR_FOLDER... --checkpoint=DIR, the same as `lipfd detect`."""

import sys

from lipfd_jax.cli import run_command

if __name__ == "__main__":
    run_command("detect", *sys.argv[1:])
