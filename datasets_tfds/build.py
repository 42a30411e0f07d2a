"""Builds the records without TensorFlow: `lipfd build --manual_dir=DIR --data_dir=DIR`.

The same flags mean what they mean for `tfds build`, and the records are the same.
"""

import os
import pathlib
import sys
from typing import Any

import tensorflow_datasets as tfds
from absl import app, flags, logging

from datasets_tfds import options, report
from datasets_tfds.avlips.avlips_dataset_builder import Builder
from datasets_tfds.errors import BuildError
from datasets_tfds.settings import Settings
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.attempt import MachineError


def build(
    *,
    manual_dir: str,
    data_dir: str,
    settings: Settings,
    file_format: str | None = None,
    overwrite: bool = False,
    workers: int | None = None,
    beam_pipeline_options: str | None = None,
) -> Builder:
    """Builds a data set unless that was done before, and returns its builder.

    Args:
      manual_dir: folder or archive with the data, see `listing.layouts.find`.
      data_dir: TFDS's folder for data sets; the records go to data_dir/avlips/CONFIG/VERSION.
      file_format: array_record (default), or tfrecord, which needs TensorFlow.
      overwrite: build again what is built.
      workers: processes, one per core by default; 0 builds in this process.
      beam_pipeline_options: build on Apache Beam, with these comma-separated options.

    Raises:
      BuildError, ClipError or ValueError: the message says what is wrong and what to do.
    """
    builder = Builder(config=settings.name, settings=settings, data_dir=data_dir)
    folder = pathlib.Path(builder.data_dir)
    if builder.is_prepared() and not overwrite:
        _refuse_other(builder, folder, file_format)
        print(f"{folder} is already built; --overwrite builds it again")
        return builder
    place = pathlib.Path(manual_dir)
    if not place.exists():  # before anything is removed
        raise BuildError(f"{place}: no such folder or archive")
    if overwrite and builder.is_prepared():
        builder.data_path.rmtree()
        builder = Builder(config=settings.name, settings=settings, data_dir=data_dir)
    builder.workers = (os.cpu_count() or 1) if workers is None else workers
    if place.is_file():
        builder.archive, place = place, place.parent
    config = tfds.download.DownloadConfig(manual_dir=place, beam_options=_beam_options(beam_pipeline_options))
    builder.download_and_prepare(download_config=config, file_format=file_format)
    print(f"built {folder}")
    return builder


def _beam_options(given: str | None) -> Any:
    if not given:
        return None
    from apache_beam.options.pipeline_options import PipelineOptions

    return PipelineOptions([f"--{option}" for option in given.split(",")])


def _refuse_other(builder: Builder, folder: pathlib.Path, file_format: str | None) -> None:
    """Raises BuildError where a finished build is not what was asked for."""
    different = report.differences(report.read(folder)["settings"], builder.settings)
    if file_format and builder.info.file_format.value != file_format:
        different["file_format"] = (builder.info.file_format.value, file_format)
    if different:
        changes = "; ".join(f"{name}: {old!r}, asked for {new!r}" for name, (old, new) in different.items())
        raise BuildError(
            f"{folder} was built with other settings ({changes}); choose another data_dir or add --overwrite"
        )


def verify(data_dir: str, settings: Settings) -> None:
    """Compares the shards of a finished build with the sums noted when they were written.

    Raises:
      BuildError: one is missing or changed.
    """
    folder = pathlib.Path(Builder(config=settings.name, data_dir=data_dir).data_dir)
    damaged = report.damaged_shards(folder)
    if damaged:
        raise BuildError("\n".join(["damaged shards, build again with --overwrite:", *damaged]))
    print(f"{folder}: all {len(report.read(folder)['shards'])} shards are as they were built")


def define_flags() -> None:
    """Defines the flags of this command."""
    options.define()
    flags.adopt_module_key_flags(options)
    flags.DEFINE_enum("file_format", None, ["array_record", "tfrecord"], "default array_record")
    flags.DEFINE_string("beam_pipeline_options", None, "build on Apache Beam: runner=...,job_name=...")
    flags.DEFINE_bool("overwrite", False, "build again what is built already")
    flags.DEFINE_bool("verify", False, "only check the shards of a finished build")
    flags.DEFINE_string("data_dir", None, "where the records go", required=True)


def main(argv: list[str]) -> None:
    """Runs the command."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments {argv[1:]}")
    given = flags.FLAGS
    if not given["verbosity"].present:
        logging.set_verbosity(logging.ERROR)  # TFDS warns about the folders it is going to fill
    try:
        settings = options.settings()
        if given.verify:
            verify(given.data_dir, settings)
            return
        if not given.manual_dir:
            raise BuildError("--manual_dir: say where the data is")
        build(
            manual_dir=given.manual_dir,
            data_dir=given.data_dir,
            settings=settings,
            file_format=given.file_format,
            overwrite=given.overwrite,
            workers=given.workers,
            beam_pipeline_options=given.beam_pipeline_options,
        )
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on from here, finished videos are kept")
    except (MachineError, MemoryError, OSError) as error:
        reason = str(error) or "out of memory"
        sys.exit(f"error: {reason}; once that is mended, the same command goes on from here")
    except (BuildError, ClipError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    define_flags()
    app.run(main)
