"""Draws a split, or the folds of a cross-validation, and writes CSVs that `lipfd build --splits_csv` follows.

lipfd splits --manual_dir=DIR --config=avlips --output=splits.csv
lipfd splits --manual_dir=DIR --config=folder --folds=3 --output=folds
"""

import os
import pathlib
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence

from absl import app, flags

from datasets_tfds.build_settings import BuildSettings
from datasets_tfds.footage import find_mismatches, pair_clips
from datasets_tfds.input_fingerprint import list_input
from datasets_tfds.split_notes import find_split_notes
from datasets_tfds.splits import assign_splits, draw_folds, write_splits
from lipfd_jax.commands import build_flags
from lipfd_jax.listing.clips import Clip, ClipError, Item
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.storage.errors import describe_error
from lipfd_jax.vocabulary import SPLITS


def main(argv: list[str]) -> None:
    """Prints the split or folds of the listed videos, and writes them to --output."""
    given = flags.FLAGS
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    if not given.manual_dir:
        raise app.UsageError("--manual_dir is missing: name the folder or archive with the input data")
    try:
        _run_splits(given)
    except (ClipError, OSError, ValueError) as error:
        sys.exit(f"error: {describe_error(error)}")


def _run_splits(given: flags.FlagValues) -> None:
    settings = build_flags.read_settings()
    with tempfile.TemporaryDirectory() as temporary:
        place = pathlib.Path(given.manual_dir)
        listing = list_input(place, settings, pathlib.Path(given.unpack_dir or temporary))
        print(listing.summary())
        splits = make_splits(listing.clips, settings, given.folds)
        notes = list(listing.all_notes())
        if given.folds is None:
            notes += find_split_notes(listing.clips, splits[0], settings)
        print("".join(f"  note: {escape_controls(note)}\n" for note in notes), end="")
        if given.check_footage:
            clips = [item for item in listing.clips if isinstance(item, Clip)]
            _print_mismatches(clips, (os.cpu_count() or 1) if given.workers is None else given.workers)
    for number, split in enumerate(splits, start=1):
        if given.output:
            write_splits(_output_path(given.output, number, given.folds), listing.clips, split)
        counts, fold = Counter(split.values()), f"fold {number}, " if given.folds else ""
        print(f"{fold}videos in {', '.join(f'{name}: {counts[name]}' for name in SPLITS)}")


def make_splits(items: Sequence[Item], settings: BuildSettings, folds: int | None) -> list[dict[str, str]]:
    """Returns one split by the settings, or one per fold. ValueError for settings that folds can't follow."""
    if folds is None:
        return [assign_splits(items, settings)]
    if settings.splits_csv:
        raise ValueError("--folds draws its own splits: leave --splits_csv out")
    if settings.held_out:
        raise ValueError("--folds tests every source, the official validation sources too: add --noheld_out")
    return draw_folds(items, folds)


def _output_path(output: str, number: int, folds: int | None) -> pathlib.Path:
    """Returns the output file of a split; for folds NUMBER.csv in the output folder, which is made."""
    if folds is None:
        return pathlib.Path(output)
    pathlib.Path(output).mkdir(parents=True, exist_ok=True)
    return pathlib.Path(output) / f"{number}.csv"


def _print_mismatches(clips: Sequence[Clip], workers: int) -> None:
    different = find_mismatches(clips, workers)
    print(f"{len(pair_clips(clips))} pairs of real and fake clips, {len(different)} with different footage:")
    for pair, result in different:
        shown = result if isinstance(result, str) else f"{result:.3f}"
        print(escape_controls(f"  {pair.real.video} {pair.fake.video}: {shown}"))


def define_flags() -> None:
    """Defines the flags of this command."""
    build_flags.define_flags()
    flags.DEFINE_string("output", None, "CSV to write the split to; with --folds, a folder of CSVs.")
    flags.DEFINE_integer("folds", None, "Draw this many folds, which test every video once.", lower_bound=2)
    flags.DEFINE_string("unpack_dir", None, "Folder to unpack an archive into. Default: a temporary folder.")
    flags.DEFINE_bool(
        "check_footage", False, "Compare the footage of real and fake clips with the same source id."
    )
