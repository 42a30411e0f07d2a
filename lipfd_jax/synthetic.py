"""Draws a data set of talking heads and forgeries: python -m lipfd_jax.synthetic --output=DIR."""

from absl import app

from lipfd_jax.tools.synthetic.__main__ import main

if __name__ == "__main__":
    app.run(main)
