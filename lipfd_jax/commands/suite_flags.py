"""Flags of the suites, and the run of those that they name."""

import os

from absl import flags

from lipfd_jax.data.data_fingerprint import compute_data_fingerprint
from lipfd_jax.data.sources import RecordReader
from lipfd_jax.evaluation.evaluate import Options, choose_decision
from lipfd_jax.evaluation.suites.results import SUITES, SuiteResult
from lipfd_jax.evaluation.suites.suite import find_suite_data, run_suite
from lipfd_jax.inference.predictor import Predictor
from lipfd_jax.listing.clips import Clip
from lipfd_jax.listing.layouts import list_layout

flags.disclaim_key_flags()  # they are the command's own, also in its --help


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_multi_enum(
        "suite",
        [],
        SUITES,
        "Also compare the detector with baselines that need no model (baselines; takes little more than "
        "another pass over the videos), or score the videos under perturbations (robustness) or under "
        "controls that separate sound and lips, for the report. May be given several times; an interrupted "
        "suite resumes.",
    )
    flags.DEFINE_string(
        "clips",
        None,
        "Videos that the data were built from (AVLips layout, or with --clips_csv), which make suites exact. "
        "Without them, suites are limited to perturbations of stored windows, and baselines to sharpness.",
    )
    flags.DEFINE_string("clips_csv", None, "CSV file that lists the videos of --clips, inside that folder.")


def run_suites(
    given: flags.FlagValues, detector: Predictor, source: RecordReader, options: Options
) -> list[SuiteResult]:
    """Runs the suites of --suite on the videos of the data with this process's detector; returns results.

    With several processes, those after the first get none. Raises ValueError, CheckpointError and OSError as
    `run_suite` does.
    """
    data = find_suite_data(
        source, compute_data_fingerprint(source).digest, _list_clips(given) if given.clips else None
    )
    decision = choose_decision(detector, options)
    results = [
        run_suite(
            name,
            detector,
            data,
            given.output,
            decision=decision,
            bootstrap=options.bootstrap,
            overwrite=options.overwrite,
        )
        for name in dict.fromkeys(given.suite)
    ]
    return [result for result in results if result]


def _list_clips(given: flags.FlagValues) -> list[Clip]:
    layout = "folder" if given.clips_csv else "avlips"
    unpacked = os.path.join(given.output, "unpacked")
    listing = list_layout(given.clips, layout, unpack_dir=unpacked, clips_csv=given.clips_csv or "clips.csv")
    return [clip for clip in listing.clips if isinstance(clip, Clip)]
