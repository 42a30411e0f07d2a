"""Builds the records without TensorFlow: `python -m datasets_tfds.build --manual_dir=DIR --data_dir=DIR`.

The same flags mean what they mean for `tfds build`, and the records are the same.
"""

import dataclasses
import os
import pathlib
import sys
from typing import Any

import tensorflow_datasets as tfds
from absl import app, flags

from datasets_tfds import report
from datasets_tfds.avlips.avlips_dataset_builder import Builder
from datasets_tfds.report import BuildError
from datasets_tfds.settings import Settings, named_settings
from lipfd_jax.preprocessing.clips import ClipError


def build(
    *,
    manual_dir: str,
    data_dir: str,
    settings: Settings,
    file_format: str | None = None,
    overwrite: bool = False,
    workers: int | None = None,
) -> Builder:
    """Builds a data set unless that was done before, and returns its builder.

    Raises:
      BuildError, ClipError or ValueError: the message says what is wrong and what to do.
    """
    builder = Builder(config=settings.name, settings=settings, data_dir=data_dir)
    folder = pathlib.Path(builder.data_dir)
    if builder.is_prepared() and not overwrite:
        _refuse_other(builder, folder, file_format)
        print(f"{folder} is already built; --overwrite builds it again")
        return builder
    if overwrite and builder.is_prepared():
        builder.data_path.rmtree()
        builder = Builder(config=settings.name, settings=settings, data_dir=data_dir)
    builder.workers = (os.cpu_count() or 1) if workers is None else workers
    place = pathlib.Path(manual_dir)
    if place.is_file():
        builder.archive, place = place, place.parent
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=place), file_format=file_format
    )
    print(f"built {folder}")
    return builder


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


CHANGES = ("effort", "held_out", "fractions", "salt", "splits_csv", "clips_csv")  # flags that are settings


def _define_flags() -> None:
    names = [settings.name for settings in named_settings()]
    flags.DEFINE_string("data_dir", None, "where the records go", required=True)
    flags.DEFINE_string("manual_dir", None, "folder or archive with the data")
    flags.DEFINE_enum("config", names[0], names, "SOURCE[-ENCODING][-WINDOWS]")
    flags.DEFINE_enum("file_format", None, ["array_record", "tfrecord"], "default array_record")
    flags.DEFINE_bool("overwrite", False, "build again what is built already")
    flags.DEFINE_integer("workers", None, "processes; default one per core, 0 for none", lower_bound=0)
    flags.DEFINE_bool("verify", False, "only check the shards of a finished build")
    flags.DEFINE_integer("effort", None, "compact encoding: 0 (fast, default) to 6 (smallest records)")
    flags.DEFINE_bool("held_out", None, "keep the official validation sources out of training")
    flags.DEFINE_list("fractions", None, "shares of train, validation and test, such as 0.8,0.1,0.1")
    flags.DEFINE_string("salt", None, "another salt draws another split")
    flags.DEFINE_string("splits_csv", None, "follow this split (see datasets_tfds.splits)")
    flags.DEFINE_string("clips_csv", None, "source folder: the CSV, relative to manual_dir")


def settings_from(config: str, **changes: Any) -> Settings:
    """Returns the settings of a config name with changes, None meaning unchanged."""
    named = {settings.name: settings for settings in named_settings()}
    if changes.get("fractions") is not None:
        changes["fractions"] = tuple(float(part) for part in changes["fractions"])
    given = {name: value for name, value in changes.items() if value is not None}
    return dataclasses.replace(named[config], **given)


def main(argv: list[str]) -> None:
    """Runs the command."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments {argv[1:]}")
    given = flags.FLAGS
    try:
        settings = settings_from(
            given.config,
            **{name: given[name].value for name in CHANGES},
        )
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
        )
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on from here, finished videos are kept")
    except (BuildError, ClipError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    _define_flags()
    app.run(main)
