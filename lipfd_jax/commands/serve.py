"""Serves detection as a page and an API on this machine: lipfd serve --checkpoint=DIR.

The page is at http://127.0.0.1:8000: drop videos, follow the progress, read the report; programs use the API
that /openapi.json describes. Only this machine reaches it unless --host is given. Ctrl-C ends the server and
removes all uploads.
"""

import importlib.util
import sys
from typing import TYPE_CHECKING

from absl import app, flags
from absl import logging as absl_logging

from lipfd_jax.storage.errors import describe_error

if TYPE_CHECKING:
    from lipfd_jax.inference.detector import CompositeDetector

_EXTRA = ("fastapi", "uvicorn")
_OPEN = """WARNING: --host={} lets other computers reach this page. They can submit videos without a
password, and nothing is encrypted: put a proxy that does both in front of it, or stay at 127.0.0.1 and use an
SSH tunnel.
"""


def main(argv: list[str]) -> None:
    """Parses the flags and serves."""
    given = flags.FLAGS
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    check_installed()
    from lipfd_jax.commands import (
        detector_flags,  # the processes that read videos import this module, but not JAX
    )

    detector_flags.check_checkpoint()
    absl_logging.set_verbosity(absl_logging.WARNING)  # the libraries' own chatter
    from lipfd_jax.faces.face_search import default_finder
    from lipfd_jax.serving.limits import Limits
    from lipfd_jax.serving.server import Address, run_server

    try:
        limits = Limits(
            given.megabytes, given.minutes, given.work_minutes, given.queue, given.kept, given.kept_minutes
        )
        settings = detector_flags.build_settings()
        address = Address(given.host, given.port, tuple(given.names))
        if settings.crop == "auto":
            default_finder()  # raises at once if a package is missing
        print(make_host_warning(given.host), end="", file=sys.stderr, flush=True)
        detector = detector_flags.open_detector()
        _compile_program(detector)
        run_server(detector, settings, limits, address)
    except (ValueError, OSError) as error:  # ours name the file and what to do
        sys.exit(f"error: {describe_error(error)}")


def check_installed() -> None:
    """Exits with one line if the packages that this command needs are not installed."""
    if not all(map(importlib.util.find_spec, _EXTRA)):
        sys.exit("error: lipfd serve needs the extra 'serve': pip install 'lipfd-jax[serve,faces]'")


def make_host_warning(host: str) -> str:
    """Returns a warning for an address that other machines reach; "" if only this machine does."""
    from lipfd_jax.serving.server import Address

    return "" if Address(host).local else _OPEN.format(host)


def _compile_program(detector: "CompositeDetector") -> None:
    """Compiles the program before the first video comes."""
    import numpy as np

    from lipfd_jax.vocabulary import COMPOSITE_SHAPE

    print(f"{detector.path}: opened, compiling", flush=True)
    blank = np.zeros((detector.batch_size, *COMPOSITE_SHAPE), np.uint8)
    detector.predict(blank)


def define_flags() -> None:
    """Defines the flags of this command."""
    from lipfd_jax.commands import detector_flags

    detector_flags.define_flags()
    flags.DEFINE_string(
        "host", "127.0.0.1", "Address to listen at. Any but the default may be reachable from other machines."
    )
    flags.DEFINE_integer("port", 8000, "Port; 0 chooses a free one.", lower_bound=0, upper_bound=65535)
    flags.DEFINE_list("names", [], "Host names, besides localhost, under which browsers may open the page.")
    flags.DEFINE_float("megabytes", 500.0, "Largest file accepted, in MB.")
    flags.DEFINE_float("minutes", 10.0, "Longest video accepted, in minutes.")
    flags.DEFINE_float("work_minutes", 60.0, "Time limit for the analysis of one video, in minutes.")
    flags.DEFINE_integer("queue", 8, "Maximum number of videos that upload or wait at once.")
    flags.DEFINE_integer("kept", 20, "Number of results kept; the oldest is removed first.")
    flags.DEFINE_float("kept_minutes", 60.0, "Minutes after which a result is removed.")
