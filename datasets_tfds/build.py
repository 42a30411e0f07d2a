"""Builds the records without TensorFlow: `lipfd build --manual_dir=DIR --data_dir=DIR`.

The same flags mean what they mean for `tfds build`, and the records are the same.
"""

import functools
import json
import os
import pathlib
import sys
from typing import Any

import tensorflow_datasets as tfds
from absl import app, flags, logging
from google.protobuf import json_format

from datasets_tfds import input_fingerprint, options, report
from datasets_tfds.avlips.avlips_dataset_builder import Builder
from datasets_tfds.build_settings import Settings
from datasets_tfds.errors import BuildError
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.clip_task import MachineError
from lipfd_jax.storage import atomic_folder


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
    place, root = pathlib.Path(manual_dir), pathlib.Path(data_dir)
    folder = root / Builder.name / settings.name / str(Builder.VERSION)
    if set(str(root)) & set("*?["):
        raise BuildError(f"--data_dir={root}: TFDS takes *, ? and [ for patterns; name a folder without them")
    atomic_folder.recover_build(folder, root)
    make = functools.partial(
        _made,
        place=place,
        settings=settings,
        file_format=file_format,
        workers=workers,
        beam=beam_pipeline_options,
    )
    if overwrite and folder.exists():
        with atomic_folder.replace_build(folder, root) as beside:
            make(_opened(settings, beside), building=root / "building")
    else:
        builder = _opened(settings, root)
        if builder.is_prepared():
            _refuse_other(builder, folder, file_format)
            _refuse_other_inputs(builder, folder, place)
            _refuse_damaged(report.damaged_shards(folder, sums=False))
            print(f"{folder} is already built; --overwrite builds it again")
            return builder
        make(builder)
    print(f"built {folder}")
    return _opened(settings, root)


def _opened(settings: Settings, data_dir: pathlib.Path) -> Builder:
    """The builder in a data_dir. Raises BuildError where what was built there can't be read."""
    try:
        return Builder(config=settings.name, settings=settings, data_dir=str(data_dir))
    except (
        json_format.ParseError,
        json.JSONDecodeError,
        UnicodeDecodeError,
        KeyError,
        AttributeError,
    ) as error:
        folder = data_dir / Builder.name / settings.name
        raise BuildError(
            f"{folder}: dataset_info.json can't be read ({error}); the build is damaged, build again with "
            "--overwrite"
        ) from error


def _made(
    builder: Builder,
    *,
    place: pathlib.Path,
    settings: Settings,
    file_format: str | None,
    workers: int | None,
    beam: str | None,
    building: pathlib.Path | None = None,
) -> None:
    if not place.exists():
        raise BuildError(f"{place}: no such folder or archive")
    builder.workers = (os.cpu_count() or 1) if workers is None else workers
    builder.building = building
    if place.is_file():
        builder.archive, place = place, place.parent
    config = tfds.download.DownloadConfig(manual_dir=place, beam_options=_beam_options(beam))
    builder.download_and_prepare(download_config=config, file_format=file_format)


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


def _refuse_other_inputs(builder: Builder, folder: pathlib.Path, place: pathlib.Path) -> None:
    noted = report.read(folder).get("inputs")
    if noted is None:
        print(f"{folder} was built by an earlier version, which did not note from what")
    else:
        input_fingerprint.refuse_other(noted, place, builder.settings, builder.parts_root)


def _refuse_damaged(lines: list[str]) -> None:
    if lines:
        raise BuildError("\n".join(["damaged shards, build again with --overwrite:", *lines]))


def verify(data_dir: str, settings: Settings) -> None:
    """Compares the shards of a finished build with the sums noted when they were written.

    Raises:
      BuildError: one is missing or changed.
    """
    folder = pathlib.Path(data_dir) / Builder.name / settings.name / str(Builder.VERSION)
    _refuse_damaged(report.damaged_shards(folder))
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
