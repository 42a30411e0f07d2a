"""`python -m lipfd_jax` is the command `lipfd`."""

from lipfd_jax.cli import main

main()
